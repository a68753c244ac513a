"""The one Kafka producer of a process: ordered batches, and a clean break when anything fails."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed

from eventlog.connections import KafkaSettings, describe, make_producer
from eventlog.record import OutgoingEvent, record_headers

_log = structlog.get_logger("eventlog.outlet")

_STOP_WITHIN_S = 2.0
_REPUBLISHED = ("republished", b"1")


class Outlet:
    """The idempotent producer that all relays of a process share.

    On any error the producer is dropped without a flush, because an idempotent producer that lost one batch must
    not deliver the next; every relay then resumes from what was acknowledged to it.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def producer(self) -> AIOKafkaProducer:
        """The current producer, started. Raises what aiokafka raises while Kafka is away."""
        async with self._starting:
            if self._producer is None:
                producer = make_producer(self.kafka)
                try:
                    await producer.start()
                except BaseException:
                    await _abandon(producer)
                    raise
                self._producer = producer
            return self._producer

    async def drop(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """Abandon a producer that failed, unless another relay has done so already."""
        if self._producer is producer:
            self._producer = None
            _log.warning("producer dropped", error=describe(error))
            await _abandon(producer)

    async def close(self) -> None:
        """Drop the producer; what is not acknowledged stays in the ledgers."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Stop a producer without delivering what it still holds, and let every waiting send fail.

    aiokafka has no public way for this: its stop() first delivers everything that is pending.
    """
    producer._closed = True  # noqa: SLF001 - see above
    pending = producer._message_accumulator  # noqa: SLF001
    pending.fail_all(ProducerClosed())
    for batches in pending._batches.values():  # noqa: SLF001
        for batch in batches:
            batch._drain_waiter.exception()  # noqa: SLF001 - marks it as seen
    sender = producer._sender.sender_task if producer._sender else None  # noqa: SLF001
    if sender is not None:
        sender.remove_done_callback(producer._sender._fail_all)  # noqa: SLF001 - it stumbles where we have done its work
        sender.cancel()
    await producer.client.close()
    if sender is not None:
        await asyncio.wait([sender], timeout=_STOP_WITHIN_S)
        if sender.done() and not sender.cancelled():
            sender.exception()  # fetched, so that nobody complains that it never was


async def send_in_batches(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    first_sequence: int,
    events: Sequence[OutgoingEvent],
    *,
    republished: bool = False,
) -> AsyncIterator[tuple[asyncio.Future[Any], int]]:
    """Send events in full batches; yields each batch's future and the sequence after its last event."""
    timestamp_ms = int(time.time() * 1000)
    sequence, end = first_sequence, first_sequence + len(events)
    extra = [_REPUBLISHED] if republished else []
    while sequence < end:
        batch = producer.create_batch()
        while sequence < end:
            event = events[sequence - first_sequence]
            headers = record_headers(event.type.encode(), event.id.encode(), sequence) + extra
            added = batch.append(timestamp=timestamp_ms, key=event.key.encode(), value=event.body, headers=headers)
            if added is None:
                break
            sequence += 1
        batch.close()
        future = await producer.send_batch(batch, topic, partition=partition)
        future.add_done_callback(_fetch_exception)
        yield future, sequence


def _fetch_exception(future: asyncio.Future[Any]) -> None:
    """Mark a failure as seen: after a break nobody waits for the later batches any more."""
    with contextlib.suppress(asyncio.CancelledError):
        future.exception()
