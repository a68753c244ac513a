# Everything stays in this folder, but for each user's own caches (pip, uv, Maven, Planshift's Kafka).
# A machine with python3 (3.11 or newer) and pip is enough; Java and Maven: see `planshift up`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
	$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
INSTALLER := $(VENV)/installer
PIP = PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip --disable-pip-version-check
CODE := contracts eventlog serving directoryfiles services standalone cli bench tests
PYTEST_ARGS ?=

.PHONY: help setup demo test check bench lock clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.everything ## Install everything for working on Planshift into .venv
	@true

demo: $(VENV)/.runnable ## Show Planshift at work on a made-up provider; ONCE=1 ends by itself
	@$(BIN)/planshift demo $(if $(filter-out 0,$(ONCE)),--once)

test: setup check ## Check and test everything, on real parts
	@$(BIN)/pytest $(PYTEST_ARGS)

check: setup ## Lint, types, import fences, duplicates, dependencies, generated contracts
	@echo "check: lint and format" && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "check: types" && $(BIN)/mypy
	@echo "check: import fences" && $(BIN)/lint-imports --no-logo
	@echo "check: duplicate code" && $(BIN)/pylint --score=n $(CODE)
	@echo "check: dependencies" && $(BIN)/deptry .
	@echo "check: generated contracts" && $(BIN)/python -m contracts.generate --check

bench: $(VENV)/.everything ## Measure everything on the local stack; prints a table
	@$(BIN)/python -m bench

lock: $(INSTALLER)/bin/uv ## Choose the versions anew: requirements/*.lock
	@for each in runnable:build everything:build,test,check,bench; do \
	  extras=$$(printf -- '--extra %s ' $$(tr , ' ' <<<"$${each#*:}")); \
	  $(INSTALLER)/bin/uv pip compile -q --system-certs $(LOCK_OPTIONS) $$extras pyproject.toml -o requirements/$${each%%:*}.lock; \
	done
	@$(INSTALLER)/bin/uv pip compile -q --system-certs $(LOCK_OPTIONS) requirements/installer.in -o requirements/installer.lock

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --custom-compile-command 'make lock'

clean: ## Remove what was installed and made here; data of `planshift up` stays
	@rm -rf $(VENV) build dist bench/results
	@find . -name __pycache__ -o -name '.*_cache' -o -name .hypothesis | xargs rm -rf

# Without pip: that of the machine is enough, and Debian's venv has none of its own.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found." >&2; exit 2; }
	@echo "setup: a Python environment in $(VENV)"
	@$(PYTHON) -m venv --without-pip $(VENV)

$(INSTALLER)/bin/uv: requirements/installer.lock | $(BIN)/python
	@echo "setup: the installer"
	@$(PIP) install -q --require-hashes --no-deps --upgrade \
	  --target $(INSTALLER) -r requirements/installer.lock
	@touch $@

$(VENV)/.runnable: requirements/runnable.lock pyproject.toml $(INSTALLER)/bin/uv
	@$(call install,runnable)

$(VENV)/.everything: requirements/everything.lock pyproject.toml $(INSTALLER)/bin/uv
	@$(call install,everything)
	@touch $(VENV)/.runnable

# A machine that is set up for pip alone (a mirror, say) gets the same files with pip.
define install
echo "setup: the locked packages of requirements/$(1).lock"
$(INSTALLER)/bin/uv pip install -q --system-certs --python $(BIN)/python --require-hashes --no-deps \
  -r requirements/$(1).lock || { \
  echo "setup: once more with pip, which takes longer"; \
  $(PIP) --python $(BIN)/python install -q --require-hashes --no-deps -r requirements/$(1).lock; }
$(INSTALLER)/bin/uv pip install -q --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
touch $(VENV)/.$(1)
endef
