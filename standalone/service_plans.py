"""The three services as parts of a local stack: what each runs, its settings, and when it is ready."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import httpx

from standalone.folder import DataFolder
from standalone.part import PartPlan, Patience
from standalone.ports import Ports
from standalone.postgres import PostgresServer

SERVICES = ("wizard", "engine", "tracker")
"""The services' names; each is also the name of its role and of its database."""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "wizard": (sys.executable, "-m", "services.wizard.main", "serve"),
    "engine": (sys.executable, "-m", "services.provisioning_engine.main", "serve"),
    "tracker": (sys.executable, "-m", "services.request_tracker.main", "serve"),
}
"""What each service runs."""

_CODE = Path(__file__).resolve().parent.parent
_PROBE_TIMEOUT_S = 2.0


class ServiceProcess(NamedTuple):
    """One process of a service: the part's name, the service's, and the port of its HTTP."""

    part: str
    service: str
    port: int

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"


def processes(ports: Ports) -> Iterator[ServiceProcess]:
    """Every service process of a stack; several engines are numbered from 1."""
    yield ServiceProcess("wizard", "wizard", ports.wizard)
    for number, port in enumerate(ports.engines, start=1):
        yield ServiceProcess("engine" if len(ports.engines) == 1 else f"engine-{number}", "engine", port)
    yield ServiceProcess("tracker", "tracker", ports.tracker)


def service_settings(
    process: ServiceProcess, folder: DataFolder, kafka: str, postgres: PostgresServer, *, topic_prefix: str
) -> dict[str, str]:
    """The environment that tells a service where everything is."""
    return {
        "PLANSHIFT_KAFKA": kafka,
        "PLANSHIFT_DATABASE_URL": postgres.url(process.service),
        "PLANSHIFT_DATABASE_PASSWORD_FILE": str(postgres.password_file(process.service)),
        "PLANSHIFT_HTTP_HOST": "127.0.0.1",
        "PLANSHIFT_HTTP_PORT": str(process.port),
        "PLANSHIFT_TOKENS_FILE": str(folder.tokens_file),
        "PLANSHIFT_TOPIC_PREFIX": topic_prefix,
        # Also where the project is used from its own folder without being installed.
        "PYTHONPATH": str(_CODE),
    }


def service_plan(
    process: ServiceProcess,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    folder: DataFolder,
    patience: Patience,
) -> PartPlan:
    """What the part of a service process is."""

    async def ready() -> bool:
        try:
            async with httpx.AsyncClient(timeout=_PROBE_TIMEOUT_S, trust_env=False) as client:
                return (await client.get(f"{process.url}/readyz")).is_success
        except httpx.HTTPError:
            return False

    return PartPlan(
        name=process.part,
        command=command,
        log=folder.logs / f"{process.part}.log",
        ready=ready,
        environment=environment,
        folder=folder.path,
        patience=patience,
    )
