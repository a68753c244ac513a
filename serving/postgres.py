"""A connection pool that outlives Postgres' absences, its readiness probe, and waiting for Postgres to come back."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from serving.logs import get_logger
from serving.outage import is_away
from serving.settings import ServiceSettings

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

T = TypeVar("T")
_CONNECT_S = 5.0
_CLOSE_S = 3.0
_PROBE_S = 2.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_NAME_BYTES = 63
_log = get_logger("serving.postgres")


@asynccontextmanager
async def open_pool(
    settings: ServiceSettings,
    *,
    service: str,
    max_size: int = 10,
    command_timeout_s: float = 60.0,
    idle_in_transaction_s: float = 10.0,
    schema: str | None = None,
    server_settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Pool]:
    """Give a pool at once, also while Postgres is away: it connects when a connection is asked for.

    A transaction that stands idle longer than `idle_in_transaction_s` is ended by Postgres, which frees the locks of
    a process that was stopped. jsonb and json come and go as Python values. The password is never logged.
    `server_settings` are Postgres' own settings for each connection.
    `schema` is where tables are looked for (the search path) in place of the database's default.
    """
    password = settings.database_password
    pool = asyncpg.create_pool(
        settings.database_url,
        password=password.get_secret_value() if password else None,
        min_size=0,
        max_size=max_size,
        init=prepare,
        timeout=_CONNECT_S,
        command_timeout=command_timeout_s,
        server_settings={
            "application_name": f"planshift-{service}/{settings.instance}"[:_NAME_BYTES],
            "idle_in_transaction_session_timeout": str(int(idle_in_transaction_s * 1000)),
            **server_settings,
            **({"search_path": schema} if schema else {}),
        },
    )
    async with closing(pool):
        await pool
        yield pool


async def prepare(connection: Connection) -> None:
    """Make jsonb and json Python values on a new connection (asyncpg gives texts)."""
    for name in ("jsonb", "json"):
        await connection.set_type_codec(name, encoder=_dump, decoder=json.loads, schema="pg_catalog")


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@asynccontextmanager
async def closing(pool: Pool) -> AsyncIterator[None]:
    """Close the pool at the end, with force when its connections aren't given back in time."""
    try:
        yield
    finally:
        try:
            async with asyncio.timeout(_CLOSE_S):
                await pool.close()
        except (TimeoutError, asyncpg.InterfaceError):
            pool.terminate()


async def probe(pool: Pool) -> list[str]:
    """Give why Postgres can't be used at the moment, as readiness wants it; an empty list means that it can."""
    try:
        async with asyncio.timeout(_PROBE_S), pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
    except TimeoutError:
        return [f"Postgres doesn't answer within {_PROBE_S:g} s"]
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return [f"Postgres can't be used: {_reason(error)}"]
    return []


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__


class Outage:
    """Says once that something went away and once that it is back, however often it is tried in between."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._away = False

    def failed(self, error: BaseException) -> None:
        """Note a failed attempt."""
        if not self._away:
            _log.warning(f"{self._what} is away, trying until it is back", reason=_reason(error))
        self._away = True

    def worked(self) -> None:
        """Note an attempt that worked."""
        if self._away:
            _log.info(f"{self._what} is back")
        self._away = False


async def retry_while_away(work: Callable[[], Awaitable[T]], what: str = "Postgres") -> T:
    """Do the work, again and again while Postgres is away (pauses of 0.1 to 2 s); any other error is raised at once.

    The work has to be one that may be repeated: a transaction whose commit got no answer may have happened.
    """
    outage, pause_s = Outage(what), _FIRST_PAUSE_S
    while True:
        try:
            result = await work()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if not is_away(error):
                raise
            outage.failed(error)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        else:
            outage.worked()
            return result


async def until_reachable(pool: Pool) -> None:
    """Return when Postgres answers; raises what doesn't pass by itself (wrong password, no such database)."""

    async def ask() -> None:
        async with pool.acquire() as connection:
            await connection.fetchval("SELECT 1")

    await retry_while_away(ask)
