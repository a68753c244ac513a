"""From records of `provisioning.events` to facts: the hot path of the tracker.

Only the engine writes the topic, so the type header decides and the value is validated once.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from contracts.codec import EVENTS_BY_TOPIC, adapter_for
from contracts.envelope import AnyEnvelope
from contracts.provisioning import (
    BatchFinished,
    BatchPlanned,
    BatchReopened,
    PackageGenerated,
    PackageGenerationFailed,
    UserMigrated,
    UserMigrationCancelled,
    UserMigrationFailed,
    UserMigrationSkipped,
    UsersExcluded,
)
from contracts.topics import PROVISIONING
from services.request_tracker.domain.facts import (
    BatchOp,
    BatchWork,
    ExclusionFact,
    Facts,
    Finished,
    PackageFact,
    Planned,
    Record,
    Reopened,
    Settled,
    Span,
    StateOp,
    TimelineFact,
)
from services.request_tracker.domain.outcomes import CANCELLED, FAILED, MIGRATED, SKIPPED
from services.request_tracker.domain.rows import BatchKey
from services.request_tracker.domain.summaries import summary_of
from services.request_tracker.domain.texts import clipped, instant

_TOPIC = PROVISIONING.name
_USER_MIGRATED = UserMigrated.TYPE
_KNOWN = frozenset(model.TYPE for model in EVENTS_BY_TOPIC[_TOPIC])
_SLICE_S = 1.0
_LONGEST_SPAN = 1_000

UserTrouble = UserMigrationFailed | UserMigrationSkipped | UserMigrationCancelled
_CODES: dict[type[Any], int] = {
    UserMigrationFailed: FAILED,
    UserMigrationSkipped: SKIPPED,
    UserMigrationCancelled: CANCELLED,
}


def _no_run() -> Settled:
    """A run that nothing continues."""
    return Settled("", -1, 0, datetime(1970, 1, 1, tzinfo=UTC), 0, 0, 0, MIGRATED, -1, -1, -1, -1)


def digest(records: Iterable[Record], facts: Facts) -> None:
    """Add to `facts` what the engine's records say; a partition's records come in order."""
    validate = adapter_for(_USER_MIGRATED).validate_json
    run = _no_run()
    for record in records:
        if record.type != _USER_MIGRATED or record.sequence is None:
            run = _closed(run, facts)
            _digest_other(record, facts)
            continue
        try:
            envelope = validate(record.value)  # type: ignore[arg-type]  # None is refused like any other non-JSON
        except ValidationError:
            facts.skip(_TOPIC, record.partition, "wrong-shape")
            continue
        data = envelope.data
        if (
            record.offset == run.next_offset
            and data.position == run.next_position
            and record.sequence == run.next_sequence
            and data.batch == run.batch
            and data.request == run.request
            and envelope.time == run.time
            and data.attempt == run.attempt
        ):
            run.next_offset += 1
            run.next_position += 1
            run.next_sequence += 1
        else:
            _closed(run, facts)
            run = _settled(record, envelope, MIGRATED)
            _batch_op(facts, record, data, run)
    _closed(run, facts)


def _closed(run: Settled, facts: Facts) -> Settled:
    """Note where the run's records are, and give a run that nothing continues."""
    if run.partition < 0:
        return run
    n = run.next_position - run.position
    _span(facts, run.partition, run.request, run.offset, run.sequence, n, run.time)
    return _no_run()


def _settled(record: Record, envelope: AnyEnvelope, code: int) -> Settled:
    data, offset, sequence = envelope.data, record.offset, record.sequence or 0
    return Settled(
        request=data.request,
        batch=data.batch,
        attempt=data.attempt,
        time=envelope.time,
        position=data.position,
        sequence=sequence,
        offset=offset,
        code=code,
        next_position=data.position + 1,
        next_sequence=sequence + 1,
        next_offset=offset + 1,
        partition=record.partition,
    )


def _batch_op(facts: Facts, record: Record, data: Any, op: BatchOp) -> None:  # noqa: ANN401 - any event of a batch
    key = BatchKey(data.request, data.batch)
    work = facts.batches.get(key)
    if work is None:
        work = facts.batches[key] = BatchWork(record.partition, data.customer)
    work.ops.append(op)


