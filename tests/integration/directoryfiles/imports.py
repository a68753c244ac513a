"""Importing in a test: what was published, what was bad, and what the topic has."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.codec import decode
from contracts.envelope import AnyEnvelope
from contracts.topics import DIRECTORY
from directoryfiles.bad_rows import BadRow
from directoryfiles.publish import ImportOptions, ImportResult, import_directory
from directoryfiles.reading import Stage
from eventlog.connections import KafkaSettings, make_producer
from eventlog.partitions import partition_of

FIRST_NIGHT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@dataclass
class Importer:
    """Imports night after night into one topic, from one machine's cache."""

    kafka: KafkaSettings
    cache: Path
    nights: int = 0
    bad: list[BadRow] = field(default_factory=list)
    progress: Callable[[Stage, int, int | None], None] = lambda *_: None

    async def take(self, *paths: Path, **options: Any) -> ImportResult:  # noqa: ANN401 - of ImportOptions
        """Import files; the bad rows are in `bad`."""
        self.nights += 1
        now = FIRST_NIGHT + timedelta(days=self.nights)
        self.bad.clear()
        return await asyncio.to_thread(
            import_directory,
            paths,
            kafka=self.kafka,
            cache_folder=self.cache,
            options=ImportOptions(source="test", now=now, **options),
            progress=self.progress,
            on_bad_row=self.bad.append,
        )

    async def records(self) -> list[Any]:
        """Give every record of the directory's topic, partition by partition."""
        topic = self.kafka.topic(DIRECTORY.name)
        partitions = [TopicPartition(topic, number) for number in range(DIRECTORY.partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[Any] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += records
            return found
        finally:
            await consumer.stop()

    async def events(self) -> list[AnyEnvelope]:
        """Give every event of the topic, decoded as anybody would."""
        return [decode(DIRECTORY.name, record.key, record.value, record.headers) for record in await self.records()]

    async def publish(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Publish as another system would."""
        producer = make_producer(self.kafka)
        await producer.start()
        try:
            for key, value in records:
                partition = partition_of(key.decode(), DIRECTORY.partitions)
                await producer.send_and_wait(
                    self.kafka.topic(DIRECTORY.name), value=value, key=key, partition=partition
                )
        finally:
            await producer.stop()
