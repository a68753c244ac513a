"""From records of `provisioning.events` to facts.

Only the engine writes the topic, so the type header decides and the value is validated once.
"""

from collections.abc import Iterable
from datetime import datetime
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
from services.request_tracker.domain.batches import planned
from services.request_tracker.domain.facts import (
    ExclusionFact,
    Facts,
    Finished,
    PackageFact,
    Planned,
    Record,
    Reopened,
    Settled,
    StateOp,
    TimelineFact,
)
from services.request_tracker.domain.migrated import Run, begin, note_op, read_migrated
from services.request_tracker.domain.outcomes import CANCELLED, FAILED, SKIPPED
from services.request_tracker.domain.spans import note_span
from services.request_tracker.domain.summaries import summary_of
from services.request_tracker.domain.texts import clipped, instant

_TOPIC = PROVISIONING.name
_USER_MIGRATED = UserMigrated.TYPE
_KNOWN = frozenset(model.TYPE for model in EVENTS_BY_TOPIC[_TOPIC])

UserTrouble = UserMigrationFailed | UserMigrationSkipped | UserMigrationCancelled
_CODES: dict[type[Any], int] = {
    UserMigrationFailed: FAILED,
    UserMigrationSkipped: SKIPPED,
    UserMigrationCancelled: CANCELLED,
}


def digest(records: Iterable[Record], facts: Facts) -> None:
    """Add to `facts` what the engine's records say; a partition's records come in order."""
    run = Run()
    for record in records:
        if record.type != _USER_MIGRATED or record.sequence is None:
            run.close(facts)
            _digest_other(record, facts)
            continue
        try:
            event = read_migrated(record.value)  # type: ignore[arg-type]  # None is refused like any other non-JSON
        except ValidationError:
            facts.skip(_TOPIC, record.partition, "wrong-shape")
            continue
        data = event["data"]
        if (
            record.offset == run.next_offset
            and data["position"] == run.next_position
            and record.sequence == run.next_sequence
            and data["batch"] == run.batch
            and data["request"] == run.request
            and event["time"] == run.time
            and data["attempt"] == run.attempt
        ):
            run.next_offset += 1
            run.next_position += 1
            run.next_sequence += 1
        else:
            run.close(facts)
            begin(run, record, event, facts)
    run.close(facts)


def _settled(record: Record, envelope: AnyEnvelope, code: int) -> Settled:
    data = envelope.data
    return Settled(
        data.request,
        data.batch,
        data.attempt,
        envelope.time,
        data.position,
        record.sequence or 0,
        record.offset,
        code,
        record.partition,
    )


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
    note_span(facts, record.partition, data.request, record.offset, record.sequence, 1, time)
    _sort(facts, record, envelope, record.sequence, time)


def _sort(facts: Facts, record: Record, envelope: AnyEnvelope, sequence: int, time: datetime) -> None:
    """Put an event to the rows that it concerns."""
    data = envelope.data
    match data:
        case BatchPlanned():
            note_op(facts, record, data.customer, Planned(planned(data, record.partition, sequence, time)))
        case UserMigrationFailed() | UserMigrationSkipped() | UserMigrationCancelled():
            note_op(facts, record, data.customer, _trouble(record, envelope, data))
        case BatchFinished():
            note_op(facts, record, data.customer, Finished(data, sequence, time))
        case BatchReopened():
            note_op(facts, record, data.customer, Reopened(data, sequence, time))
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
