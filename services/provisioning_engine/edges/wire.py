"""Events as the ledger takes them: finished JSON, made from the contracts; the hot path from templates of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from contracts.codec import encode
from contracts.envelope import ENGINE_SOURCE, wrap
from contracts.provisioning import EngineEvent, UserMigrated
from eventlog.record import OutgoingEvent
from services.provisioning_engine.domain import event_ids
from services.provisioning_engine.domain.outcomes import Batch

_SEQUENCE, _POSITION, _USER, _REVISION = 10**19 + 1, 10**15 + 7, "@user@", 10**15 + 9

Writer = Callable[[int], OutgoingEvent]
"""Makes one event, once its sequence is known."""


class Thread(NamedTuple):
    """What ties a request's events together: correlation, the event that caused them, the trace."""

    request: str
    correlation: str
    causation: str
    traceparent: str | None


def outgoing(thread: Thread, event_id: str, data: EngineEvent, time: datetime, sequence: int) -> OutgoingEvent:
    """Give one event with its envelope."""
    envelope = wrap(
        data,
        event_id=event_id,
        source=ENGINE_SOURCE,
        time=time,
        sequence=sequence,
        correlation_id=thread.correlation,
        causation_id=thread.causation,
        traceparent=thread.traceparent,
    )
    return OutgoingEvent(data.TYPE, data.key(), event_id, encode(envelope))


def migrated_users(
    thread: Thread,
    service: str,
    batch: Batch,
    time: datetime,
    first_sequence: int,
    migrated: Sequence[tuple[int, str, int]],
) -> list[OutgoingEvent]:
    """Give one UserMigrated for each (position, user, revision), with sequences from `first_sequence` on.

    The text around what differs is cut out of one event that the contracts encoded, so both can't drift apart.
    """
    template = _template(thread, service, batch, time)
    if template is None:
        return _one_by_one(thread, service, batch, time, first_sequence, migrated)
    head, after_id, after_subject, after_sequence, after_user, after_position, tail = template
    start, end = event_ids.user_ended(thread.request, batch.no, "|", batch.attempt).split("|")
    kind, key = UserMigrated.TYPE, batch.customer
    return [
        OutgoingEvent(
            kind,
            key,
            f"{start}{position}{end}",
            f"{head}{position}{after_id}{user}{after_subject}{sequence:020d}{after_sequence}{user}"
            f"{after_user}{position}{after_position}{revision}{tail}".encode(),
        )
        for sequence, (position, user, revision) in enumerate(migrated, first_sequence)
    ]


def _template(thread: Thread, service: str, batch: Batch, time: datetime) -> list[str] | None:
    """Give the texts between what differs; none if a name in the event looks like one of the marks."""
    data = _user_migrated(thread.request, service, batch, _POSITION, _USER, _REVISION)
    event_id = event_ids.user_ended(thread.request, batch.no, _POSITION, batch.attempt)
    rest = outgoing(thread, event_id, data, time, _SEQUENCE).body.decode()
    marks = [str(mark) for mark in (_POSITION, _USER, f"{_SEQUENCE:020d}", _USER, _POSITION, _REVISION)]
    if any(rest.count(mark) != marks.count(mark) for mark in marks):
        return None
    parts = []
    for mark in marks:
        part, rest = rest.split(mark, 1)
        parts.append(part)
    return [*parts, rest]


def _one_by_one(
    thread: Thread,
    service: str,
    batch: Batch,
    time: datetime,
    first_sequence: int,
    migrated: Sequence[tuple[int, str, int]],
) -> list[OutgoingEvent]:
    """Give the same events without a template."""
    return [
        outgoing(
            thread,
            event_ids.user_ended(thread.request, batch.no, position, batch.attempt),
            _user_migrated(thread.request, service, batch, position, user, revision),
            time,
            sequence,
        )
        for sequence, (position, user, revision) in enumerate(migrated, first_sequence)
    ]


def _user_migrated(request: str, service: str, batch: Batch, position: int, user: str, revision: int) -> UserMigrated:
    """Give the event's data without another check: what it is made of was checked when it came in."""
    return UserMigrated.model_construct(
        request=request,
        customer=batch.customer,
        user=user,
        batch=batch.no,
        position=position,
        attempt=batch.attempt,
        service=service,
        from_plan=batch.from_plan,
        to_plan=batch.to_plan,
        revision=revision,
    )
