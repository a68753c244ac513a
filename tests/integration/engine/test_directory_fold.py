"""Single records of the directory: what wins, what comes back, and what can't be read."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts.directory import (
    CustomerRegistered,
    CustomerRemoved,
    DirectoryEvent,
    UserPlanAssigned,
    UserRegistered,
)
from eventlog.ledger import ensure_shards
from eventlog.migrate import migrate
from services.provisioning_engine import main
from services.provisioning_engine.edges.counts import Counts
from services.provisioning_engine.edges.directory_fold import DirectoryFold
from serving.metrics import Metrics
from serving.postgres import prepare
from tests.integration.wizard.records import record

MIGRATIONS = Path(main.__file__).parent / "migrations"


class Tables:
    """The engine's tables, filled by the directory's fold."""

    def __init__(self, conn: Any) -> None:  # noqa: ANN401 - a connection
        self.conn = conn
        self.fold = DirectoryFold(Counts(Metrics("engine-test")))

    async def take(self, events: Sequence[DirectoryEvent]) -> None:
        """Fold events in one transaction."""
        async with self.conn.transaction():
            await self.fold(self.conn, [record(event) for event in events])


@pytest.fixture
async def tables(database: str) -> AsyncIterator[Tables]:
    """Give empty tables."""
    conn = await asyncpg.connect(database)
    try:
        await prepare(conn)
        await migrate(conn, schema_folders=[MIGRATIONS])
        await ensure_shards(conn, 16)
        yield Tables(conn)
    finally:
        await conn.close()


async def shown(conn: Any) -> dict[tuple[str, str, str], str]:  # noqa: ANN401 - a connection
    """Give the plan of everybody who is on one."""
    rows = await conn.fetch("SELECT customer, service, user_id, plan FROM assignment WHERE plan IS NOT NULL")
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def test_a_migration_holds_until_the_source_decides_anew(tables: Tables) -> None:
    def assigned(plan: str, revision: int) -> UserPlanAssigned:
        return UserPlanAssigned(revision=revision, customer="a", user="u", service="mail", plan=plan)

    await tables.take([assigned("silver", 3)])
    await tables.conn.execute("UPDATE assignment SET plan = 'gold', moved_plan = 'gold', moved_revision = 3")
    for older in (assigned("silver", 3), assigned("bronze", 2), assigned("tin", 3)):
        await tables.take([older])
        assert await shown(tables.conn) == {("a", "mail", "u"): "gold"}
    await tables.take([assigned("bronze", 4)])
    assert await shown(tables.conn) == {("a", "mail", "u"): "bronze"}


async def test_a_removed_customer_comes_back_with_what_it_had(tables: Tables) -> None:
    registered = CustomerRegistered(revision=1, customer="a", reseller="r", name="A")
    await tables.take([registered, UserPlanAssigned(revision=1, customer="a", user="u", service="mail", plan="gold")])
    await tables.take([CustomerRemoved(revision=2, customer="a")])
    await tables.take([registered])
    assert await tables.conn.fetchval("SELECT removed FROM customer") is True
    await tables.take([registered.model_copy(update={"revision": 3})])
    assert await tables.conn.fetchval("SELECT removed FROM customer") is False
    assert await shown(tables.conn) == {("a", "mail", "u"): "gold"}


async def test_what_cannot_be_read_goes_to_quarantine_and_the_rest_is_folded(tables: Tables) -> None:
    good = record(UserPlanAssigned(revision=1, customer="a", user="u", service="mail", plan="gold"))
    bad = good._replace(value=b"{", headers=(), offset=1)
    newer = json.loads(good.value or b"") | {"type": "planshift.directory.user-plan-assigned.v9"}
    foreign = good._replace(value=json.dumps(newer).encode(), headers=(), offset=2)
    ours = json.dumps(newer | {"source": "/planshift/directory-import"}).encode()
    skipped = good._replace(value=ours, headers=(), offset=3)
    async with tables.conn.transaction():
        await tables.fold(tables.conn, [bad, foreign, skipped, good])
    rows = await tables.conn.fetch("SELECT record_offset, reason FROM quarantine ORDER BY 1")
    assert [tuple(row) for row in rows] == [(1, "not-json"), (2, "newer-version")]
    assert await shown(tables.conn) == {("a", "mail", "u"): "gold"}


async def test_users_records_are_read_although_nothing_of_them_is_kept(tables: Tables) -> None:
    good = record(UserRegistered(revision=1, customer="a", user="u", name="Ann"))
    document = json.loads(good.value or b"")
    nameless = json.dumps(document | {"data": {**document["data"], "name": None}}).encode()
    bad = [
        good._replace(value=None, offset=1),
        good._replace(value=b"", offset=2),
        good._replace(value=nameless, offset=3),
        good._replace(key=b"user/a/other", offset=4),
        good._replace(value=(good.value or b"").replace(b"Ann", b"\xff"), offset=5),
        good._replace(value=(good.value or b"").replace(b"Ann", b"A" * (1 << 20)), offset=6),
    ]
    kind = UserRegistered.TYPE.encode()
    headers = (("ce_specversion", b"1.0"), ("ce_id", b"7"), ("ce_source", b"/hr"), ("ce_type", kind))
    other_mode = good._replace(
        value=json.dumps(document["data"]).encode(),
        headers=(*headers, ("ce_time", b"2026-11-24T12:00:00Z"), ("content-type", b"application/json")),
        offset=7,
    )
    async with tables.conn.transaction():
        await tables.fold(tables.conn, [good, *bad, other_mode])
    rows = await tables.conn.fetch("SELECT record_offset, reason FROM quarantine ORDER BY 1")
    reasons = ["tombstone", "empty", "wrong-shape", "wrong-key", "not-utf8", "too-large"]
    assert [tuple(row) for row in rows] == list(enumerate(reasons, 1))
