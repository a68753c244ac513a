"""The ledger is gapless, ordered and fenced."""

import asyncio

import pytest

from eventlog.database import Pool
from eventlog.errors import EventTooLarge, LostLease, MalformedEvent, UnknownShard
from eventlog.ledger import Lease, append, next_sequence, read_ledger
from tests.integration.eventlog.records import append_events, events_from


async def test_what_was_appended_is_read_back_from_any_sequence(pool: Pool) -> None:
    for count in (3, 1, 5):
        await append_events(pool, 1, count)
    async with pool.acquire() as conn:
        assert await next_sequence(conn, 1) == 10
        for start in range(1, 10):
            chunks = await read_ledger(conn, 1, start, 10)
            assert chunks[0].first_sequence == start
            assert [e for chunk in chunks for e in chunk.events] == events_from(start, 10 - start)
        assert await read_ledger(conn, 1, 10, 10) == []
        assert await read_ledger(conn, 2, 1, 10) == []


async def test_a_limit_counts_chunks(pool: Pool) -> None:
    for _ in range(4):
        await append_events(pool, 0, 2)
    async with pool.acquire() as conn:
        assert [chunk.first_sequence for chunk in await read_ledger(conn, 0, 4, 2)] == [4, 5]


async def test_a_rolled_back_append_leaves_no_hole(pool: Pool) -> None:
    await append_events(pool, 0, 2)
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await append(conn, 0, 5, lambda first: events_from(first, 5), lease=None)
        await transaction.rollback()
    assert (await append_events(pool, 0, 1))[0] == 3


async def test_many_writers_without_a_lease_make_one_gapless_line(pool: Pool) -> None:
    firsts = await asyncio.gather(*(append_events(pool, 0, n % 3 + 1, prefix=f"w{n}-") for n in range(40)))
    async with pool.acquire() as conn:
        chunks = await read_ledger(conn, 0, 1, 100)
    assert sorted(first for first, _ in firsts) == [chunk.first_sequence for chunk in chunks]
    ends = [chunk.first_sequence + len(chunk.events) for chunk in chunks]
    assert [chunk.first_sequence for chunk in chunks] == [1, *ends[:-1]]


async def test_an_owner_of_an_older_epoch_can_append_nothing(pool: Pool) -> None:
    await pool.execute("UPDATE shard SET owner = 'b', epoch = 2 WHERE shard = 0")
    with pytest.raises(LostLease):
        await append_events(pool, 0, 1, lease=Lease(0, 1, "a"))
    with pytest.raises(LostLease):
        await append_events(pool, 0, 1, lease=Lease(0, 2, "a"))
    assert (await append_events(pool, 0, 1, lease=Lease(0, 2, "b")))[0] == 1


async def test_a_lease_of_another_shard_is_no_right_to_write(pool: Pool) -> None:
    with pytest.raises(ValueError, match="no right"):
        await append_events(pool, 0, 1, lease=Lease(1, 1, "a"))


async def test_a_shard_that_does_not_exist_is_said_so(pool: Pool) -> None:
    with pytest.raises(UnknownShard):
        await append_events(pool, 99, 1)


async def test_events_that_are_too_large_or_not_as_announced_are_refused(pool: Pool) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(EventTooLarge):
            await append(conn, 0, 1, lambda first: events_from(first, 1), lease=None, max_event_bytes=10)
        with pytest.raises(MalformedEvent):
            await append(conn, 0, 2, lambda first: events_from(first, 1), lease=None)
        with pytest.raises(ValueError, match="at least one"):
            await append(conn, 0, 0, lambda _first: [], lease=None)
