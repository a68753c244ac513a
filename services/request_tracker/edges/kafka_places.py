"""Single events read back from Kafka by their place, when someone looks at them."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.topics import TOPICS
from eventlog.connections import AWAY_ERRORS, KafkaSettings, make_consumer
from serving.problems import Problem, unavailable

Json = dict[str, Any]

_WITHIN_S = 5.0
_FETCH_MS = 500
_PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}


class Stretch(NamedTuple):
    """Consecutive records of a partition."""

    topic: str
    partition: int
    first_offset: int
    n: int


class KafkaPlaces:
    """Reads records by place with one consumer that belongs to no group; one reading at a time."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def read(self, stretches: Sequence[Stretch]) -> list[Json]:
        """The records of every stretch, in the order of the stretches and offsets; raises the 503 problem."""
        found: list[Json] = []
        try:
            async with self._turn, asyncio.timeout(_WITHIN_S):
                for stretch in stretches:
                    found += [document_of(record, stretch.topic) for record in await self._read(stretch)]
        except AWAY_ERRORS as error:
            await self.close()
            raise unavailable("Kafka can't be read at the moment.") from error
        return found

    async def read_one(self, topic: str, partition: int, offset: int) -> Json:
        """One record; raises the 404 problem where there is none."""
        if partition >= _PARTITIONS.get(topic, 0):
            raise _nothing(f"There is no partition {partition} of a topic '{topic}'.")
        try:
            async with self._turn, asyncio.timeout(_WITHIN_S):
                consumer = await self._started()
                place = TopicPartition(self._kafka.topic(topic), partition)
                begin = (await consumer.beginning_offsets([place]))[place]
                end = (await consumer.end_offsets([place]))[place]
                if not begin <= offset < end:
                    raise _nothing(f"The partition has the offsets from {begin} to {end - 1}.")
                records = await self._read(Stretch(topic, partition, offset, 1))
        except AWAY_ERRORS as error:
            await self.close()
            raise unavailable("Kafka can't be read at the moment.") from error
        if not records:
            raise _nothing("The record is gone: a newer one of its key took its place.")
        return document_of(records[0], topic)

    async def close(self) -> None:
        """Close the consumer; the next reading opens one again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(*AWAY_ERRORS):
                await consumer.stop()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = make_consumer(self._kafka)
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

    async def _read(self, stretch: Stretch) -> list[ConsumerRecord]:
        consumer = await self._started()
        place = TopicPartition(self._kafka.topic(stretch.topic), stretch.partition)
        consumer.assign([place])
        consumer.seek(place, stretch.first_offset)
        end = stretch.first_offset + stretch.n
        records: list[ConsumerRecord] = []
        while True:
            fetched = await consumer.getmany(place, timeout_ms=_FETCH_MS, max_records=stretch.n - len(records))
            records += [record for record in fetched.get(place, []) if record.offset < end]
            if len(records) >= stretch.n or await consumer.position(place) >= end:
                return records


def _nothing(detail: str) -> Problem:
    return Problem("unknown-event", "No event is there", 404, detail=detail)


def document_of(record: ConsumerRecord, topic: str) -> Json:
    """A record as a document: its place, its headers, and the event (or the bytes, where it isn't JSON)."""
    found: Json = {
        "topic": topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp,
        "key": _text(record.key),
        "headers": [[name, _text(value)] for name, value in record.headers],
    }
    try:
        return found | {"event": None if record.value is None else json.loads(record.value)}
    except (ValueError, RecursionError):
        return found | {"event": None, "value_base64": base64.b64encode(record.value).decode()}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
