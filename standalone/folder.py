"""The data folder of one local stack: who may use it, what is in it, and how it is emptied."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from standalone.problems import wrong_call

FORMAT = "planshift data folder, format 1"
"""First line of the format file. Another number is another layout: this version leaves such a folder alone."""

_FORMAT_FILE = "format"
_LOCK_FILE = "lock"
_OURS = (
    "kafka",
    "kafka.new",
    "kafka.properties",
    "logs",
    "postgres",
    "postgres.new",
    "secrets",
    "state.json",
    "token",
    "tokens.json",
)
_FOLDER_MODE = 0o700
_MEBIBYTE = 1024 * 1024

ROOTS_POSTGRES = Path("/var/lib/planshift")
"""Postgres refuses to run as root, and its own user can't enter root's folders: its files are here then."""


def default_folder() -> Path:
    """The folder that PLANSHIFT_DATA names, else the platform's place for a user's data."""
    named = os.environ.get("PLANSHIFT_DATA")
    return Path(named).expanduser().absolute() if named else platformdirs.user_data_path("planshift")


class DataFolder:
    """Paths inside a data folder; nothing is touched before `locked`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kafka = path / "kafka"
        self.logs = path / "logs"
        self.secrets = path / "secrets"
        self.state_file = path / "state.json"
        self.token_file = path / "token"
        self.tokens_file = path / "tokens.json"
        self._format_file = path / _FORMAT_FILE
        self._lock_file = path / _LOCK_FILE

    @property
    def postgres(self) -> Path:
        """Postgres's own folder: inside, but for root, where it is one beside the system's other data."""
        if os.geteuid() != 0:
            return self.path / "postgres"
        name = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:16]
        return ROOTS_POSTGRES / name / "postgres"

    @contextlib.contextmanager
    def locked(self, *, fresh: bool, least_free_bytes: int) -> Iterator[None]:
        """
        Hold the folder for one stack, made or emptied (`fresh`) as needed.

        Raises StackProblem, and has changed nothing then, if another stack holds it, it belongs to something else or to
        another version, it can't be written, or the disk is nearly full.
        """
        self._check_owner(fresh=fresh)
        self._check_space(least_free_bytes)
        with _clear_errors(self.path):
            self.path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take(lock)
            with _clear_errors(self.path):
                self._prepare(lock, fresh=fresh)
            yield
        finally:
            os.close(lock)

    def held_by(self) -> int | None:
        """The pid of the stack that holds the folder now, or None; never waits."""
        try:
            lock = os.open(self._lock_file, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(lock)
        else:
            return None
        finally:
            os.close(lock)

    def erase(self) -> None:
        """Remove everything that a stack put here, and nothing else; the folder itself goes if it is empty then."""
        self._empty()
        for file in (self._format_file, self._lock_file):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def free_bytes(self) -> int:
        """Free space where the folder is, or will be; where Postgres's is elsewhere, the smaller of both."""
        return min(shutil.disk_usage(_nearest_existing(place)).free for place in (self.path, self.postgres))

    def _check_owner(self, *, fresh: bool) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise wrong_call(f"{self.path} isn't a folder. Name another one with PLANSHIFT_DATA.")
        with _clear_errors(self.path):
            names = {entry.name for entry in self.path.iterdir()} if self.path.exists() else set()
        if not names - {_LOCK_FILE}:
            return
        if _FORMAT_FILE not in names:
            raise wrong_call(
                f"{self.path} holds something that isn't Planshift's. Nothing was changed; "
                "name an empty folder with PLANSHIFT_DATA."
            )
        found = self._format_file.read_text(encoding="utf-8", errors="replace").strip()
        if found != FORMAT and not fresh:
            raise wrong_call(
                f"{self.path} was written by another version of Planshift ({found!r}, this one needs {FORMAT!r}). "
                "Nothing was changed; use that version, another folder (PLANSHIFT_DATA) or start anew with --fresh."
            )

    def _check_space(self, least_free_bytes: int) -> None:
        free = self.free_bytes()
        if free < least_free_bytes:
            raise wrong_call(
                f"The disk of {self.path} is nearly full: {free // _MEBIBYTE} MiB are free, "
                f"Planshift needs {least_free_bytes // _MEBIBYTE} MiB. Nothing was started."
            )

    def _take(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise wrong_call(
                f"Planshift runs already on {self.path} (process {_pid_in(lock)}). "
                "Stop it first, or name another folder with PLANSHIFT_DATA."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)

    def _prepare(self, lock: int, *, fresh: bool) -> None:
        # A folder that was removed by hand may have left Postgres's files behind, where those are elsewhere.
        if fresh or not self._format_file.exists():
            self._empty()
        # First of all the mark, so that a folder whose filling was interrupted is still known as ours.
        self._format_file.write_text(FORMAT + "\n", encoding="utf-8")
        os.fsync(lock)
        for folder in (self.logs, self.secrets):
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)

    def _empty(self) -> None:
        for name in _OURS:
            _remove(self.path / name)
        outside = self.postgres.parent
        if outside != self.path:
            _remove(outside)


def _pid_in(lock: int) -> int | None:
    text = os.pread(lock, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _nearest_existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one line."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise wrong_call(f"The disk of {path} is full. Nothing was started.") from error
        raise wrong_call(f"{path} can't be used: {error.strerror}. Name another folder with PLANSHIFT_DATA.") from error