def _span(  # noqa: PLR0917 - a span's fields, on the hot path
    facts: Facts, partition: int, request: str, offset: int, sequence: int, n: int, time: datetime
) -> None:
    last = facts.spans[-1] if facts.spans else None
    if (
        last is not None
        and last.partition == partition
        and last.request == request
        and last.topic == _TOPIC
        and last.first_sequence is not None
        and last.first_sequence + last.n == sequence
        and last.first_offset + last.n == offset
        and last.n + n <= _LONGEST_SPAN
        and 0 <= (time - last.first_at).total_seconds() < _SLICE_S
    ):
        last.n += n
    else:
        facts.spans.append(Span(_TOPIC, partition, request, offset, sequence, n, instant(time)))


def _digest_other(record: Record, facts: Facts) -> None:
    if record.sequence is None:
        facts.skip(_TOPIC, record.partition, "no-sequence")
        return
    if record.type not in _KNOWN:
        facts.skip(_TOPIC, record.partition, "unknown-type")
        return
    try:
        envelope = adapter_for(record.type).validate_json(record.value)  # type: ignore[arg-type]  # as above
    except ValidationError:
        facts.skip(_TOPIC, record.partition, "wrong-shape")
        return
    data, time = envelope.data, instant(envelope.time)
    _span(facts, record.partition, data.request, record.offset, record.sequence, 1, time)
    _sort(facts, record, envelope, record.sequence, time)


def _sort(facts: Facts, record: Record, envelope: AnyEnvelope, sequence: int, time: datetime) -> None:
    """Put an event to the rows that it concerns."""
    data = envelope.data
    match data:
        case BatchPlanned():
            _batch_op(facts, record, data, Planned(data, sequence, time))
        case UserMigrationFailed() | UserMigrationSkipped() | UserMigrationCancelled():
            _batch_op(facts, record, data, _trouble(record, envelope, data))
        case BatchFinished():
            _batch_op(facts, record, data, Finished(data, sequence, time))
        case BatchReopened():
            _batch_op(facts, record, data, Reopened(data, sequence, time))
        case UsersExcluded():
            facts.exclusions.append(_exclusion(record.partition, sequence, data, time))
        case PackageGenerated() | PackageGenerationFailed():
            facts.packages.append(_package(record.partition, sequence, data, time))
        case _:
            op = StateOp(data, sequence, time, record.partition)
            facts.states.setdefault(data.request, []).append(op)
            facts.timeline.append(_line(record, envelope, sequence, time))


def _trouble(record: Record, envelope: AnyEnvelope, data: UserTrouble) -> Settled:
    op = _settled(record, envelope, _CODES[type(data)])
    op.reason = str(data.reason)
    if not isinstance(data, UserMigrationCancelled):
        op.detail = clipped(data.detail)
    op.transient = isinstance(data, UserMigrationFailed) and data.transient
    return op


def _exclusion(shard: int, sequence: int, data: UsersExcluded, time: datetime) -> ExclusionFact:
    users = data.users
    return ExclusionFact(
        shard,
        sequence,
        data.request,
        data.customer,
        str(data.reason),
        len(users),
        "\n".join(users),
        min(users),
        max(users),
        time,
    )


def _package(
    shard: int, sequence: int, data: PackageGenerated | PackageGenerationFailed, time: datetime
) -> PackageFact:
    generated = isinstance(data, PackageGenerated)
    return PackageFact(
        shard,
        sequence,
        data.request,
        data.customer,
        data.service,
        data.plan,
        generated,
        data.seat_limit if isinstance(data, PackageGenerated) else None,
        "" if isinstance(data, PackageGenerated) else clipped(data.detail),
        time,
    )


def _line(record: Record, envelope: AnyEnvelope, sequence: int, time: datetime) -> TimelineFact:
    return TimelineFact(
        envelope.data.request,
        _TOPIC,
        clipped(envelope.id),
        record.partition,
        sequence,
        record.offset,
        time,
        envelope.data.TYPE,
        summary_of(envelope.data),
    )
