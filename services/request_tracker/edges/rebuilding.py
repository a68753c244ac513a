"""The rebuild: all topics from their beginnings into an empty generation, while the current one answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import NamedTuple

from aiokafka import TopicPartition

from contracts.topics import DIRECTORY, PROVISIONING, REQUESTS
from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings, keep_trying, make_consumer
from eventlog.database import Pool
from eventlog.reader import Reader
from services.request_tracker.edges import generations
from services.request_tracker.edges.queries import GENERATIONS
from services.request_tracker.edges.readers import make_readers
from services.request_tracker.settings import DIRECTORY_READER, READER, TrackerSettings
from serving.postgres import open_pool, retry_while_away

_POLL_S = 0.25
_ALARM_TURNS = 40
_FOLD_RECORDS = 12_000
_BUILDERS = {"rebuild": READER, "rebuild-directory": DIRECTORY_READER}
"""The rebuild's readers, and whose positions theirs become."""

PartitionKey = tuple[str, int]


class Progress(NamedTuple):
    """Records folded, of how many."""

    records: int
    of_records: int


class CannotRebuild(Exception):  # noqa: N818 - says what happened
    """The rebuild ended without a new projection; the message is one clear line."""


async def rebuild(settings: TrackerSettings, number: int | None, report: Callable[[Progress], None]) -> Progress:
    """Fill a generation (a new one if `number` is None) and let it answer; raises CannotRebuild."""
    async with open_pool(settings, service="tracker-rebuild", max_size=3) as outside:
        into = number if number is not None else await retry_while_away(lambda: begin(outside))
        try:
            return await _fill(settings, outside, into, report)
        except CannotRebuild as error:
            async with outside.acquire() as conn:
                await conn.execute(GENERATIONS["fail"], into, str(error)[:500])
            raise


async def begin(outside: Pool) -> int:
    """Make the generation to fill; raises CannotRebuild while another rebuild runs."""
    async with outside.acquire() as conn:
        await generations.prepare(conn)
        number = await generations.begin(conn)
    if number is None:
        raise CannotRebuild("another rebuild is running")
    return number


async def _fill(settings: TrackerSettings, outside: Pool, number: int, report: Callable[[Progress], None]) -> Progress:
    schema = generations.schema_of(number)
    async with open_pool(settings, service="tracker-rebuild", max_size=4, schema=schema) as pool:
        async with _reading(pool, settings.kafka_settings) as readers:
            while True:
                progress = await _advance(settings.kafka_settings, outside, number, readers, report)
                if await retry_while_away(partial(_is_level, outside, readers)):
                    break
        async with outside.acquire() as conn:
            try:
                await generations.promote(conn, number, records=progress.records, reader_names=_BUILDERS)
            except LookupError as error:
                raise CannotRebuild(str(error)) from error
    return progress


@contextlib.asynccontextmanager
async def _reading(pool: Pool, kafka: KafkaSettings) -> AsyncIterator[list[Reader]]:
    """Let the rebuild's readers run; they read every partition, whatever the service's readers do."""
    counts, directory = _BUILDERS
    readers = make_readers(pool, kafka, (counts, directory), max_records=_FOLD_RECORDS, alone=True, alarms=Alarms())
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    try:
        yield readers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _advance(
    kafka: KafkaSettings, outside: Pool, number: int, readers: list[Reader], report: Callable[[Progress], None]
) -> Progress:
    """Wait until the present ends of the topics are reached."""
    begins, ends = await keep_trying("Kafka, for the topics' ends", lambda: _range(kafka))
    alarmed = 0
    while True:
        at = _positions(readers)
        progress = Progress(
            sum(offset - begins[key] for key, offset in at.items()), sum(ends[key] - begins[key] for key in ends)
        )
        report(progress)
        await retry_while_away(partial(_note, outside, number, progress))
        if all(at.get(key, -1) >= end for key, end in ends.items()):
            return progress
        standing = readers[0].alarms.standing
        alarmed = alarmed + 1 if standing else 0
        if alarmed > _ALARM_TURNS:
            raise CannotRebuild("; ".join(f"{alarm.place}: {alarm.text}" for alarm in standing))
        await asyncio.sleep(_POLL_S)


async def _note(outside: Pool, number: int, progress: Progress) -> None:
    """Let everybody see how far the rebuild is, and that it lives."""
    async with outside.acquire() as conn:
        await conn.execute(GENERATIONS["progress"], number, *progress)


async def _is_level(outside: Pool, readers: list[Reader]) -> bool:
    """Whether the new projection is as far as the one that answers, so that what people see never goes back."""
    async with outside.acquire() as conn:
        current = await generations.current(conn)
        stored = await generations.positions(conn, current) if current is not None else {}
    at = _positions(readers)
    return all(at.get(key, 0) >= next_offset for key, next_offset in stored.items())


def _positions(readers: list[Reader]) -> dict[PartitionKey, int]:
    return {(place.topic, place.partition): place.next_offset for reader in readers for place in reader.places}


async def _range(kafka: KafkaSettings) -> tuple[Mapping[PartitionKey, int], Mapping[PartitionKey, int]]:
    """First and next offsets of every partition."""
    places = {
        TopicPartition(kafka.topic(topic.name), number): (topic.name, number)
        for topic in (PROVISIONING, REQUESTS, DIRECTORY)
        for number in range(topic.partitions)
    }
    consumer = make_consumer(kafka)
    try:
        await consumer.start()
        begins = await consumer.beginning_offsets(list(places))
        ends = await consumer.end_offsets(list(places))
    finally:
        await consumer.stop()
    return {places[p]: offset for p, offset in begins.items()}, {places[p]: offset for p, offset in ends.items()}
