"""The pool on a real Postgres that goes away and comes back."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from serving.outage import is_away
from serving.postgres import open_pool, probe, retry_while_away, until_reachable
from tests.gate import gate_to
from tests.integration.serving.served import (
    NOWHERE,
    behind,
    database_at,
    place_of,
    sample_settings,
    write_sample_tokens,
)
from tests.waiting import eventually, throughout


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


async def test_a_connection_has_its_name_its_timeout_and_json_as_values(tmp_path: Path, postgres: str) -> None:
    write_sample_tokens(tmp_path)
    settings = sample_settings(tmp_path, postgres, instance="host-1")
    async with open_pool(settings, service="wizard", idle_in_transaction_s=7) as pool, pool.acquire() as conn:
        assert await conn.fetchval("SHOW application_name") == "planshift-wizard/host-1"
        assert await conn.fetchval("SHOW idle_in_transaction_session_timeout") == "7s"
        value = {"a": [1, None, "ü"]}
        assert await conn.fetchval("SELECT $1::jsonb", value) == value
        assert await conn.fetchval("SELECT $1::json", value) == value


async def test_postgres_ends_a_transaction_that_stands_idle(tmp_path: Path, postgres: str) -> None:
    write_sample_tokens(tmp_path)
    settings = sample_settings(tmp_path, postgres)
    async with open_pool(settings, service="wizard", idle_in_transaction_s=0.2) as pool, pool.acquire() as conn:
        pid = await conn.fetchval("SELECT pg_backend_pid()")
        await conn.execute("BEGIN")
        other = await asyncpg.connect(postgres)
        try:
            gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
            assert await eventually(lambda: other.fetchval(gone, pid), within=10)
        finally:
            await other.close()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as lost:
            await conn.fetchval("SELECT 1")
        assert is_away(lost.value)


async def test_an_absence_is_one_line_when_it_begins_and_one_when_it_ends(
    tmp_path: Path, postgres: str, log: io.StringIO
) -> None:
    write_sample_tokens(tmp_path)
    async with gate_to(*place_of(postgres), opened=False) as gate:
        url = behind(gate, postgres)
        async with open_pool(sample_settings(tmp_path, url), service="w") as pool:
            waiting = asyncio.create_task(until_reachable(pool))
            await throughout(lambda: not waiting.done(), for_s=0.8)
            await gate.open()
            await asyncio.wait_for(waiting, 10)
            assert await probe(pool) == []
            await gate.close()
            [reason] = await probe(pool)
            assert reason.startswith("Postgres can't be used: ")
    events = [line["event"] for line in _lines(log)]
    assert events == ["Postgres is away, trying until it is back", "Postgres is back"]


async def test_work_is_repeated_while_postgres_is_away_and_done_when_it_is_back(tmp_path: Path, postgres: str) -> None:
    write_sample_tokens(tmp_path)
    async with gate_to(*place_of(postgres)) as gate:
        url = behind(gate, postgres)
        async with open_pool(sample_settings(tmp_path, url), service="w") as pool:
            attempts = 0

            async def work() -> int:
                nonlocal attempts
                attempts += 1
                async with pool.acquire() as conn:
                    return int(await conn.fetchval("SELECT 7"))

            assert await retry_while_away(work) == 7
            await gate.close()
            again = asyncio.create_task(retry_while_away(work))
            await eventually(lambda: attempts >= 3, within=10)
            await gate.open()
            assert await asyncio.wait_for(again, 10) == 7


async def test_what_does_not_pass_by_itself_is_raised_at_once(tmp_path: Path, postgres: str) -> None:
    write_sample_tokens(tmp_path)
    url = database_at(postgres, "no_such_database_here")
    async with open_pool(sample_settings(tmp_path, url), service="w") as pool:
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await until_reachable(pool)
        assert "no_such_database_here" in (await probe(pool))[0]


async def test_a_pool_whose_connections_are_not_given_back_is_closed_by_force(tmp_path: Path, postgres: str) -> None:
    write_sample_tokens(tmp_path)
    async with open_pool(sample_settings(tmp_path, postgres), service="w") as pool:
        held = await pool.acquire()
    with pytest.raises(asyncpg.InterfaceError, match="released"):
        await held.fetchval("SELECT 1")


async def test_the_password_is_never_logged(tmp_path: Path, log: io.StringIO) -> None:
    write_sample_tokens(tmp_path)
    settings = sample_settings(tmp_path, NOWHERE.replace("@", ":hunter2@"))
    assert settings.database_password
    async with open_pool(settings, service="w") as pool:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(until_reachable(pool), 0.5)
        assert "hunter2" not in str(await probe(pool))
    assert [line["event"] for line in _lines(log)] == ["Postgres is away, trying until it is back"]
    assert "hunter2" not in log.getvalue()


def test_only_absences_count_as_absences() -> None:
    assert is_away(ConnectionRefusedError())
    assert is_away(TimeoutError())
    assert is_away(asyncpg.CannotConnectNowError("starting up"))
    assert is_away(asyncpg.AdminShutdownError("bye"))
    assert is_away(asyncpg.InterfaceError("connection is closed"))
    assert not is_away(asyncpg.InterfaceError("cannot perform operation: another operation is in progress"))
    assert not is_away(asyncpg.UniqueViolationError("x"))
    assert not is_away(ValueError())
