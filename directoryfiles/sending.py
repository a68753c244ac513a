"""Publishing entities in large batches, each partition in order, and noting in the index what was acknowledged."""

import asyncio
import time
from collections import deque
from types import TracebackType
from typing import Any, NamedTuple, Self

from contracts.envelope import CONTENT_TYPE
from contracts.topics import DIRECTORY
from directoryfiles.index import Index, Known, Position, Statement
from eventlog.connections import KafkaSettings, make_producer
from eventlog.partitions import murmur2

_BATCHES_UNACKNOWLEDGED = 16
_NOTED_AT_ONCE = 10_000
_STOP_S = 5.0
_CONTENT = ("content-type", CONTENT_TYPE.encode())
_POSITIVE = 0x7FFFFFFF


class StalledError(Exception):
    """Kafka gave or took nothing for a long time; what it took is noted, and the next import publishes the rest."""


class _Sent(NamedTuple):
    """A batch on its way: its acknowledgement, what its records say, and when they were made."""

    acknowledged: "asyncio.Future[Any]"
    partition: int
    statements: list[Statement]
    timestamp_ms: int


class _Open:
    """A batch that is being filled."""

    def __init__(self, builder: Any) -> None:  # noqa: ANN401 - aiokafka has no types
        """Start with nothing."""
        self.builder = builder
        self.statements: list[Statement] = []
        self.timestamp_ms = time.time_ns() // 1_000_000


class Sending:
    """An asynchronous context in which entities are published; leaving it without an error waits for everything."""

    def __init__(self, kafka: KafkaSettings, index: Index, stall_s: float) -> None:
        """Publish to the directory's topic; give up when nothing is acknowledged for `stall_s` seconds."""
        self._producer = make_producer(kafka)
        self._topic = kafka.topic(DIRECTORY.name)
        self._index = index
        self._stall_s = stall_s
        self._open: dict[int, _Open] = {}
        self._full: list[tuple[int, _Open]] = []
        self._sent: deque[_Sent] = deque()
        self._acknowledged: list[Statement] = []
        self.latest: dict[str, Known] = {}
        """What was published, may come again, and isn't in the index yet."""
        self._positions = index.positions()
        self.published = 0

    async def __aenter__(self) -> Self:
        """Connect. Raises KafkaError when Kafka can't be reached."""
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is on its way, unless it ends with an error, and note what was acknowledged."""
        try:
            if error is None:
                await self._flush()
        finally:
            self._note()
            await self._stop()

    def put(self, statement: Statement, event_type: bytes, event_id: bytes, document: bytes) -> None:
        """Take one entity's document into a batch; call `drain` from time to time, which sends full ones.

        For an entity that may come again in this import, call `remember`, too.
        """
        key = statement.key.encode()
        partition = (murmur2(key) & _POSITIVE) % DIRECTORY.partitions
        headers = [_CONTENT, ("type", event_type), ("id", event_id)]
        batch = self._open.get(partition)
        if batch is None or not _append(batch, key, document, headers):
            if batch is not None:
                self._full.append((partition, batch))
            batch = self._open[partition] = _Open(self._producer.create_batch())
            _append(batch, key, document, headers)
        batch.statements.append(statement)

    def remember(self, statement: Statement) -> None:
        """Keep what was said until it is in the index."""
        self.latest[statement.key] = Known(statement.digest, statement.revision, statement.present)

    async def drain(self) -> None:
        """Send full batches, and wait while too much is unacknowledged. Raises StalledError and KafkaError."""
        for partition, batch in self._full:
            await self._send(partition, batch)
        self._full.clear()

    async def _send(self, partition: int, batch: _Open) -> None:
        acknowledged = await self._within(self._producer.send_batch(batch.builder, self._topic, partition=partition))
        self._sent.append(_Sent(acknowledged, partition, batch.statements, batch.timestamp_ms))
        while len(self._sent) > _BATCHES_UNACKNOWLEDGED:
            await self._take_acknowledgement()
        if len(self._acknowledged) >= _NOTED_AT_ONCE:
            self._note()

    async def _take_acknowledgement(self) -> None:
        sent = self._sent[0]
        metadata = await self._within(asyncio.shield(sent.acknowledged))
        self._sent.popleft()
        self.published += len(sent.statements)
        self._acknowledged += sent.statements
        known = self._positions.get(sent.partition, Position(0, -1))
        # Somebody else's records in between have to be read, so the position stays before them.
        if known.next_offset == metadata.offset:
            self._positions[sent.partition] = Position(metadata.offset + len(sent.statements), sent.timestamp_ms)

    async def _within(self, action: Any) -> Any:  # noqa: ANN401 - aiokafka has no types
        try:
            return await asyncio.wait_for(action, self._stall_s)
        except TimeoutError:
            raise StalledError(f"Kafka has taken nothing for {self._stall_s:.0f} seconds.") from None

    async def _flush(self) -> None:
        await self.drain()
        for partition, batch in self._open.items():
            await self._send(partition, batch)
        self._open.clear()
        while self._sent:
            await self._take_acknowledgement()

    def _note(self) -> None:
        """Put what was acknowledged into the index, together with how far that reads the topic."""
        self._index.take(self._acknowledged, self._positions)
        if self.latest:
            self._forget()
        self._acknowledged = []

    def _forget(self) -> None:
        """Drop what the index knows by now."""
        for statement in self._acknowledged:
            known = self.latest.get(statement.key)
            if known is not None and known.revision == statement.revision:
                del self.latest[statement.key]

    async def _stop(self) -> None:
        """Don't wait for a Kafka that is away: aiokafka would, for ever."""
        try:
            await asyncio.wait_for(self._producer.stop(), _STOP_S)
        except TimeoutError:
            return


def _append(batch: _Open, key: bytes, document: bytes, headers: list[tuple[str, bytes]]) -> bool:
    made = batch.builder.append(key=key, value=document, timestamp=batch.timestamp_ms, headers=headers)
    return made is not None
