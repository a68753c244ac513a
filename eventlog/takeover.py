"""What a new owner checks before it works: that the topic ends where the ledger says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from eventlog.connections import KafkaSettings, make_consumer
from eventlog.database import Pool
from eventlog.errors import LostLease, TopicAhead
from eventlog.lease import Lease
from eventlog.record import from_raw
from eventlog.sqlfile import load_queries

_QUERIES = load_queries(Path(__file__).parent / "sql" / "relay.sql")
_log = structlog.get_logger("eventlog.takeover")

_FIRST_WINDOW = 64
_WINDOW_GROWTH = 16
_FETCH_MS = 500
_consumers_at_once = asyncio.Semaphore(4)


async def verify_takeover(
    pool: Pool, kafka: KafkaSettings, topic: str, lease: Lease, *, mark: bytes | None = None
) -> int:
    """Set the cursor to what the topic really has; returns the sequence to publish next.

    Raises TopicAhead when the topic has more than the ledger, LostLease when fenced out, and what the clients
    raise while Kafka or Postgres is away.
    """
    topic_last = await last_sequence_in_topic(kafka, topic, lease.shard, mark=mark)
    async with pool.acquire() as conn:
        row = await conn.fetchrow(_QUERIES["ends"], lease.shard)
        if row is None:
            raise LostLease(lease.shard, lease.epoch)
        if topic_last >= row["next_sequence"]:
            raise TopicAhead(topic, lease.shard, topic_last, row["next_sequence"] - 1)
        if topic_last + 1 < row["cursor"]:
            _log.error(
                "topic is behind, publishing again",
                topic=topic,
                shard=lease.shard,
                topic_last=topic_last,
                cursor=row["cursor"],
            )
        moved = await conn.fetchval(_QUERIES["move_cursor"], lease.shard, topic_last + 1, lease.epoch, lease.owner)
    if moved is None:
        raise LostLease(lease.shard, lease.epoch)
    return int(moved)


async def last_sequence_in_topic(kafka: KafkaSettings, topic: str, partition: int, *, mark: bytes | None = None) -> int:
    """Highest sequence that a relay published in order into a partition; 0 if there is none.

    Read from the end backwards, in growing windows: records of other writers (no sequence, or without `mark`) and
    republished ones are passed by. Where there are only republished ones, their highest counts.
    """
    place = TopicPartition(kafka.topic(topic), partition)
    async with _consumers_at_once:
        consumer = make_consumer(kafka)
        try:
            await consumer.start()
            if place.topic not in await consumer.topics():
                raise UnknownTopicOrPartitionError(f"{place.topic} does not exist")
            consumer.assign([place])
            return await _last_sequence(consumer, place, mark)
        finally:
            await consumer.stop()


async def _last_sequence(consumer: AIOKafkaConsumer, place: TopicPartition, mark: bytes | None) -> int:
    begin = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place]
    window, upper, republished = _FIRST_WINDOW, end, 0
    while upper > begin:
        lower = max(begin, upper - window)
        published, again = await _highest(consumer, place, lower, upper, mark)
        republished = max(republished, again)
        if published:
            return max(published, republished)
        upper, window = lower, window * _WINDOW_GROWTH
    return republished


async def _highest(
    consumer: AIOKafkaConsumer, place: TopicPartition, lower: int, upper: int, mark: bytes | None
) -> tuple[int, int]:
    """Highest sequences in [lower, upper): published in order, and republished."""
    published = republished = 0
    consumer.seek(place, lower)
    while await consumer.position(place) < upper:
        for raw in (await consumer.getmany(place, timeout_ms=_FETCH_MS)).get(place, ()):
            record = from_raw(raw, place.topic)
            if raw.offset >= upper or not record.sequence:
                continue
            if mark is not None and mark not in (record.value or b""):
                continue
            if any(name == "republished" for name, _ in record.headers):
                republished = max(republished, record.sequence)
            else:
                published = max(published, record.sequence)
    return published, republished
