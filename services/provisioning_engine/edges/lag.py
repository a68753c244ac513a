"""Watching how far the readers of `provisioning.events` are, by the offsets that they commit as hints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import PROVISIONING, SHARDS
from eventlog.connections import AWAY_ERRORS, KafkaSettings, Patience, make_consumer
from services.provisioning_engine.domain.pacing import ReaderPace, Reading

_EVERY_S = 0.2


class ReaderLag:
    """Says whether the readers are near enough; who never read, or stands still, is not waited for."""

    def __init__(
        self, kafka: KafkaSettings, groups: Sequence[str], *, least: int, ahead_s: float, changed: Callable[[], None]
    ) -> None:
        self._kafka = kafka
        self._paces = {kafka.topic(group): ReaderPace(least, ahead_s) for group in groups}
        self._places = [TopicPartition(kafka.topic(PROVISIONING.name), shard) for shard in range(SHARDS)]
        self._changed = changed

    @property
    def allows(self) -> bool:
        """Whether more may be appended."""
        now = time.monotonic()
        return all(pace.allows(now) for pace in self._paces.values())

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Give each reader's lag, allowance and rate."""
        return {
            group: {
                "lag": pace.readings[-1].there - pace.readings[-1].read,
                "allowance": pace.allowance(),
                "records_per_s": round(pace.records_per_s(), 1),
            }
            for group, pace in self._paces.items()
            if pace.readings
        }

    async def run(self) -> None:
        """Look until cancelled; while Kafka is away the last look counts, and then nobody."""
        patience = Patience("Kafka, for the readers' lag")
        while True:
            admin = AIOKafkaAdminClient(
                bootstrap_servers=self._kafka.bootstrap, client_id=self._kafka.client_id, request_timeout_ms=5_000
            )
            consumer = make_consumer(self._kafka)
            try:
                await admin.start()
                await consumer.start()
                patience.succeeded()
                while True:
                    await self._look(admin, consumer)
                    self._changed()
                    await asyncio.sleep(_EVERY_S)
            except AWAY_ERRORS as error:
                await patience.failed(error)
            finally:
                await admin.close()
                await consumer.stop()

    async def _look(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
        ends = await consumer.end_offsets(self._places)
        for group, pace in self._paces.items():
            committed = await admin.list_consumer_group_offsets(group, partitions=self._places)
            known = {place: offset.offset for place, offset in committed.items() if offset.offset >= 0}
            if known:
                there = sum(ends[place] for place in known)
                pace.note(Reading(time.monotonic(), sum(known.values()), there))
