"""The arithmetic of sequences: which records of a partition count, pure and without any input or output.

A writer gives its records the sequences 1, 2, 3, … of a partition. A record counts once: when its sequence is the
last one + 1. Lower ones are dropped (a relay may send twice). A higher one opens a gap: nothing behind that place
is folded, and the reader looks further ahead only for the missing ones, which come later in the topic when they
are published again. When the last missing one was found, the reader goes back to the place of the gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from eventlog.record import IncomingRecord

WINDOW = 4096
"""So many ids are remembered per partition, to tell a record that came twice from another with its sequence."""


class SeenIds:
    """Ids of the last sequences of one partition."""

    def __init__(self, last_sequence: int = 0, last_id: str = "") -> None:
        self._ids: list[str] = [""] * WINDOW
        self._first = max(1, last_sequence)
        self.last_sequence = last_sequence
        self._ids[last_sequence % WINDOW] = last_id

    def add(self, sequence: int, event_id: str) -> None:
        """Remember an id; sequences come without holes, or again after a retry."""
        self._ids[sequence % WINDOW] = event_id
        self.last_sequence = max(self.last_sequence, sequence)

    def get(self, sequence: int) -> str | None:
        """The id that was seen with a sequence; None when it isn't remembered."""
        if max(self._first, self.last_sequence - WINDOW + 1) <= sequence <= self.last_sequence:
            return self._ids[sequence % WINDOW]
        return None


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence `found` came where a lower one was expected; the reader has to come back to `offset`."""

    offset: int
    found: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reader is in a partition.

    Everything before `next_offset` is done. `stopped` says why the reader goes no further without an operator.
    While there is a `gap`, `next_offset` is its offset.
    """

    next_offset: int
    last_sequence: int = 0
    last_id: str = ""
    last_timestamp_ms: int = 0
    gap: Gap | None = None
    stopped: str | None = None

    @property
    def stored(self) -> tuple[int, int, str | None]:
        """What makes two places different in the database."""
        return self.next_offset, self.last_sequence, self.stopped


@dataclass(slots=True)
class Step:
    """What records do to a progress: those to fold, and where the reader is then.

    `go_back`: a gap was closed, reading goes on at `after.next_offset`. `dropped` came a second time.
    """

    before: Progress
    after: Progress
    fold: list[IncomingRecord] = field(default_factory=list)
    dropped: int = 0
    go_back: bool = False


def advance(progress: Progress, seen: SeenIds, records: Iterable[IncomingRecord]) -> Step:
    """Work out what `records` of one partition, in order of offsets, do to its progress.

    Records without a sequence count once by their offset alone. `seen` learns the ids of those that count.
    """
    step = Step(progress, progress)
    if progress.stopped is not None:
        return step
    rest = iter(records)
    if progress.gap is None:
        _go_on(step, seen, rest)
    if step.after.gap is not None and step.after.stopped is None:
        _look_for_missing(step, seen, rest)
    return step


def _go_on(step: Step, seen: SeenIds, records: Iterable[IncomingRecord]) -> None:
    """Take records in order, until there are no more, one is missing, or one contradicts another."""
    place = step.before
    position, last, last_id, timestamp_ms = (
        place.next_offset,
        place.last_sequence,
        place.last_id,
        place.last_timestamp_ms,
    )
    fold, remember = step.fold, seen.add
    gap: Gap | None = None
    stopped: str | None = None
    for record in records:
        if record.offset < position:
            continue
        sequence = record.sequence
        if sequence is not None:
            if sequence > last + 1:
                gap = Gap(record.offset, sequence)
                position = record.offset
                break
            if sequence <= last:
                stopped = _contradiction(seen, record, sequence)
                if stopped is not None:
                    position = record.offset
                    break
                step.dropped += 1
                position = record.offset + 1
                continue
            last, last_id = sequence, record.id or ""
            remember(last, last_id)
        fold.append(record)
        timestamp_ms = record.timestamp_ms
        position = record.offset + 1
    step.after = Progress(position, last, last_id, timestamp_ms, gap, stopped)


def _look_for_missing(step: Step, seen: SeenIds, records: Iterable[IncomingRecord]) -> None:
    """Behind a gap: take only what is missing, in order, and go back when nothing is."""
    gap = step.after.gap
    if gap is None:
        return
    last, last_id = step.after.last_sequence, step.after.last_id
    stopped: str | None = None
    for record in records:
        sequence = record.sequence
        if sequence is None or record.offset < gap.offset:
            continue
        if sequence <= last:
            stopped = _contradiction(seen, record, sequence)
            if stopped is not None:
                break
        if sequence == last + 1:
            last, last_id = sequence, record.id or ""
            seen.add(last, last_id)
            step.fold.append(record)
            if last + 1 == gap.found:
                step.go_back = True
                break
    step.after = replace(
        step.after,
        last_sequence=last,
        last_id=last_id,
        gap=None if step.go_back else gap,
        stopped=stopped,
    )


def _contradiction(seen: SeenIds, record: IncomingRecord, sequence: int) -> str | None:
    """Why a record can't be the one that was folded with its sequence; None when it may be."""
    known = seen.get(sequence)
    if known is None or known == (record.id or ""):
        return None
    return (
        f"sequence {sequence} came with id {record.id!r} at offset {record.offset}, "
        f"but id {known!r} was folded with it: two writers, or a restored copy"
    )
