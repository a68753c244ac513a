"""The Postgres of a local stack: its files, its roles and databases, how it is started and when it is ready."""

import asyncio
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg

from eventlog.sqlfile import load_queries
from serving.tokens import write_secret
from standalone.databases import make_database
from standalone.java import run_logged
from standalone.kafka import accepts_connections
from standalone.part import PartPlan
from standalone.postgres_binaries import binaries, server_user
from standalone.problems import not_reachable

_QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
_SUPERUSER = "postgres"
_LAUNCHER = Path(__file__).with_name("launch.py")
_CONNECT_TIMEOUT_S = 5.0

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    # One server without copies or backups from its log: less to write.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    # Queries here are short; compiling them costs more than it saves.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
}


class PostgresServer:
    """One server on 127.0.0.1, reached over TCP with a password."""

    def __init__(self, data: Path, logs: Path, secret_files: Path, *, port: int) -> None:
        self._data = data
        self._log = logs / "postgres.log"
        self._secrets = secret_files
        self._port = port
        self.address = f"127.0.0.1:{port}"

    @property
    def superuser_url(self) -> str:
        """URL with the superuser's password: for tests and for making databases, never for a log."""
        password = self.password_file(_SUPERUSER).read_text(encoding="ascii")
        return f"postgresql://{_SUPERUSER}:{password}@{self.address}/postgres"

    def url(self, role: str) -> str:
        """URL of a service's database, without the password."""
        return f"postgresql://{role}@{self.address}/{role}"

    def password_file(self, role: str) -> Path:
        """The file (mode 0600) with a role's password."""
        return self._secrets / f"postgres-{role}"

    async def prepare(self, progress: Callable[[str], None]) -> PartPlan:
        """Find the programs, lay the data folder out if it is new, and answer what to run."""
        user = await asyncio.to_thread(server_user)
        folder = await asyncio.to_thread(binaries)
        self._ensure_password(_SUPERUSER)
        if not self._data.exists():
            progress("Postgres: laying out its data")
            await self._lay_out(folder, user)
        settings = (f"-c{name}={value}" for name, value in {"port": str(self._port), **_SETTINGS}.items())
        return PartPlan(
            name="postgres",
            command=(str(folder / "postgres"), "-D", str(self._data), *settings),
            log=self._log,
            ready=self._answers,
            user=user,
            folder=self._data,
            stop_signal=signal.SIGINT,  # its fast shutdown: clients are sent away, data is written
            death_signal=signal.SIGINT,
        )

    async def make_database(self, role: str) -> None:
        """Make a service's role and its database, which no other role can enter; does nothing that is done already."""
        self._ensure_password(role)
        password = self.password_file(role).read_text(encoding="ascii")
        connection = await asyncpg.connect(self.superuser_url, timeout=_CONNECT_TIMEOUT_S)
        try:
            await make_database(connection, role, password)
        finally:
            await connection.close()

    async def _answers(self) -> bool:
        if not await accepts_connections("127.0.0.1", self._port):
            return False
        try:
            connection = await asyncpg.connect(self.superuser_url, timeout=_CONNECT_TIMEOUT_S)
            await connection.execute(_QUERIES["server_answers"])
            await connection.close()
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        return True

    def _ensure_password(self, role: str) -> None:
        if not self.password_file(role).exists():
            write_secret(self.password_file(role), secrets.token_urlsafe(24))

    async def _lay_out(self, folder: Path, user: str) -> None:
        # Laid out beside its place, so that an interrupted try isn't taken for data.
        draft = self._data.with_name("postgres.new")
        password = self._data.with_name("postgres.password")
        self._data.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        write_secret(password, self.password_file(_SUPERUSER).read_text(encoding="ascii"))
        if user:
            shutil.chown(draft, user)
            shutil.chown(password, user)
        try:
            code = await run_logged(_initdb(folder, draft, password, user), self._log)
        finally:
            password.unlink(missing_ok=True)
        if code != 0:
            raise not_reachable(f"Postgres's data folder could not be laid out; see {self._log}")
        draft.rename(self._data)


def _initdb(folder: Path, data: Path, password: Path, user: str) -> tuple[str, ...]:
    launch = (sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(signal.SIGKILL)), user)
    return (
        *launch,
        *(str(folder / "initdb"), "-D", str(data), "-U", _SUPERUSER, "--pwfile", str(password)),
        *("--auth-host=scram-sha-256", "--auth-local=reject", "--data-checksums"),
        # The same order of text on every machine, with upper and lower case of all of Unicode.
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    )
