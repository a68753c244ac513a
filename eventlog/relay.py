"""The relay: publishes a shard's ledger into its partition, in order, and remembers how far it is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from eventlog.alarms import Alarms
from eventlog.connections import AWAY_ERRORS, KafkaSettings, Patience, keep_trying
from eventlog.database import Pool
from eventlog.errors import LedgerHole, LostLease, TopicAhead, UnknownShard
from eventlog.failpoints import reach
from eventlog.lease import Lease
from eventlog.ledger import LedgerChunk, read_ledger
from eventlog.outlet import Outlet, send_in_batches
from eventlog.record import OutgoingEvent
from eventlog.sqlfile import load_queries
from eventlog.takeover import verify_takeover

__all__ = ["Outlet", "Relay", "TopicAhead", "republish"]

_QUERIES = load_queries(Path(__file__).parent / "sql" / "relay.sql")

_CURSOR_EVERY_S = 0.25
_MAX_BATCHES_UNACKNOWLEDGED = 8
_EVENTS_AT_ONCE = 6_000
_CHUNKS_PER_READ = 500
_MAX_OFFERED_BYTES = 4 * 1024 * 1024


class Relay:
    """Publishes one shard. `topic` has no prefix; the partition is the shard.

    `mark`: for topics with other writers, bytes that a value of ours contains (such as its source).
    `alarms` gets kind `topic-ahead` when the takeover check refuses.
    """

    def __init__(
        self,
        pool: Pool,
        outlet: Outlet,
        topic: str,
        lease: Lease,
        *,
        poll_s: float = 0.2,
        mark: bytes | None = None,
        alarms: Alarms | None = None,
    ) -> None:
        self._pool = pool
        self._outlet = outlet
        self._topic = topic
        self._lease = lease
        self._poll_s = poll_s
        self._mark = mark
        self._alarms = alarms or Alarms()
        self._verified: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._woken = asyncio.Event()
        self._offers: deque[LedgerChunk] = deque()
        self._offered_bytes = 0
        self._next = 1
        self._acknowledged = 1
        self._cursor = 1
        self._cursor_at = 0.0
        self._end = 1
        self._in_flight: deque[tuple[asyncio.Future[Any], int]] = deque()

    async def run(self) -> None:
        """Check the takeover, then publish until cancelled.

        Keeps trying while Kafka or Postgres is away. Raises LostLease when fenced out and TopicAhead when the
        topic holds what the ledger doesn't.
        """
        what = f"relay of {self._topic} shard {self._lease.shard}"
        try:
            resume = await keep_trying(f"takeover check, {what}", self._verify)
        except BaseException as error:
            self._refuse(error)
            raise
        self._acknowledged = self._cursor = resume
        self._end = max(self._end, resume)
        self._verified.set_result(None)
        patience = Patience(what)
        while True:
            try:
                await self._publish_until_broken(patience)
            except AWAY_ERRORS as error:
                await patience.failed(error)

    async def verified(self) -> None:
        """Return when the takeover check has passed (so that work may begin); raises what `run` raises."""
        await asyncio.shield(self._verified)

    def offer(self, first_sequence: int, events: Sequence[OutgoingEvent]) -> None:
        """Hand over a chunk right after its commit, so that it needn't be read back. Never blocks."""
        self._end = max(self._end, first_sequence + len(events))
        size = sum(len(event.body) for event in events)
        if self._offered_bytes + size <= _MAX_OFFERED_BYTES:
            self._offered_bytes += size
            self._offers.append(LedgerChunk(first_sequence, list(events)))
        self._woken.set()

    def wake(self) -> None:
        """Look at the ledger now instead of at the next poll."""
        self._woken.set()

    @property
    def unsent(self) -> int:
        """Events appended, as far as known here, and not acknowledged by Kafka."""
        return max(0, self._end - self._acknowledged)

    @property
    def published_to(self) -> int:
        """Last sequence that Kafka has acknowledged (0: none)."""
        return self._acknowledged - 1

    async def _verify(self) -> int:
        return await verify_takeover(self._pool, self._outlet.kafka, self._topic, self._lease, mark=self._mark)

    def _refuse(self, error: BaseException) -> None:
        if isinstance(error, TopicAhead):
            self._alarms.raise_("topic-ahead", f"{self._topic}/{self._lease.shard}", str(error))
        if self._verified.done():
            return
        if isinstance(error, Exception):
            self._verified.set_exception(error)
            self._verified.exception()  # fetched: it may be that nobody waits
        else:
            self._verified.cancel()

    async def _publish_until_broken(self, patience: Patience) -> None:
        producer = await self._outlet.producer()
        self._in_flight.clear()
        self._next = self._acknowledged
        try:
            while True:
                idle = True
                if len(self._in_flight) < _MAX_BATCHES_UNACKNOWLEDGED:
                    idle = not await self._send_what_is_there(producer)
                if self._in_flight:
                    await self._take_acknowledgement()
                    idle = False
                await self._store_cursor()
                if idle:
                    await self._wait_for_more()
                patience.succeeded()
        except KafkaError as error:
            await self._outlet.drop(producer, error)
            raise

    async def _send_what_is_there(self, producer: AIOKafkaProducer) -> bool:
        """Whether there was anything to send."""
        events = self._offered_events() or await self._stored_events()
        if not events:
            return False
        await reach("after-commit-before-publish")
        batches = send_in_batches(
            producer, self._outlet.kafka.topic(self._topic), self._lease.shard, self._next, events
        )
        async for future, following in batches:
            self._in_flight.append((future, following))
            self._next = following
        return True

    def _offered_events(self) -> list[OutgoingEvent]:
        """What comes next, out of memory; small chunks are put together, because a batch each would be slow."""
        events: list[OutgoingEvent] = []
        while self._offers and len(events) < _EVENTS_AT_ONCE:
            wanted = self._next + len(events)
            chunk = self._offers[0]
            if chunk.first_sequence > wanted:
                break
            self._offers.popleft()
            self._offered_bytes -= sum(len(event.body) for event in chunk.events)
            events.extend(chunk.events[wanted - chunk.first_sequence :])
        return events

    async def _stored_events(self) -> list[OutgoingEvent]:
        """What comes next, out of the database. Raises LedgerHole."""
        if self._next >= self._end:
            return []
        async with self._pool.acquire() as conn:
            chunks = await read_ledger(
                conn, self._lease.shard, self._next, _CHUNKS_PER_READ, max_events=_EVENTS_AT_ONCE
            )
        if chunks and chunks[0].first_sequence != self._next:
            raise LedgerHole(self._lease.shard, self._next, chunks[0].first_sequence)
        return [event for chunk in chunks for event in chunk.events]

    async def _take_acknowledgement(self) -> None:
        """Wait for the oldest batch, and take all that are done."""
        await asyncio.wait([self._in_flight[0][0]])
        while self._in_flight and self._in_flight[0][0].done():
            future, following = self._in_flight.popleft()
            future.result()
            self._acknowledged = following
        await reach("after-publish-before-cursor")

    async def _store_cursor(self) -> None:
        """Move the stored cursor, not more often than every quarter of a second: it shares a row with appends."""
        now = time.monotonic()
        if self._cursor == self._acknowledged or now - self._cursor_at < _CURSOR_EVERY_S:
            return
        reached, lease = self._acknowledged, self._lease
        async with self._pool.acquire() as conn:
            moved = await conn.fetchval(_QUERIES["move_cursor"], lease.shard, reached, lease.epoch, lease.owner)
        if moved is None:
            raise LostLease(lease.shard, lease.epoch)
        self._cursor, self._cursor_at = reached, now

    async def _wait_for_more(self) -> None:
        """Until something is offered, or the ledger has grown by another process's hand."""
        wait_s = self._poll_s if self._cursor == self._acknowledged else min(self._poll_s, _CURSOR_EVERY_S)
        if not self._woken.is_set():
            waiter = asyncio.ensure_future(self._woken.wait())
            await asyncio.wait([waiter], timeout=wait_s)
            waiter.cancel()
        self._woken.clear()
        if self._next < self._end:
            return
        async with self._pool.acquire() as conn:
            row = await conn.fetchrow(_QUERIES["ends"], self._lease.shard)
        if row is not None:
            self._end = max(self._end, row["next_sequence"])


