"""Where a request's records of `provisioning.events` are: neighbours within a second make one span."""

from datetime import datetime

from contracts.topics import PROVISIONING
from services.request_tracker.domain.facts import Facts, Span
from services.request_tracker.domain.texts import instant

_TOPIC = PROVISIONING.name
_SLICE_S = 1.0
_LONGEST = 1_000


def note_span(facts: Facts, partition: int, request: str, offset: int, sequence: int, n: int, time: datetime) -> None:
    """Note where `n` consecutive records are, or let the last span grow."""
    last = facts.spans[-1] if facts.spans else None
    if (
        last is not None
        and last.partition == partition
        and last.request == request
        and last.topic == _TOPIC
        and last.first_sequence is not None
        and last.first_sequence + last.n == sequence
        and last.first_offset + last.n == offset
        and last.n + n <= _LONGEST
        and 0 <= (time - last.first_at).total_seconds() < _SLICE_S
    ):
        last.n += n
    else:
        facts.spans.append(Span(_TOPIC, partition, request, offset, sequence, n, instant(time)))
