"""The partitions that a reader works on now, and the fetched records that wait to be folded."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import TopicPartition

from eventlog.arithmetic import Progress, SeenIds
from eventlog.positions import PartitionKey
from eventlog.record import IncomingRecord


@dataclass(eq=False, slots=True)
class Slot:
    """One assigned partition. `place` has the topic's full name.

    `progress` is None until the stored position was read and the consumer stands there; records that were fetched
    before belong to another place and are refused. `generation` grows with every jump, for the same reason.
    """

    key: PartitionKey
    place: TopicPartition
    assigned_at: float = field(default_factory=time.time)
    generation: int = 0
    progress: Progress | None = None
    shown: Progress | None = None
    seen: SeenIds = field(default_factory=SeenIds)
    end_offset: int | None = None
    decoded_to: int = 0
    watched: tuple[int, int] = (-1, -1)
    moved_at: float = field(default_factory=time.monotonic)
    tail: int | None = None
    pass_to: int | None = None
    retry_at: float = 0.0
    retry_wait_s: float = 0.0

    def put(self, progress: Progress) -> None:
        """The consumer stands at the progress; ids that were seen stay known as long as they fit."""
        if self.seen.last_sequence != progress.last_sequence:
            self.seen = SeenIds(progress.last_sequence, progress.last_id)
        self.progress = self.shown = progress
        self.decoded_to = progress.next_offset
        self.tail = self.pass_to = None
        self.generation += 1

    def take_out(self, *, retry_after_s: float = 0.0, why: str | None = None) -> None:
        """Forget the place; it is read and sought again, at once or after a while."""
        self.progress = None
        self.generation += 1
        self.retry_at = time.monotonic() + retry_after_s
        if self.shown is not None:
            self.shown = Progress(
                self.shown.next_offset,
                self.shown.last_sequence,
                self.shown.last_id,
                self.shown.last_timestamp_ms,
                stopped=why,
            )

    def note_position(self, position: int | None) -> None:
        """Learn where the consumer stands, once a second.

        A partition may end with offsets that hold no record (markers of another program's transaction). When the
        consumer stands at the end, twice in a row, with nothing left to fold, they can be passed.
        """
        place = self.shown
        # With nothing to fold, time doesn't count: the first record after a quiet hour is no alarm.
        if place is not None and (not self.lag or self.watched != (place.next_offset, place.last_sequence)):
            self.watched, self.moved_at = (place.next_offset, place.last_sequence), time.monotonic()
        tail = position if self._is_tail(position) else None
        self.pass_to = tail if tail == self.tail else None
        self.tail = tail

    def _is_tail(self, position: int | None) -> bool:
        place = self.progress
        return (
            place is not None
            and place.gap is None
            and position is not None
            and position == self.end_offset
            and self.decoded_to <= place.next_offset < position
        )

    def stands_still_for_s(self) -> float:
        """How long nothing was folded although something is there, and nobody has said why; else 0."""
        if not self.lag or self.progress is None or self.progress.gap is not None:
            return 0.0
        return time.monotonic() - self.moved_at

    @property
    def lag(self) -> int | None:
        """Records not yet folded; None when the partition's end isn't known yet."""
        if self.end_offset is None or self.shown is None:
            return None
        return max(0, self.end_offset - self.shown.next_offset)


class Slots:
    """Slots by partition; a partition that was lost and came back has a new one."""

    def __init__(self) -> None:
        self._slots: dict[PartitionKey, Slot] = {}
        self.ever_assigned = False

    def __iter__(self) -> Iterator[Slot]:
        return iter(list(self._slots.values()))

    def get(self, key: PartitionKey) -> Slot | None:
        """The partition's slot, if it is assigned."""
        return self._slots.get(key)

    def assign(self, slot: Slot) -> None:
        """A partition is ours."""
        self._slots[slot.key] = slot

    def revoke(self, key: PartitionKey) -> None:
        """A partition isn't ours any more."""
        self._slots.pop(key, None)

    def is_current(self, slot: Slot, generation: int) -> bool:
        """Whether records that were fetched for a slot are what comes next there."""
        return slot.progress is not None and slot.generation == generation and self._slots.get(slot.key) is slot

    @property
    def unplaced(self) -> list[Slot]:
        """Slots whose position has to be read now."""
        now = time.monotonic()
        return [slot for slot in self._slots.values() if slot.progress is None and slot.retry_at <= now]


class Batch(NamedTuple):
    """Consecutive records of one partition, as they were fetched for a generation of its slot."""

    slot: Slot
    generation: int
    records: list[IncomingRecord]
    size_bytes: int


class Intake:
    """Bounded queue between fetching and folding: at most so many records, and so many bytes."""

    def __init__(self, *, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._batches: deque[Batch] = deque()
        self._records = 0
        self._bytes = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def put(self, batch: Batch) -> None:
        """Add a batch; waits while the queue is full."""
        while self._batches and (self._records >= self._max_records or self._bytes >= self._max_bytes):
            self._emptied.clear()
            await self._emptied.wait()
        self._batches.append(batch)
        self._records += len(batch.records)
        self._bytes += batch.size_bytes
        self._filled.set()

    async def gather(self, wanted: int, *, wait_s: float, gather_s: float) -> list[Batch]:
        """Wait up to `wait_s` for records, then up to `gather_s` until there are `wanted`; take about as many."""
        if not self._batches and not await self._wait_for_more(wait_s):
            return []
        deadline = time.monotonic() + gather_s
        while self._records < wanted and self._bytes < self._max_bytes:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not await self._wait_for_more(left_s):
                break
        return self._take(wanted)

    async def _wait_for_more(self, wait_s: float) -> bool:
        self._filled.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._filled.wait()
        except TimeoutError:
            return False
        return True

    def _take(self, wanted: int) -> list[Batch]:
        taken: list[Batch] = []
        count = 0
        while self._batches and count < wanted:
            batch = self._batches.popleft()
            taken.append(batch)
            count += len(batch.records)
            self._bytes -= batch.size_bytes
        self._records -= count
        self._emptied.set()
        return taken
