"""How far behind an answer is: the topics' ends, polled, against the positions in the answer's own snapshot."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import DIRECTORY, PROVISIONING, REQUESTS
from eventlog.connections import AWAY_ERRORS, KafkaSettings, Patience, make_consumer

_POLL_S = 0.5
_KEPT = 240
_STALE_S = 10.0

COUNTED = (PROVISIONING, REQUESTS)
"""Topics whose unread records make an answer old; names of the directory don't."""


class Position(NamedTuple):
    """How far a partition has been folded."""

    topic: str
    partition: int
    next_offset: int
    last_sequence: int
    last_timestamp_ms: int
    stopped: str | None


class Behind(NamedTuple):
    """Records not folded yet, and the age of what is; None where Kafka can't be asked."""

    events: int | None
    seconds: float | None


class AsOf(NamedTuple):
    """What an answer is made of, and how far behind the topics that is. `moment_s` is in seconds of the epoch."""

    positions: Sequence[Position]
    behind: Behind
    moment_s: float

    @property
    def folded(self) -> dict[int, int]:
        """The last sequence folded of each shard."""
        return {p.partition: p.last_sequence for p in self.positions if p.topic == PROVISIONING.name}

    @property
    def mark(self) -> int:
        """One number that grows with every fold of the counted topics."""
        topics = {topic.name for topic in COUNTED}
        return sum(p.next_offset for p in self.positions if p.topic in topics)

    def document(self) -> dict[str, Any]:
        """As a member of an answer: next offsets by topic and partition, and how far behind."""
        by_topic: dict[str, dict[str, int]] = {topic.name: {} for topic in COUNTED}
        for position in (one for one in self.positions if one.topic in by_topic):
            by_topic[position.topic][str(position.partition)] = position.next_offset
        return {"positions": by_topic, "behind": self.behind._asdict()}


class Ends:
    """The ends of the topics, asked for twice a second; those of the last two minutes are kept."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._seen: deque[tuple[float, Mapping[tuple[str, int], int]]] = deque(maxlen=_KEPT)
        self._patience = Patience("Kafka, for the topics' ends")

    async def run(self) -> None:
        """Poll until cancelled; keeps trying while Kafka is away."""
        while True:
            consumer = make_consumer(self._kafka)
            try:
                await consumer.start()
                while True:
                    await self._poll(consumer)
                    await asyncio.sleep(_POLL_S)
            except AWAY_ERRORS as error:
                await self._patience.failed(error)
            finally:
                with contextlib.suppress(*AWAY_ERRORS):
                    await consumer.stop()

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        places = {
            TopicPartition(self._kafka.topic(topic.name), number): (topic.name, number)
            for topic in (PROVISIONING, REQUESTS, DIRECTORY)
            for number in range(topic.partitions)
        }
        ends = await consumer.end_offsets(list(places))
        self._seen.append((time.time(), {places[place]: end for place, end in ends.items()}))
        self._patience.succeeded()

    @property
    def latest(self) -> Mapping[tuple[str, int], int] | None:
        """The ends (next offset by topic and partition), or None when they aren't known or are too old."""
        if not self._seen or time.time() - self._seen[-1][0] > _STALE_S:
            return None
        return self._seen[-1][1]

    def as_of(self, positions: Sequence[Position]) -> AsOf:
        """How far behind these positions are now."""
        now, ends = time.time(), self.latest
        if ends is None:
            return AsOf(positions, Behind(None, None), now)
        at = {(p.topic, p.partition): p for p in positions}
        events, seconds = 0, 0.0
        for topic in COUNTED:
            for number in range(topic.partitions):
                key = (topic.name, number)
                missing = max(0, ends[key] - (at[key].next_offset if key in at else 0))
                if missing:
                    events += missing
                    seconds = max(seconds, self._age_s(key, at.get(key), now))
        return AsOf(positions, Behind(events, round(seconds, 3)), now - seconds)

    def _age_s(self, key: tuple[str, int], position: Position | None, now: float) -> float:
        """How long ago the partition ended where it has been folded to."""
        next_offset = position.next_offset if position else 0
        for at, ends in reversed(self._seen):
            if ends[key] <= next_offset:
                return now - at
        told_s = position.last_timestamp_ms / 1000 if position else 0
        return max(now - self._seen[0][0], now - told_s if told_s else 0.0)
