"""Reads topics record by record, for people and programs that want to see what really travelled."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.complaints import Complaint
from cli.places import Places
from contracts.topics import DIRECTORY, PROVISIONING, QUARANTINE, REQUESTS
from contracts.topics import TOPICS as DEFINITIONS

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

TOPICS = {
    "directory": DIRECTORY.name,
    "requests": REQUESTS.name,
    "provisioning": PROVISIONING.name,
    "quarantine": QUARANTINE.name,
}
_FETCH_MS = 200
_FETCH_BYTES = 8 * 1024 * 1024


def topic_named(name: str) -> str:
    """Give a topic's name by its short one; raises Complaint if there is none."""
    full = TOPICS.get(name, name)
    if full not in TOPICS.values():
        raise Complaint(f"No topic {name!r}. There are: {', '.join(TOPICS)}.")
    return full


async def read(
    places: Places, topic: str, *, from_start: bool, follow: bool, on_read: Callable[[int, int], None] | None = None
) -> AsyncIterator["ConsumerRecord"]:
    """Give the records of a topic: from its start or its present end, up to its present end or for ever.

    `on_read` is told how many records were read, and about how many there are.
    """
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        bootstrap_servers=places.brokers(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    await consumer.start()
    try:
        partitions = await _partitions(consumer, topic, places.topic_prefix)
        starts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, starts[partition] if from_start else ends[partition])
        async for record in _records(consumer, starts, ends, follow=follow, on_read=on_read):
            yield record
    finally:
        await consumer.stop()


async def _partitions(consumer: "AIOKafkaConsumer", name: str, prefix: str) -> list[Any]:
    from aiokafka import TopicPartition

    topic = prefix + name
    if topic not in await consumer.topics():
        raise Complaint(f"The topic {topic} does not exist on this Kafka.")
    count = next(definition.partitions for definition in DEFINITIONS if definition.name == name)
    return [TopicPartition(topic, number) for number in range(count)]


async def _records(
    consumer: "AIOKafkaConsumer",
    starts: dict[Any, int],
    ends: dict[Any, int],
    *,
    follow: bool,
    on_read: Callable[[int, int], None] | None,
) -> AsyncIterator["ConsumerRecord"]:
    total, count = sum(ends.values()) - sum(starts.values()), 0
    while follow or [p for p in ends if (await consumer.position(p)) < ends[p]]:
        fetched = await consumer.getmany(timeout_ms=_FETCH_MS)
        for partition, records in fetched.items():
            for record in records:
                if follow or record.offset < ends[partition]:
                    count += 1
                    yield record
        if on_read is not None:
            on_read(count, total)


def as_document(record: "ConsumerRecord", prefix: str) -> dict[str, Any]:
    """Give a record as JSON: place, key, headers, and its event, or the bytes in base64 where they are no JSON."""
    headers = {name: value.decode("utf-8", "backslashreplace") for name, value in record.headers}
    place = {
        "topic": record.topic.removeprefix(prefix),
        "partition": record.partition,
        "offset": record.offset,
        "time": datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="milliseconds"),
        "key": None if record.key is None else record.key.decode("utf-8", "backslashreplace"),
        "headers": headers,
    }
    try:
        return {**place, "event": json.loads(record.value)}
    except (TypeError, ValueError, RecursionError):
        value = None if record.value is None else base64.b64encode(record.value).decode()
        return {**place, "value_base64": value}
