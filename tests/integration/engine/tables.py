"""The engine's tables against a pure fold of the directory and of its ledger."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from contracts.directory import DirectoryEvent
from contracts.topics import SHARDS
from eventlog.ledger import read_ledger
from tests.engine_model import EngineModel

_ALL = 10**9


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Connect to a database, to look."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def ledger_of(conn: Any, shard: int) -> list[bytes]:  # noqa: ANN401 - a connection
    """Give the bodies of a shard's whole ledger, which must begin at 1 and have no hole."""
    bodies: list[bytes] = []
    for chunk in await read_ledger(conn, shard, 1, _ALL):
        assert chunk.first_sequence == len(bodies) + 1, f"shard {shard} lacks {len(bodies) + 1}"
        bodies += [event.body for event in chunk.events]
    return bodies


async def assert_tables_are_a_fold(url: str, directory: Iterable[DirectoryEvent]) -> EngineModel:
    """Compare users, packages, batches, requests and their counts; gives the fold."""
    model = EngineModel()
    model.take_directory(directory)
    async with connected(url) as conn:
        for shard in range(SHARDS):
            for sequence, body in enumerate(await ledger_of(conn, shard), 1):
                document = json.loads(body)
                assert int(document["sequence"]) == sequence
                model.take(document)
        await _assert_directory(conn, model)
        await _assert_requests(conn, model)
    return model


async def _assert_directory(conn: Any, model: EngineModel) -> None:  # noqa: ANN401 - a connection
    rows = await conn.fetch("SELECT customer, service, user_id, plan FROM assignment WHERE plan IS NOT NULL")
    assert {(row[0], row[1], row[2]): row[3] for row in rows} == model.plans()
    rows = await conn.fetch(
        "SELECT customer, service, plan, provisioned, seat_limit, used, reserved FROM package"
        " WHERE provisioned OR used <> 0 OR reserved <> 0"
    )
    found = {(row[0], row[1], row[2]): (row[3], row[4] if row[3] else None, row[5], row[6]) for row in rows}
    assert found == model.package_rows()


async def _assert_requests(conn: Any, model: EngineModel) -> None:  # noqa: ANN401 - a connection
    rows = await conn.fetch(
        "SELECT request, no, state, users, migrated, failed, skipped FROM batch WHERE state <> 'previewed'"
    )
    assert {(row[0], row[1]): tuple(row)[2:] for row in rows} == model.batch_rows()
    states = await conn.fetch("SELECT request, state FROM request")
    assert {row["request"]: row["state"] for row in states} == model.states
    counts = await conn.fetch(
        "SELECT request, sum(migrated), sum(failed), sum(skipped), sum(excluded) FROM request_shard GROUP BY 1"
    )
    for request, migrated, failed, skipped, excluded in counts:
        outcomes = model.outcomes[request]
        said = (outcomes["migrated"], outcomes["failed"], outcomes["skipped"], model.excluded[request])
        assert (migrated, failed, skipped, excluded) == said
