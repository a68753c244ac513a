"""Folding: what was fetched becomes effects, together with the positions, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import structlog
from prometheus_client import Counter

from eventlog.alarms import Alarms
from eventlog.arithmetic import Step, advance
from eventlog.connections import AWAY_ERRORS, Patience, describe
from eventlog.database import TRANSIENT_ERRORS, Connection, Pool
from eventlog.failpoints import reach
from eventlog.fetching import Fetching
from eventlog.placing import STOPPED, Placing
from eventlog.positions import Move, PartitionKey, compare_and_swap
from eventlog.record import IncomingRecord
from eventlog.slots import Batch, Intake, Slot, Slots

Fold = Callable[[Connection, Sequence[IncomingRecord]], Awaitable[None]]
AfterCommit = Callable[[Sequence[IncomingRecord]], None]

_log = structlog.get_logger("eventlog.folding")
_folded = Counter("eventlog_records_folded_total", "Records folded", ["reader"])
_dropped = Counter("eventlog_records_dropped_total", "Records that came a second time", ["reader"])
_transactions = Counter("eventlog_fold_transactions_total", "Transactions that moved positions", ["reader"])

_IDLE_TURN_S = 0.25
_LONGEST_RETRY_S = 30.0
_FIRST_RETRY_S = 0.5

GAP = "gap"
POISON = "poison"


class TypeFilter(NamedTuple):
    """Which types a fold gets. Records without a type header are always handed over."""

    skip: frozenset[str]
    wanted: frozenset[str] | None

    def keep(self, records: list[IncomingRecord]) -> list[IncomingRecord]:
        """The records that the fold wants."""
        if self.wanted is not None:
            wanted = self.wanted
            records = [r for r in records if r.type is None or r.type in wanted]
        if self.skip:
            skip = self.skip
            records = [r for r in records if r.type not in skip]
        return records


class _Work(NamedTuple):
    """What one partition does in a transaction."""

    slot: Slot
    generation: int
    step: Step


class Folding:
    """Takes from the intake, works out what counts, and folds it; one transaction at a time."""

    def __init__(
        self,
        pool: Pool,
        reader: str,
        *,
        slots: Slots,
        intake: Intake,
        fetching: Fetching,
        fold: Fold,
        types: TypeFilter,
        alarms: Alarms,
        max_records: int,
        gather_s: float,
        after_commit: AfterCommit | None,
    ) -> None:
        self._pool = pool
        self._reader = reader
        self._slots = slots
        self._intake = intake
        self._fetching = fetching
        self._placing = Placing(pool, reader, slots, fetching, alarms)
        self._fold = fold
        self._types = types
        self._alarms = alarms
        self._max_records = max_records
        self._gather_s = gather_s
        self._after_commit = after_commit
        self._patience = Patience(f"Postgres, for reader {reader}", longest_s=2.0)
        self._placing_patience = Patience(f"Kafka or Postgres, for the positions of reader {reader}", longest_s=2.0)
        self.progressed = asyncio.Event()

    @property
    def is_waiting(self) -> bool:
        """Whether Kafka or Postgres was away at the last attempt."""
        return self._patience.is_waiting or self._placing_patience.is_waiting

    async def run(self) -> None:
        """Fold until cancelled."""
        while True:
            await self._place_missing()
            batches = await self._intake.gather(self._max_records, wait_s=self._turn_s(), gather_s=self._gather_s)
            work = self._work_out(batches) if batches else self._pass_tails()
            if work:
                await self._commit(work)

    def _turn_s(self) -> float:
        """Look for new partitions soon while there are some without a place."""
        return 0.02 if self._slots.unplaced else _IDLE_TURN_S

    async def _place_missing(self) -> None:
        try:
            await self._placing.place_missing()
        except AWAY_ERRORS as error:
            await self._placing_patience.failed(error)
        else:
            self._placing_patience.succeeded()

    def _work_out(self, batches: Sequence[Batch]) -> list[_Work]:
        """What the batches do to each partition that is still ours and still where they were fetched."""
        grouped: dict[Slot, list[IncomingRecord]] = {}
        for batch in batches:
            if self._slots.is_current(batch.slot, batch.generation):
                grouped.setdefault(batch.slot, []).extend(batch.records)
        return [
            _Work(slot, slot.generation, advance(slot.progress, slot.seen, records))
            for slot, records in grouped.items()
            if slot.progress is not None
        ]

    def _pass_tails(self) -> list[_Work]:
        """Move past offsets at partitions' ends that hold no record, so that nothing seems to be left there."""
        return [
            _Work(slot, slot.generation, Step(slot.progress, replace(slot.progress, next_offset=slot.pass_to)))
            for slot in self._slots
            if slot.progress is not None
            and slot.pass_to is not None
            and slot.decoded_to <= slot.progress.next_offset < slot.pass_to
        ]

    async def _commit(self, work: list[_Work]) -> None:
        """Do the work, however long the database is away; a fold that fails for good stops its partition only."""
        while True:
            work = [w for w in work if self._slots.is_current(w.slot, w.generation)]
            if not work:
                return
            try:
                swapped, records = await self._transact(work)
            except TRANSIENT_ERRORS as error:
                await self._patience.failed(error)
            except Exception as error:  # noqa: BLE001 - the fold is foreign, whatever it raises must not end the reader
                await self._isolate(work, error)
                return
            else:
                self._patience.succeeded()
                self._settle(work, swapped)
                if records and self._after_commit is not None:
                    self._after_commit(records)
                return

    async def _transact(self, work: Sequence[_Work]) -> tuple[set[PartitionKey], list[IncomingRecord]]:
        """Positions and effects together; returns which positions were where we thought, and what was folded."""
        moves = [
            Move(w.slot.key, w.step.before, w.step.after) for w in work if w.step.before.stored != w.step.after.stored
        ]
        if not moves:
            return set(), []
        async with self._pool.acquire() as conn, conn.transaction():
            swapped = await compare_and_swap(conn, self._reader, moves)
            records = [r for w in work if w.slot.key in swapped for r in self._types.keep(w.step.fold)]
            if records:
                await self._fold(conn, records)
            await reach("in-fold")
        _transactions.labels(self._reader).inc()
        return swapped, records

    async def _isolate(self, work: list[_Work], error: Exception) -> None:
        """Find the partition whose records can't be folded; it waits, the others go on."""
        if len(work) > 1:
            for one in work:
                await self._commit([one])
            return
        slot = work[0].slot
        slot.retry_wait_s = min(_LONGEST_RETRY_S, slot.retry_wait_s * 2 or _FIRST_RETRY_S)
        self._fetching.pause(slot)
        slot.take_out(retry_after_s=slot.retry_wait_s)
        offset = work[0].step.before.next_offset
        self._alarms.raise_(
            POISON,
            str(slot.key),
            f"the records from offset {offset} on can't be folded, tried again and again: {describe(error)}",
            reader=self._reader,
        )

    def _settle(self, work: Sequence[_Work], swapped: set[PartitionKey]) -> None:
        """Take over what was committed; a partition that another reader has moved is read again."""
        for slot, generation, step in work:
            if not self._slots.is_current(slot, generation):
                continue
            if step.before.stored != step.after.stored and slot.key not in swapped:
                _log.info("position was moved by another, reading it again", reader=self._reader, place=str(slot.key))
                slot.take_out()
                continue
            slot.progress = slot.shown = step.after
            self._after_step(slot, step)
            _folded.labels(self._reader).inc(len(step.fold))
            _dropped.labels(self._reader).inc(step.dropped)
        self.progressed.set()

    def _after_step(self, slot: Slot, step: Step) -> None:
        place, after = str(slot.key), step.after
        if slot.retry_wait_s and step.before.stored != after.stored:
            slot.retry_wait_s = 0.0
            self._alarms.clear(POISON, place)
        if after.stopped is not None:
            self._fetching.pause(slot)
            slot.take_out(retry_after_s=1.0, why=after.stopped)
            self._alarms.raise_(STOPPED, place, after.stopped, reader=self._reader)
        elif step.go_back:
            self._alarms.clear(GAP, place)
            if self._fetching.stand_at(slot, after.next_offset):
                slot.put(after)
        elif after.gap is not None:
            text = (
                f"sequence {after.last_sequence + 1} is missing before {after.gap.found} at offset {after.gap.offset}"
            )
            self._alarms.raise_(GAP, place, f"{text}: republish it", reader=self._reader)
