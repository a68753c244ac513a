"""A reader: folds topics into a database, every record's effect exactly once."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from prometheus_client import Gauge

from eventlog.alarms import Alarms
from eventlog.connections import AWAY_ERRORS, KafkaSettings, Patience, keep_trying
from eventlog.database import Pool
from eventlog.fetching import Fetching
from eventlog.folding import GAP, POISON, AfterCommit, Fold, Folding, TypeFilter
from eventlog.placing import OUT_OF_RANGE, STOPPED
from eventlog.positions import PartitionKey, load_all
from eventlog.slots import Intake, Slot, Slots

__all__ = ["Fold", "Place", "Reader", "Subscription"]

_lag = Gauge("eventlog_reader_lag_records", "Records not yet folded", ["reader"])
_behind = Gauge("eventlog_reader_behind_seconds", "Age of what is folded", ["reader"])

_HINT_EVERY_S = 0.25
_ENDS_EVERY_S = 1.0
_ANSWER_WITHIN_S = 4.0
_LOOK_AT_OTHERS_S = 0.1
_STALLED_AFTER_S = 30.0
_MAX_INTAKE_BYTES = 32 * 1024 * 1024

STALLED = "stalled"
_ALARM_KINDS = (GAP, POISON, STOPPED, OUT_OF_RANGE, STALLED)


class Subscription(NamedTuple):
    """A topic (without prefix) and what is known about its writer.

    `sequenced`: records with a `sequence` header are counted per partition. `mark`: for topics with other
    writers, bytes that a counted record's value contains; others pass uncounted.
    """

    topic: str
    sequenced: bool = False
    mark: bytes | None = None


class Place(NamedTuple):
    """How far a reader is in a partition. `lag` in records (None: not known yet).

    `stopped` says why it goes no further without an operator.
    """

    topic: str
    partition: int
    next_offset: int
    last_sequence: int
    lag: int | None
    last_timestamp_ms: int
    stopped: str | None


class Reader:
    """Folds `subscriptions` through `fold(conn, records)` in transactions of about `max_records` records.

    `name` is the key of the stored positions and (behind the topic prefix) the consumer group. Processes with the
    same name and database share the partitions; with `alone=True` this process reads all of them, whatever others
    do. Records of `skip_types` (or outside `wanted_types`; records without a type header are always wanted) are
    counted but not folded. `gather_s`: how long a few records wait for more before a transaction.

    The fold runs inside the transaction that also moves the positions, and gets records in order within each
    partition. It must not catch database errors. What it raises is retried with growing waits: errors of the
    connection quietly, others with an alarm (`poison`) and only for the partition concerned.
    `after_commit` hears what was folded; after a crash or a lost connection it may not, so it is only a hint.
    """

    def __init__(
        self,
        pool: Pool,
        kafka: KafkaSettings,
        name: str,
        subscriptions: Sequence[Subscription],
        fold: Fold,
        *,
        skip_types: Collection[str] = (),
        wanted_types: Collection[str] | None = None,
        max_records: int = 6_000,
        gather_s: float = 0.02,
        alone: bool = False,
        alarms: Alarms | None = None,
        after_commit: AfterCommit | None = None,
    ) -> None:
        self._pool = pool
        self._name = name
        self._alone = alone
        self.alarms = alarms or Alarms()
        self._slots = Slots()
        intake = Intake(max_records=2 * max_records, max_bytes=_MAX_INTAKE_BYTES)
        group = kafka.topic(name) + (f".{uuid.uuid4()}" if alone else "")
        self._fetching = Fetching(
            kafka,
            group,
            {s.topic: s.mark for s in subscriptions},
            self._slots,
            intake,
            counted=[s.topic for s in subscriptions if s.sequenced],
            on_revoked=self._forget_alarms,
        )
        self._folding = Folding(
            pool,
            name,
            slots=self._slots,
            intake=intake,
            fetching=self._fetching,
            fold=fold,
            types=TypeFilter(frozenset(skip_types), None if wanted_types is None else frozenset(wanted_types)),
            alarms=self.alarms,
            max_records=max_records,
            gather_s=gather_s,
            after_commit=after_commit,
        )
        self._ends_patience = Patience(f"Kafka, for reader {name}", longest_s=1.0)

    async def run(self) -> None:
        """Read and fold until cancelled; keeps trying while Kafka, a topic or Postgres is away."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._folding.run())
                await keep_trying(f"Kafka, for reader {self._name}", self._fetching.start)
                tasks.create_task(self._watch_ends())
                if not self._alone:
                    tasks.create_task(self._hint_offsets())
        finally:
            await self._fetching.stop()

    @property
    def ready(self) -> bool:
        """Partitions are assigned, each has its place or waits for an operator, and nothing is away."""
        return (
            self._slots.ever_assigned
            and all(slot.shown is not None for slot in self._slots)
            and not self._folding.is_waiting
            and not self._ends_patience.is_waiting
        )

    @property
    def places(self) -> list[Place]:
        """How far the partitions of this process are, in order."""
        return [
            Place(
                *slot.key,
                slot.shown.next_offset,
                slot.shown.last_sequence,
                slot.lag,
                slot.shown.last_timestamp_ms,
                slot.shown.stopped,
            )
            for slot in sorted(self._slots, key=lambda slot: slot.key)
            if slot.shown is not None
        ]

    @property
    def lag(self) -> int:
        """Records not yet folded in this process's partitions, as of the last poll of the ends (every second)."""
        return sum(slot.lag or 0 for slot in self._slots)

    @property
    def seconds_behind(self) -> float:
        """Age of what is folded, at the partition that is furthest behind; 0 when nothing is left to fold."""
        now = time.time()
        ages = [
            now - (slot.shown.last_timestamp_ms / 1000 or slot.assigned_at)
            for slot in self._slots
            if slot.lag and slot.shown is not None
        ]
        return max(0.0, *ages) if ages else 0.0

    async def wait_for(self, positions: Mapping[tuple[str, int], int], *, within_s: float) -> bool:
        """Whether every (topic, partition) reached next_offset >= the given one within the time.

        Partitions of other processes count too, by the stored positions.
        """
        missing = {PartitionKey(*key): offset for key, offset in positions.items()}
        deadline = time.monotonic() + within_s
        while True:
            self._folding.progressed.clear()
            missing = await self._not_reached(missing)
            left_s = deadline - time.monotonic()
            if not missing or left_s <= 0:
                return not missing
            try:
                async with asyncio.timeout(min(left_s, _LOOK_AT_OTHERS_S)):
                    await self._folding.progressed.wait()
            except TimeoutError:
                continue

    async def _not_reached(self, wanted: Mapping[PartitionKey, int]) -> dict[PartitionKey, int]:
        reached = {slot.key: slot.shown.next_offset for slot in self._slots if slot.shown is not None}
        if wanted.keys() - reached.keys():
            async with self._pool.acquire() as conn:
                stored = await load_all(conn, self._name)
            reached = {key: progress.next_offset for key, progress in stored.items()} | reached
        return {key: offset for key, offset in wanted.items() if reached.get(key, 0) < offset}

    def _forget_alarms(self, key: PartitionKey) -> None:
        """Whoever works on the partition next finds out for himself."""
        for kind in _ALARM_KINDS:
            self.alarms.clear(kind, str(key))

    async def _watch_ends(self) -> None:
        """Where the partitions end, for the lag; a place behind the end is looked at anew."""
        while True:
            await asyncio.sleep(_ENDS_EVERY_S)
            consumer, slots = self._fetching.consumer, list(self._slots)
            if consumer is None or not slots:
                continue
            try:
                async with asyncio.timeout(_ANSWER_WITHIN_S):
                    ends = await consumer.end_offsets([slot.place for slot in slots])
            except AWAY_ERRORS as error:
                await self._ends_patience.failed(error)
                continue
            self._ends_patience.succeeded()
            for slot in slots:
                slot.end_offset = ends[slot.place]
                slot.note_position(await self._fetching.position(slot.place))
                self._look_at(slot)
            _lag.labels(self._name).set(self.lag)
            _behind.labels(self._name).set(self.seconds_behind)

    def _look_at(self, slot: Slot) -> None:
        """A place behind the partition's end is sought anew; one that doesn't move, for no known reason, alarms."""
        end, progress = slot.end_offset, slot.progress
        if progress is not None and end is not None and progress.next_offset > end:
            self._fetching.pause(slot)
            slot.take_out()
        still_s = 0.0 if self._folding.is_waiting else slot.stands_still_for_s()
        if still_s > _STALLED_AFTER_S:
            self.alarms.raise_(STALLED, str(slot.key), f"nothing was folded for {still_s:.0f} s", reader=self._name)
        else:
            self.alarms.clear(STALLED, str(slot.key))

    async def _hint_offsets(self) -> None:
        """Tell Kafka how far the partitions are, for lag monitors; nothing here relies on it."""
        hinted: dict[PartitionKey, int] = {}
        while True:
            await asyncio.sleep(_HINT_EVERY_S)
            consumer = self._fetching.consumer
            moved = {
                slot.place: slot.progress.next_offset
                for slot in self._slots
                if slot.progress is not None and hinted.get(slot.key) != slot.progress.next_offset
            }
            if consumer is None or not moved:
                continue
            try:
                await consumer.commit(moved)
            except (CommitFailedError, IllegalStateError, KafkaError):
                continue
            hinted.update({s.key: moved[s.place] for s in self._slots if s.place in moved})
