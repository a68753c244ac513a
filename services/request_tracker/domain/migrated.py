"""Reading events of migrated users: the hot path of the tracker.

Of a UserMigrated, of which there are a thousand times as many as of everything else, only the members that the fold
needs are read: a third of the cost of the whole model (a test holds both readings together).
"""

from typing import assert_never

from pydantic import AwareDatetime, ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from contracts.provisioning import Number
from contracts.topics import PROVISIONING
from services.request_tracker.domain.facts import (
    BatchOp,
    BatchWork,
    Facts,
    Finished,
    Planned,
    Record,
    Reopened,
    Settled,
)
from services.request_tracker.domain.outcomes import MIGRATED
from services.request_tracker.domain.rows import BatchKey
from services.request_tracker.domain.spans import note_span

_TIME = TypeAdapter(AwareDatetime)


class Migrated(TypedDict):
    """What the fold needs of a UserMigrated's data."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")  # type: ignore[misc]  # pydantic's own way
    request: str
    customer: str
    batch: Number
    position: Number
    attempt: Number


class MigratedEvent(TypedDict):
    """What the fold needs of a UserMigrated: the time is parsed once for a run of events."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")  # type: ignore[misc]  # pydantic's own way
    time: str
    data: Migrated


read_migrated = TypeAdapter(MigratedEvent).validator.validate_json


class Run:
    """The run of migrated users that the next event may continue."""

    __slots__ = ("attempt", "batch", "next_offset", "next_position", "next_sequence", "op", "request", "time")

    def __init__(self) -> None:
        self.op: Settled | None = None
        self.request = self.time = ""
        self.batch = self.attempt = self.next_offset = self.next_position = self.next_sequence = -1

    def begin(self, op: Settled, time: str) -> None:
        """Go on behind the run's first event."""
        self.op, self.time = op, time
        self.request, self.batch, self.attempt = op.request, op.batch, op.attempt
        self.next_offset, self.next_position, self.next_sequence = op.offset + 1, op.position + 1, op.sequence + 1

    def close(self, facts: Facts) -> None:
        """Note how far the run went and where its records are; nothing continues it any more."""
        op = self.op
        if op is not None:
            op.n = self.next_position - op.position
            note_span(facts, op.partition, op.request, op.offset, op.sequence, op.n, op.time)
            self.op, self.next_offset = None, -1


def begin(run: Run, record: Record, event: MigratedEvent, facts: Facts) -> None:
    """Begin a run with an event."""
    data = event["data"]
    try:
        time = _TIME.validate_python(event["time"])
    except ValidationError:
        facts.skip(PROVISIONING.name, record.partition, "wrong-shape")
        return
    op = Settled(
        data["request"],
        data["batch"],
        data["attempt"],
        time,
        data["position"],
        record.sequence or 0,
        record.offset,
        MIGRATED,
        record.partition,
    )
    note_op(facts, record, data["customer"], op)
    run.begin(op, event["time"])


def note_op(facts: Facts, record: Record, customer: str, op: BatchOp) -> None:
    """Put an op to the others of its batch."""
    key = _key_of(op)
    work = facts.batches.get(key)
    if work is None:
        work = facts.batches[key] = BatchWork(record.partition, customer)
    work.ops.append(op)


def _key_of(op: BatchOp) -> BatchKey:
    match op:
        case Settled(request=request, batch=batch):
            return BatchKey(request, batch)
        case Planned():
            return BatchKey(op.row.request, op.row.batch)
        case Finished() | Reopened():
            return BatchKey(op.data.request, op.data.batch)
        case _:
            assert_never(op)
