"""A batch's row under its events: planned, outcomes, finished, tried again."""

from dataclasses import replace
from datetime import datetime

from contracts.provisioning import BatchPlanned
from services.request_tracker.domain.facts import Finished, Reopened, Settled
from services.request_tracker.domain.outcomes import (
    CANCELLED,
    FAILED,
    MIGRATED,
    OUTCOMES,
    PENDING,
    SKIPPED,
    Run,
    joined,
    run_of,
)
from services.request_tracker.domain.rows import BatchRow, Counts
from services.request_tracker.domain.texts import micros

_COUNTERS = {MIGRATED: "migrated", FAILED: "failed", SKIPPED: "skipped", CANCELLED: "cancelled"}


def reason_name(code: int, reason: str) -> str:
    """How a reason is counted: "failed/refused-by-connector"."""
    return f"{OUTCOMES[code]}/{reason}"


def count(counts: Counts | BatchRow, code: int, n: int) -> None:
    """Add `n` users with the outcome of this byte."""
    name = _COUNTERS[code]
    setattr(counts, name, getattr(counts, name) + n)


def planned(data: BatchPlanned, shard: int, sequence: int, time: datetime) -> BatchRow:
    """The new row: everybody pending."""
    return BatchRow(
        request=data.request,
        batch=data.batch,
        shard=shard,
        customer=data.customer,
        service=data.service,
        from_plan=data.from_plan,
        to_plan=data.to_plan,
        mode=data.mode,
        n=len(data.users),
        users="\n".join(data.users),
        first_user=min(data.users),
        last_user=max(data.users),
        planned_sequence=sequence,
        planned_at=time,
        outcome=bytearray(len(data.users)),
    )


def settle(row: BatchRow, op: Settled) -> int:
    """Take outcomes in; how many users had none before. A second outcome of a user changes nothing."""
    end = op.position + op.n
    if end > row.n or row.outcome.count(PENDING, op.position, end) != op.n:
        return _settle_one_by_one(row, op)
    row.outcome[op.position : end] = bytes((op.code,)) * op.n
    joined(row.runs, Run(op.position, op.n, op.sequence, micros(op.time), op.attempt))
    count(row, op.code, op.n)
    if op.reason is not None:
        for position in range(op.position, end):
            row.exceptions[str(position)] = {
                "outcome": str(OUTCOMES[op.code]),
                "reason": op.reason,
                "detail": op.detail,
                "transient": op.transient,
            }
    return op.n


def _settle_one_by_one(row: BatchRow, op: Settled) -> int:
    taken = 0
    for position in range(op.position, min(op.position + op.n, row.n)):
        if row.outcome[position] == PENDING:
            taken += settle(row, replace(op, position=position, sequence=op.sequence + position - op.position, n=1))
    return taken


def finish(row: BatchRow, op: Finished) -> bool:
    """Note the end of an attempt; whether the engine's counts are those of the outcomes (told by the first attempt)."""
    row.finished_sequence, row.finished_at = op.sequence, op.time
    data = op.data
    return data.attempt > 1 or (data.migrated, data.failed, data.skipped, data.cancelled) == (
        row.migrated,
        row.failed,
        row.skipped,
        row.cancelled,
    )


def reopen(row: BatchRow, op: Reopened) -> list[tuple[int, str | None]]:
    """Make positions pending again; gives each one's former outcome byte and reason, which go into the history."""
    row.attempt = op.data.attempt
    row.finished_sequence = row.finished_at = None
    former = []
    for position in op.data.positions:
        if position >= row.n or row.outcome[position] == PENDING:
            continue
        code = row.outcome[position]
        run = run_of(row.runs, position)
        name = str(position)
        told = row.exceptions.pop(name, {"outcome": str(OUTCOMES[code])})
        if run is not None:
            told |= {
                "attempt": run.attempt,
                "sequence": run.sequence + position - run.position,
                "time_us": run.time_us,
            }
        row.history.setdefault(name, []).append(told)
        row.outcome[position] = PENDING
        count(row, code, -1)
        former.append((code, told.get("reason")))
    return former
