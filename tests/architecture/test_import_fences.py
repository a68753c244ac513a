"""The import fences hold, and they would catch who climbs over."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "eventlog", "serving", "directoryfiles", "services", "standalone", "cli")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

PLANTED = [
    ("contracts", "import eventlog", "contracts know nobody"),
    ("eventlog", "import contracts.topics", "the event log knows nobody"),
    ("serving", "from eventlog import record", "serving knows nobody"),
    ("services/wizard", "import services.request_tracker", "services know nothing of each other"),
    ("services/provisioning_engine", "import standalone", "services know neither the command line nor"),
    ("services/provisioning_engine/domain", "import asyncpg", "a domain knows only the contracts"),
    ("services/request_tracker/domain", "import eventlog", "a domain knows only the contracts"),
    ("services/wizard/domain", "import time", "a domain has no clock"),
    ("services/request_tracker/domain", "from random import random", "a domain has no clock"),
    ("cli", "import services.wizard", "the command line speaks to services over HTTP"),
    ("directoryfiles", "import cli", "directory files know neither"),
    ("standalone", "import directoryfiles", "the local stack knows neither"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = (str(LINT_IMPORTS), "--no-cache")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_fences_hold(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout


def test_every_planted_import_is_caught_by_its_fence(copy: Path) -> None:
    for number, (package, statement, _fence) in enumerate(PLANTED):
        (copy / package / f"planted_{number}.py").write_text(f'"""Planted."""\n\n{statement}\n')
    done = lint(copy)
    assert done.returncode == 1
    for number, (package, _statement, fence) in enumerate(PLANTED):
        module = f"{package.replace('/', '.')}.planted_{number}"
        assert module in done.stdout, f"{module} wasn't caught:\n{done.stdout}"
        assert any(fence in line and "BROKEN" in line for line in done.stdout.splitlines()), fence
