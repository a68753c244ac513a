"""Fetching: a FastStream batch subscriber that only reads, and stands where it is told to.

FastStream's own parser and decoder are replaced, because one header that isn't UTF-8 would cost a whole batch.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from eventlog import leniency
from eventlog.connections import KafkaSettings
from eventlog.positions import PartitionKey
from eventlog.record import IncomingRecord, from_raws
from eventlog.slots import Batch, Intake, Slot, Slots

_SESSION_TIMEOUT_MS = 6_000
_HEARTBEAT_MS = 2_000
_BATCH_TIMEOUT_MS = 25
_RECORDS_PER_FETCH = 2_000
_SASL: Mapping[str, Any] = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}

_logger = logging.getLogger("eventlog.faststream")
_logger.setLevel(logging.ERROR)  # at INFO it writes two lines a batch, at WARNING that topics aren't made by itself


class Fetching:
    """Brings records of the slots' partitions into the intake; `marks` by topic say which sequences count."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        topics: Mapping[str, bytes | None],
        slots: Slots,
        intake: Intake,
        *,
        counted: Collection[str],
        on_revoked: Callable[[PartitionKey], None],
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._marks = {kafka.topic(name): mark for name, mark in topics.items()}
        self._names = {kafka.topic(name): name for name in topics}
        self._counted = {kafka.topic(name) for name in counted}
        self._on_revoked = on_revoked
        self._slots = slots
        self._intake = intake
        self._broker: KafkaBroker | None = None
        self._subscriber: Any = None

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The consumer, while there is one."""
        return self._subscriber.consumer if self._subscriber is not None else None

    async def start(self) -> None:
        """Connect and begin. Raises what aiokafka raises while Kafka is away or a topic is missing."""
        leniency.install()
        self._broker = KafkaBroker(
            self._kafka.bootstrap,
            client_id=self._kafka.client_id,
            request_timeout_ms=10_000,
            consumer_only=True,
            allow_auto_create_topics=False,
            security=_security(self._kafka),
            logger=_logger,
            apply_types=False,
        )
        self._subscriber = self._broker.subscriber(
            *self._names,
            batch=True,
            group_id=self._group,
            auto_offset_reset="none",
            ack_policy=AckPolicy.MANUAL,
            session_timeout_ms=_SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            fetch_max_bytes=16 * 1024 * 1024,
            batch_timeout_ms=_BATCH_TIMEOUT_MS,
            max_records=_RECORDS_PER_FETCH,
            listener=_Listener(self),
            parser=_parse,
            decoder=self._decode,
        )
        self._subscriber(self._enqueue)
        try:
            await self._broker.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the connection."""
        broker, self._broker, subscriber, self._subscriber = self._broker, None, self._subscriber, None
        if broker is not None:
            with contextlib.suppress(Exception):  # it may never have been whole
                await broker.stop()
        consumer = getattr(subscriber, "consumer", None)
        if consumer is not None:
            with contextlib.suppress(Exception):  # as above
                await consumer.stop()

    def stand_at(self, slot: Slot, offset: int) -> bool:
        """Let the next record of a partition be the one at `offset`; False: it isn't ours any more."""
        if self.consumer is None:
            return False
        try:
            self.consumer.seek(slot.place, offset)
            self.consumer.resume(slot.place)
        except IllegalStateError:
            return False
        return True

    async def position(self, place: TopicPartition) -> int | None:
        """Where the consumer stands in a partition; None if it isn't ours. Doesn't wait: `assign` has sought."""
        try:
            return None if self.consumer is None else int(await self.consumer.position(place))
        except IllegalStateError:
            return None

    def pause(self, slot: Slot) -> None:
        """Fetch nothing of a partition until `stand_at`."""
        if self.consumer is not None:
            with contextlib.suppress(IllegalStateError):
                self.consumer.pause(slot.place)

    def assign_all(self, places: Collection[TopicPartition]) -> None:
        """These partitions are ours, or none: fetch nothing until their stored positions were read.

        There is no await before the seeks, so nothing could be fetched from where Kafka believes us to be.
        """
        for place in places:
            slot = Slot(PartitionKey(self._names[place.topic], place.partition), place)
            if self.consumer is not None:
                self.consumer.pause(place)
                self.consumer.seek(place, 0)
            self._slots.assign(slot)
        self._slots.ever_assigned = True

    def revoke(self, place: TopicPartition) -> None:
        """A partition isn't ours any more; what was fetched of it is dropped."""
        key = PartitionKey(self._names[place.topic], place.partition)
        self._slots.revoke(key)
        self._on_revoked(key)

    async def _decode(self, message: KafkaMessage) -> list[Batch]:
        """Batches of what was fetched, each bound to the generation of its slot right when it was fetched."""
        batches: list[Batch] = []
        for place, raws in _by_partition(message.raw_message):
            slot = self._slots.get(PartitionKey(self._names[place.topic], place.partition))
            if slot is None or slot.progress is None or not await self._stands_behind(place, raws[-1]):
                continue
            records = self._records(place.topic, slot.key.topic, raws)
            size = sum(len(record.value or b"") for record in records)
            slot.decoded_to = raws[-1].offset + 1
            batches.append(Batch(slot, slot.generation, records, size))
        return batches

    async def _stands_behind(self, place: TopicPartition, last: ConsumerRecord[Any, Any]) -> bool:
        """Whether nobody has sought since `last` was fetched: then the consumer stands behind it."""
        position = await self.position(place)
        return position is not None and position > last.offset

    def _records(self, topic: str, name: str, raws: Sequence[ConsumerRecord[Any, Any]]) -> list[IncomingRecord]:
        records = from_raws(raws, name)
        if topic not in self._counted:
            return [r if r.sequence is None else r._replace(sequence=None) for r in records]
        mark = self._marks[topic]
        if mark is None:
            return records
        return [r if r.sequence is None or mark in (r.value or b"") else r._replace(sequence=None) for r in records]

    async def _enqueue(self, batches: list[Batch]) -> None:
        for batch in batches:
            await self._intake.put(batch)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Hands assignments over; never waits for anything, so it can neither fail nor hold up the heartbeat."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        for place in revoked:
            self._fetching.revoke(place)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._fetching.assign_all(assigned)


async def _parse(raw: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaMessage:
    """A message around a batch, with nothing decoded."""
    return KafkaMessage(
        body=b"",
        headers={},
        batch_headers=[],
        message_id=str(uuid.uuid4()),
        raw_message=raw,
        consumer=FAKE_CONSUMER,
    )


def _by_partition(
    raws: Sequence[ConsumerRecord[Any, Any]],
) -> list[tuple[TopicPartition, list[ConsumerRecord[Any, Any]]]]:
    grouped: dict[TopicPartition, list[ConsumerRecord[Any, Any]]] = {}
    current: list[ConsumerRecord[Any, Any]] = []
    topic, partition = "", -1
    for raw in raws:
        if raw.partition != partition or raw.topic != topic:
            topic, partition = raw.topic, raw.partition
            current = grouped.setdefault(TopicPartition(topic, partition), [])
        current.append(raw)
    return list(grouped.items())


def _security(kafka: KafkaSettings) -> BaseSecurity | None:
    use_ssl = kafka.security_protocol.endswith("SSL")
    if not kafka.security_protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=kafka.ssl_context, use_ssl=True) if use_ssl else None
    security: BaseSecurity = _SASL[kafka.sasl_mechanism](
        username=kafka.username or "",
        password=kafka.password or "",
        ssl_context=kafka.ssl_context,
        use_ssl=use_ssl,
    )
    return security
