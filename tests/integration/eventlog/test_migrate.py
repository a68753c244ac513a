"""Migrations are numbered, immutable and safe to start from many processes at once."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from eventlog.errors import MigrationChanged
from eventlog.migrate import migrate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "some_service" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_first.sql").write_text("CREATE TABLE one (a int);\nCREATE INDEX ON one (a);")
    (folder / "0002_second.sql").write_text("ALTER TABLE one ADD COLUMN b int;")
    return folder


async def test_an_empty_database_gets_everything_in_order_and_then_nothing_more(database: str, folder: Path) -> None:
    conn = await asyncpg.connect(database)
    applied = await migrate(conn, schema_folders=[folder])
    assert applied == ["eventlog/0001_event_log", "some_service/0001_first", "some_service/0002_second"]
    assert await migrate(conn, schema_folders=[folder]) == []
    assert await conn.fetch("SELECT a, b FROM one") == []
    await conn.close()


async def test_many_processes_may_migrate_at_once(database: str, folder: Path) -> None:
    connections = [await asyncpg.connect(database) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(conn, schema_folders=[folder]) for conn in connections))
    assert sorted(len(names) for names in applied) == [0, 0, 0, 3]
    for conn in connections:
        await conn.close()


async def test_a_changed_or_missing_migration_is_refused_by_name(database: str, folder: Path) -> None:
    conn = await asyncpg.connect(database)
    await migrate(conn, schema_folders=[folder])
    (folder / "0001_first.sql").write_text("CREATE TABLE other (a int);")
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationChanged, match="0001_first was changed; some_service/0002_second is gone"):
        await migrate(conn, schema_folders=[folder])
    await conn.close()


async def test_a_migration_that_fails_leaves_nothing_behind(database: str, folder: Path) -> None:
    conn = await asyncpg.connect(database)
    (folder / "0003_third.sql").write_text("CREATE TABLE three (a int); SELECT 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(conn, schema_folders=[folder])
    assert await conn.fetchval("SELECT to_regclass('one')") is None
    await conn.close()


async def test_a_hole_in_the_numbers_is_refused(database: str, folder: Path) -> None:
    conn = await asyncpg.connect(database)
    (folder / "0004_fourth.sql").write_text("SELECT 1;")
    with pytest.raises(ValueError, match="should be number 0003"):
        await migrate(conn, schema_folders=[folder])
    await conn.close()
