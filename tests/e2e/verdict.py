"""Compares what the services say with what the topic proves, for whole histories and for single requests."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from contracts.statuses import ENDED
from contracts.topics import SHARDS
from eventlog.ledger import read_ledger
from tests.e2e.checker import OUTCOMES, History, check
from tests.e2e.conftest import Running
from tests.e2e.reading import read_provisioning
from tests.waiting import eventually

_LEDGER_PAGE = 50_000


async def until_ended(running: Running, request: str, within: float = 60) -> dict[str, Any]:
    """Wait until the tracker says that the request has ended; gives its last answer."""

    async def ended() -> dict[str, Any] | None:
        answer: dict[str, Any] = await running.tracker.get(f"/v1/requests/{request}")
        assert_adds_up(answer["counts"])
        return answer if answer["status"] in ENDED else None

    found = await eventually(ended, within, what=f"{request} ends")
    return dict(found or {})


def assert_adds_up(counts: dict[str, int]) -> None:
    """Planned is the sum of what became of everybody, at every moment."""
    assert counts["planned"] == sum(counts[name] for name in (*OUTCOMES, "pending")), counts


async def assert_all_is_right(running: Running, requests: Sequence[str]) -> History:
    """Check the whole history, and the requests in the tracker and in the engine's tables; gives the history."""
    history = check(await read_provisioning(running.kafka, running.prefix), everything_ended=False)
    assert history.faults == []
    for request in requests:
        assert history.requests[request].finished is not None, f"{request} has not finished"
        await _assert_tracker_agrees(running, request, history)
    await _assert_engine_agrees(running, history)
    return history


async def _assert_tracker_agrees(running: Running, request: str, history: History) -> None:
    said = (await running.tracker.get(f"/v1/requests/{request}"))["counts"]
    fold = history.requests[request]
    assert {name: said[name] for name in OUTCOMES} == {name: fold.outcomes[name] for name in OUTCOMES}
    assert (said["planned"], said["excluded"], said["pending"]) == (fold.planned, fold.excluded.total(), 0)
    users = {
        (row["customer"], row["user"]): row["outcome"]
        async for row in running.tracker.lines(f"/v1/requests/{request}/results", format="jsonl")
        if row["outcome"] != "excluded"
    }
    proven = {(a.customer, a.user): outcome for a, outcome in history.outcomes.items() if a.request == request}
    assert users == proven


async def _assert_engine_agrees(running: Running, history: History) -> None:
    async with engine_database(running) as database:
        for shard in range(SHARDS):
            await _assert_ledger_is_the_topic(database, shard, history)
        rows = await database.fetch(
            "SELECT customer, service, user_id, plan FROM assignment WHERE moved_plan IS NOT NULL"
        )
        moved = {(row["customer"], row["service"], row["user_id"]): row["plan"] for row in rows}
        assert moved == history.plans
        await _assert_packages_count(database)


async def _assert_ledger_is_the_topic(database: asyncpg.Connection, shard: int, history: History) -> None:
    bodies: list[bytes] = []
    chunks = await read_ledger(database, shard, 1, _LEDGER_PAGE)
    while chunks:
        bodies += [event.body for chunk in chunks for event in chunk.events]
        chunks = await read_ledger(database, shard, len(bodies) + 1, _LEDGER_PAGE)
    assert bodies == history.documents[shard]


async def _assert_packages_count(database: asyncpg.Connection) -> None:
    """What the packages count is what the assignments say, and no seat stays reserved."""
    assigned = await database.fetch(
        "SELECT customer, service, plan, count(*) AS n FROM assignment WHERE plan IS NOT NULL GROUP BY 1, 2, 3"
    )
    used = await database.fetch("SELECT customer, service, plan, used FROM package WHERE used > 0")
    counted = Counter({(r["customer"], r["service"], r["plan"]): r["used"] for r in used})
    assert counted == Counter({(r["customer"], r["service"], r["plan"]): r["n"] for r in assigned})


@contextlib.asynccontextmanager
async def engine_database(running: Running) -> AsyncIterator[asyncpg.Connection]:
    """Connect to the engine's database, to look only."""
    url = urlsplit(running.stack.postgres_url)._replace(path="/engine").geturl()
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
