"""Made-up events, and records as our relay and other programs write them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from eventlog.connections import KafkaSettings, make_consumer
from eventlog.database import Connection, Pool
from eventlog.ledger import Lease, append
from eventlog.record import IncomingRecord, OutgoingEvent, from_raw, record_headers


def events_from(first: int, count: int, *, prefix: str = "e", event_type: str = "made.up.v1") -> list[OutgoingEvent]:
    """Events whose bodies and ids contain their sequences."""
    return [
        OutgoingEvent(event_type, f"key-{n}", f"{prefix}{n}", b'{"sequence":"%020d","id":"%s"}' % (n, prefix.encode()))
        for n in range(first, first + count)
    ]


async def append_events(
    pool: Pool, shard: int, count: int, *, lease: Lease | None = None, prefix: str = "e"
) -> tuple[int, list[OutgoingEvent]]:
    """Append in a transaction of its own; returns first sequence and events."""
    made: list[OutgoingEvent] = []

    def encode(first: int) -> Sequence[OutgoingEvent]:
        made.extend(events_from(first, count, prefix=prefix))
        return made

    async with pool.acquire() as conn, conn.transaction():
        first = await append(conn, shard, count, encode, lease=lease)
    return first, made


async def send(
    producer: AIOKafkaProducer,
    topic: str,
    sequences: Sequence[int],
    *,
    partition: int = 0,
    prefix: str = "e",
    event_type: str = "made.up.v1",
) -> None:
    """Publish records with these sequences, in this order."""
    for number in sequences:
        headers = record_headers(event_type.encode(), f"{prefix}{number}".encode(), number)
        await producer.send(topic, b"{}", key=b"k", partition=partition, headers=headers)
    await producer.flush()


async def read_topic(kafka: KafkaSettings, topic: str, partition: int = 0) -> list[IncomingRecord]:
    """Every record of a partition."""
    place = TopicPartition(kafka.topic(topic), partition)
    consumer = make_consumer(kafka)
    await consumer.start()
    records: list[IncomingRecord] = []
    try:
        consumer.assign([place])
        consumer.seek(place, 0)
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            for raws in (await consumer.getmany(timeout_ms=200)).values():
                records += [from_raw(raw, topic) for raw in raws]
    finally:
        await consumer.stop()
    return records


async def topic_sequences(kafka: KafkaSettings, topic: str, partition: int = 0) -> list[int | None]:
    """The sequences in a partition, in the order in which they are there."""
    return [record.sequence for record in await read_topic(kafka, topic, partition)]


def fold_ids(reader: str) -> Callable[[Connection, Sequence[IncomingRecord]], Coroutine[Any, Any, None]]:
    """A fold that writes every record's id into the table `folded`, with no protection against doing so twice."""

    async def fold(conn: Connection, records: Sequence[IncomingRecord]) -> None:
        await conn.executemany(
            "INSERT INTO folded (reader, topic, partition, id) VALUES ($1, $2, $3, $4)",
            [(reader, r.topic, r.partition, r.id) for r in records],
        )

    return fold


async def folded_ids(pool: Pool, reader: str = "reader", partition: int | None = None) -> list[str]:
    """The ids that a reader has folded, in order."""
    rows = await pool.fetch(
        "SELECT id FROM folded WHERE reader = $1 AND ($2::int IS NULL OR partition = $2) ORDER BY place",
        reader,
        partition,
    )
    return [row["id"] for row in rows]


def ids(*sequences: int, prefix: str = "e") -> list[str]:
    """The ids of events with these sequences."""
    return [f"{prefix}{n}" for n in sequences]


@contextlib.asynccontextmanager
async def running(*coroutines: Coroutine[Any, Any, Any]) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run in the background; what fails there fails the test when the block ends."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
