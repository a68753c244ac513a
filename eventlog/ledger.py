"""The ledger: every event of a shard, gapless, in the transaction that made it true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eventlog.chunk import pack, unpack
from eventlog.database import Connection
from eventlog.errors import LostLease, MalformedEvent, UnknownShard
from eventlog.failpoints import reach
from eventlog.lease import Lease
from eventlog.record import OutgoingEvent
from eventlog.sqlfile import load_queries

__all__ = ["Lease", "LedgerChunk", "append", "ensure_shards", "next_sequence", "read_ledger"]

_QUERIES = load_queries(Path(__file__).parent / "sql" / "ledger.sql")

MAX_EVENT_BYTES = 900 * 1024
"""Largest body of an event; a record with its headers stays below Kafka's usual limit of 1 MiB."""


_NO_END = 2**63 - 1


class LedgerChunk(NamedTuple):
    """Events that were appended together; the first has `first_sequence`, each next one more."""

    first_sequence: int
    events: list[OutgoingEvent]


async def ensure_shards(conn: Connection, shards: int) -> None:
    """Make the rows of shards 0 to `shards` - 1 where they are missing."""
    await conn.execute(_QUERIES["ensure_shards"], shards)


async def append(
    conn: Connection,
    shard: int,
    count: int,
    encode: Callable[[int], Sequence[OutgoingEvent]],
    *,
    lease: Lease | None,
    max_event_bytes: int = MAX_EVENT_BYTES,
) -> int:
    """Append `count` (at least 1) events to a shard in the caller's transaction; returns their first sequence.

    Call it last: it takes the lock of the shard's row, so that the order of sequences is the order of commits.
    A transaction that appends to several shards does so in ascending order of shards. `encode` gets the first
    sequence and returns `count` events that contain theirs. With `lease=None` anyone may write.

    Raises LostLease when the lease's epoch is over, UnknownShard, EventTooLarge, MalformedEvent; the caller's
    transaction must then be rolled back.
    """
    if count < 1:
        raise ValueError(f"an append has at least one event, not {count}")
    first = await _take_sequences(conn, shard, count, lease)
    events = encode(first)
    if len(events) != count:
        raise MalformedEvent(f"{count} events were announced, {len(events)} came")
    await conn.execute(_QUERIES["store"], shard, first, count, pack(events, max_event_bytes=max_event_bytes))
    await reach("before-commit")
    return first


async def _take_sequences(conn: Connection, shard: int, count: int, lease: Lease | None) -> int:
    if lease is None:
        first = await conn.fetchval(_QUERIES["take"], shard, count)
        if first is None:
            raise UnknownShard(f"shard {shard} does not exist")
        return int(first)
    if lease.shard != shard:
        raise ValueError(f"a lease of shard {lease.shard} is no right to write shard {shard}")
    first = await conn.fetchval(_QUERIES["take_as_owner"], shard, count, lease.epoch, lease.owner)
    if first is None:
        raise LostLease(shard, lease.epoch)
    return int(first)


async def next_sequence(conn: Connection, shard: int) -> int:
    """The sequence that the shard gives out next, so one more than its last. Raises UnknownShard."""
    value = await conn.fetchval(_QUERIES["next_sequence"], shard)
    if value is None:
        raise UnknownShard(f"shard {shard} does not exist")
    return int(value)


async def read_ledger(
    conn: Connection, shard: int, from_sequence: int, limit: int, *, max_events: int | None = None
) -> list[LedgerChunk]:
    """At most `limit` chunks in order, cut so that the first event returned has `from_sequence` (or the next).

    With `max_events` it ends with the chunk in which so many are reached.
    """
    before = _NO_END if max_events is None else from_sequence + max_events
    rows = await conn.fetch(_QUERIES["read"], shard, from_sequence, limit, before)
    chunks: list[LedgerChunk] = []
    for row in rows:
        first, events = int(row["first_sequence"]), unpack(row["events"])
        skip = max(0, from_sequence - first)
        if skip < len(events):
            chunks.append(LedgerChunk(first + skip, events[skip:] if skip else events))
    return chunks
