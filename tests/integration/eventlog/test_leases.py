"""Shards are shared fairly, and pass on when their owner leaves."""

import asyncio
import time

import asyncpg
import pytest

from eventlog.alarms import Alarms
from eventlog.database import Pool, connect_pool
from eventlog.leases import Lease, Leases
from eventlog.ledger import ensure_shards
from tests.integration.eventlog.records import append_events, running
from tests.waiting import eventually, throughout


class _Owner:
    """Leases of one member, and what its callbacks were told."""

    def __init__(self, pool: Pool, name: str, *, shards: int = 16, ttl_s: float = 2.0) -> None:
        self.alarms = Alarms()
        self.leases = Leases(pool, name, shards=shards, ttl_s=ttl_s, alarms=self.alarms)
        self.working: set[int] = set()
        self.calls: list[tuple[str, Lease]] = []
        self.refuses: set[int] = set()

    def has_all_three(self) -> bool:
        return self.working == {0, 1, 2}

    async def run(self) -> None:
        await self.leases.run(self._acquired, self._lost)

    async def _acquired(self, lease: Lease) -> None:
        self.calls.append(("acquired", lease))
        if lease.shard in self.refuses:
            raise RuntimeError("not this one")
        self.working.add(lease.shard)

    async def _lost(self, lease: Lease) -> None:
        self.calls.append(("lost", lease))
        await asyncio.sleep(0.01)  # putting work down takes its time
        self.working.discard(lease.shard)


def _split(*owners: _Owner) -> list[int]:
    """How many shards each works on; only if together they have each shard once."""
    together = sorted(shard for owner in owners for shard in owner.working)
    assert together == list(range(16))
    return [len(owner.working) for owner in owners]


async def test_members_share_evenly_as_they_come_and_go(pool: Pool) -> None:
    one, two, three = (_Owner(pool, name) for name in ("one", "two", "three"))
    async with running(one.run()):
        await eventually(lambda: _split(one) == [16])
        async with running(two.run()):
            await eventually(lambda: _split(one, two) == [8, 8])
            async with running(three.run()):
                await eventually(lambda: sorted(_split(one, two, three)) == [5, 5, 6])
            await eventually(lambda: _split(one, two) == [8, 8], within=3)
        await eventually(lambda: _split(one) == [16], within=3)
    assert await pool.fetchval("SELECT count(*) FROM shard WHERE owner IS NOT NULL") == 0
    assert await pool.fetchval("SELECT count(*) FROM member") == 0


async def test_each_lease_is_announced_once_and_ended_once(pool: Pool) -> None:
    one, two = _Owner(pool, "one"), _Owner(pool, "two")
    async with running(one.run()):
        await eventually(lambda: _split(one) == [16])
        async with running(two.run()):
            await eventually(lambda: _split(one, two) == [8, 8])
    for owner in (one, two):
        acquired = [lease for what, lease in owner.calls if what == "acquired"]
        lost = [lease for what, lease in owner.calls if what == "lost"]
        assert len(set(acquired)) == len(acquired)
        assert sorted(acquired, key=repr) == sorted(lost, key=repr)
        assert owner.leases.held == []


async def test_shards_that_an_owner_let_go_of_unseen_pass_on(pool: Pool) -> None:
    """As when its leases ran out while Postgres was away: the rows still name it, and it lives again."""
    one, two = _Owner(pool, "one"), _Owner(pool, "two")
    async with pool.acquire() as conn:
        await ensure_shards(conn, 16)
        await conn.execute("UPDATE shard SET owner = 'one', epoch = 7")
    async with running(two.run()), running(one.run()):
        await eventually(lambda: _split(one, two) == [8, 8], within=5)


async def test_epochs_grow_with_every_change_of_hands(pool: Pool) -> None:
    for turn in (1, 2, 3):
        owner = _Owner(pool, f"owner{turn}", shards=3)
        async with running(owner.run()):
            await eventually(owner.has_all_three)
            assert {lease.epoch for lease in owner.leases.held} == {turn}


@pytest.mark.usefixtures("pool")
async def test_an_owner_that_cannot_renew_stops_by_its_own_clock_and_starts_again(database: str) -> None:
    own = await connect_pool(database, max_size=5)
    owner = _Owner(own, "one", shards=3)
    blocker = await asyncpg.connect(database)
    async with running(owner.run()):
        await eventually(lambda: len(owner.working) == 3)
        lease = owner.leases.held[0]
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("LOCK TABLE member IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        await eventually(lambda: not owner.working, within=4)
        assert time.monotonic() - began <= 2.0 + 0.5
        assert not owner.leases.holds(lease)
        await transaction.rollback()
        await eventually(lambda: len(owner.working) == 3)
        assert {lease.epoch for lease in owner.leases.held} == {2}
    await blocker.close()
    own.terminate()


async def test_leases_taken_away_are_noticed(pool: Pool) -> None:
    owner = _Owner(pool, "one", shards=3)
    async with running(owner.run()):
        await eventually(lambda: len(owner.working) == 3)
        await pool.execute("INSERT INTO member VALUES ('thief', now() + interval '1 hour')")
        await pool.execute("UPDATE shard SET owner = 'thief', epoch = epoch + 1 WHERE shard = 1")
        await eventually(lambda: owner.working == {0, 2})


async def test_a_shard_that_cannot_be_started_is_given_up_with_an_alarm_and_tried_again(pool: Pool) -> None:
    owner = _Owner(pool, "one", shards=3)
    owner.refuses = {1}
    async with running(owner.run()):
        await eventually(lambda: owner.working == {0, 2})
        assert [alarm.place for alarm in owner.alarms.standing] == ["shard 1"]
        await eventually(lambda: pool.fetchval("SELECT owner IS NULL FROM shard WHERE shard = 1"))
        owner.refuses = set()
        await eventually(lambda: owner.working == {0, 1, 2})
        assert owner.alarms.standing == []


@pytest.mark.usefixtures("pool")
async def test_workers_that_use_up_the_pool_cost_no_lease(database: str) -> None:
    own = await connect_pool(database, max_size=2)
    owner = _Owner(own, "one", shards=3)
    async with running(owner.run()):
        await eventually(lambda: len(owner.working) == 3)
        async with own.acquire():
            await throughout(owner.has_all_three, for_s=3, what="every lease is kept for longer than a lease's time")
    own.terminate()


async def test_a_transaction_left_alone_is_ended_so_that_the_shard_is_free(database: str, pool: Pool) -> None:
    stopped = await connect_pool(database, max_size=1)
    await pool.execute("UPDATE shard SET owner = 'gone', epoch = 5")
    conn = await stopped.acquire()
    await conn.execute("BEGIN")
    await conn.execute("UPDATE shard SET next_sequence = 7 WHERE shard = 0")
    owner = _Owner(pool, "one", shards=3)
    began = time.monotonic()
    async with running(owner.run()):
        await eventually(lambda: owner.working == {0, 1, 2}, within=10)
        assert time.monotonic() - began < 6
        assert (await append_events(pool, 0, 1, lease=owner.leases.held[0]))[0] == 1
    stopped.terminate()