async def republish(
    pool: Pool,
    kafka: KafkaSettings,
    topic: str,
    shard: int,
    *,
    from_sequence: int,
    to_sequence: int | None = None,
) -> int:
    """Send sequences again, `to_sequence` included; returns how many were sent.

    The default for `to_sequence` is the last that was published before. Readers drop what they have folded. The
    records carry a header `republished`. Raises UnknownShard, and what the clients raise when Kafka or Postgres
    is away.
    """
    outlet = Outlet(kafka)
    sent = 0
    try:
        producer = await outlet.producer()
        async with pool.acquire() as conn:
            if to_sequence is None:
                row = await conn.fetchrow(_QUERIES["ends"], shard)
                if row is None:
                    raise UnknownShard(f"shard {shard} does not exist")
                to_sequence = row["cursor"] - 1
            while from_sequence <= to_sequence:
                wanted = to_sequence - from_sequence + 1
                chunks = await read_ledger(conn, shard, from_sequence, 1)
                if not chunks:
                    break
                batches = send_in_batches(
                    producer,
                    kafka.topic(topic),
                    shard,
                    chunks[0].first_sequence,
                    chunks[0].events[:wanted],
                    republished=True,
                )
                async for future, following in batches:
                    await future
                    sent, from_sequence = sent + following - from_sequence, following
    finally:
        await outlet.close()
    return sent
