"""From records of `migration.requests` to facts. Anybody may write there, so every record is distrusted."""

from collections.abc import Iterable
from typing import Any

from contracts.codec import UnknownTypeFromKnownSourceError, UnreadableError, decode
from contracts.envelope import AnyEnvelope
from contracts.requests import MigrationRequested, MigrationSelectionPart, Selection
from contracts.topics import REQUESTS
from services.request_tracker.domain.facts import Facts, Record, RequestFact, Span, TimelineFact
from services.request_tracker.domain.summaries import summary_of
from services.request_tracker.domain.texts import DESCRIPTION_LIMIT, NAME_LIMIT, clipped, instant

_TOPIC = REQUESTS.name


def digest(records: Iterable[Record], facts: Facts) -> None:
    """Add to `facts` what the records say; what can't be read is counted by its reason."""
    for record in records:
        try:
            envelope = decode(_TOPIC, record.key, record.value, record.headers)
        except UnreadableError as error:
            facts.skip(_TOPIC, record.partition, str(error.reason))
        except UnknownTypeFromKnownSourceError:
            facts.skip(_TOPIC, record.partition, "unknown-type")
        else:
            _sort(record, envelope, facts)


def _sort(record: Record, envelope: AnyEnvelope, facts: Facts) -> None:
    data, at = envelope.data, instant(envelope.time)
    facts.spans.append(Span(_TOPIC, record.partition, data.request, record.offset, None, 1, at))
    if isinstance(data, MigrationSelectionPart):
        return
    event_id = clipped(envelope.id)
    facts.timeline.append(
        TimelineFact(
            data.request, _TOPIC, event_id, record.partition, None, record.offset, at, data.TYPE, summary_of(data)
        )
    )
    if isinstance(data, MigrationRequested):
        facts.requests.append(_request(envelope, data))


def _request(envelope: AnyEnvelope, data: MigrationRequested) -> RequestFact:
    return RequestFact(
        request=data.request,
        event_id=clipped(envelope.id),
        source=clipped(envelope.source),
        correlation=None if envelope.correlationid is None else clipped(envelope.correlationid),
        mode=data.mode,
        name=clipped(data.name, NAME_LIMIT),
        description=clipped(data.description, DESCRIPTION_LIMIT),
        service=data.service,
        mappings=[mapping.model_dump() for mapping in data.mappings],
        selection=_selection(data.selection),
        generate_missing_packages=data.generate_missing_packages,
        requested_by=clipped(data.requested_by),
        reference=data.reference,
        seen=None if data.seen is None else data.seen.model_dump(mode="json"),
        start_at=None if data.start_at is None else instant(data.start_at),
        requested_at=instant(envelope.time),
    )


def _selection(selection: Selection) -> dict[str, Any]:
    """The criteria, and how many exceptions are listed inside the request; the lists stay in the event."""
    return {
        "all_customers": selection.all_customers,
        "all_users": selection.all_users,
        "customers": len(selection.customers),
        "excluded_customers": len(selection.excluded_customers),
        "users": len(selection.users),
        "excluded_users": len(selection.excluded_users),
        "parts": selection.parts,
    }
