"""Generations of the projection: each in its own schema, one of them answers.

A rebuild fills a new schema while the current one answers and goes on; one row says which is current, so the change
is atomic. A service sees the row change and moves its pool and its readers over.
"""

from pathlib import Path

from eventlog.database import Connection
from eventlog.migrate import migrate
from services.request_tracker.edges.queries import GENERATIONS

MIGRATIONS = Path(__file__).parent.parent / "migrations"

CURRENT, BUILDING = "current", "building"


def schema_of(number: int) -> str:
    """The schema of a generation."""
    return f"projection_{number}"


async def prepare(conn: Connection) -> int:
    """Make sure that there is a current generation with an up-to-date schema; returns its number."""
    async with conn.transaction():
        await conn.execute(GENERATIONS["lock"])
        await conn.execute(GENERATIONS["create_table"])
        await conn.execute(GENERATIONS["create_index"])
        number = await conn.fetchval(GENERATIONS["current"])
        if number is None:
            number = await conn.fetchval(GENERATIONS["insert"], CURRENT)
        await _migrate(conn, number)
    return int(number)


async def current(conn: Connection) -> int | None:
    """The number of the generation that answers."""
    number: int | None = await conn.fetchval(GENERATIONS["current"])
    return number


async def begin(conn: Connection) -> int | None:
    """Make an empty generation to be filled, and drop those that nobody needs; None while another one is filled."""
    async with conn.transaction():
        await conn.execute(GENERATIONS["lock"])
        await conn.execute(GENERATIONS["fail_dead"])
        if await conn.fetchval(GENERATIONS["building"]) is not None:
            return None
        for row in await conn.fetch(GENERATIONS["disposable"]):
            await conn.execute(f'DROP SCHEMA IF EXISTS "{schema_of(row["number"])}" CASCADE')
        number = int(await conn.fetchval(GENERATIONS["insert"], BUILDING))
        await _migrate(conn, number)
    return number


async def promote(conn: Connection, number: int, *, records: int, reader_names: dict[str, str]) -> None:
    """Let a filled generation answer from now on; its readers' positions get the service's names.

    Raises LookupError when the generation was given up in the meantime.
    """
    async with conn.transaction():
        await conn.execute(GENERATIONS["lock"])
        await _enter(conn, number)
        for built_by, name in reader_names.items():
            await conn.execute(GENERATIONS["adopt_positions"], built_by, name)
        await conn.execute(GENERATIONS["retire"])
        if await conn.fetchval(GENERATIONS["promote"], number, records) is None:
            raise LookupError(f"generation {number} was given up")


async def _migrate(conn: Connection, number: int) -> None:
    """Bring a generation's schema up to date, in the caller's transaction."""
    await conn.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema_of(number)}"')
    await _enter(conn, number)
    await migrate(conn, schema_folders=[MIGRATIONS])


async def _enter(conn: Connection, number: int) -> None:
    """Look for tables in a generation's schema until the end of the transaction."""
    await conn.execute(f'SET LOCAL search_path TO "{schema_of(number)}"')


async def positions(conn: Connection, number: int) -> dict[tuple[str, int], int]:
    """How far a generation is: next offset by topic and partition."""
    async with conn.transaction():
        await _enter(conn, number)
        rows = await conn.fetch(GENERATIONS["positions"])
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
