"""The two shapes in which an event travels: out of a ledger, and into a reader."""

from __future__ import annotations

from typing import NamedTuple, Protocol

_MAX_SEQUENCE_DIGITS = 20


class OutgoingEvent(NamedTuple):
    """An event that a ledger stores and a relay publishes.

    `body` is the finished JSON document, on one line, and contains its own sequence. None of the texts
    contains a tab or a line feed.
    """

    type: str
    key: str
    id: str
    body: bytes


class IncomingRecord(NamedTuple):
    """A record as a reader hands it to a fold.

    `topic` has no prefix, `timestamp_ms` is Kafka's. `type` and `id` come from the headers `type` and `id`, or
    from `ce_type` and `ce_id` (CloudEvents binary mode); None where there is no such header or it is not UTF-8.
    `sequence` comes from the header `sequence`, which only writers with a ledger set. A foreign `ce_sequence`
    counts in no ledger of ours, so it stays in `headers` only.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    type: str | None
    id: str | None
    sequence: int | None


class RawRecord(Protocol):
    """What is needed of a Kafka client's record."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def record_headers(event_type: bytes, event_id: bytes, sequence: int) -> list[tuple[str, bytes]]:
    """Headers of a published event, in the order in which `from_raw` finds them fastest."""
    return [
        ("content-type", b"application/cloudevents+json; charset=UTF-8"),
        ("type", event_type),
        ("id", event_id),
        ("sequence", b"%d" % sequence),
    ]


def from_raw(raw: RawRecord, topic: str) -> IncomingRecord:
    """Decode a Kafka record's headers; never raises, whatever the record holds."""
    headers = raw.headers
    if not headers:
        event_type = event_id = sequence = None
    else:
        event_type, event_id, sequence = _known_headers(headers)
    return IncomingRecord(
        topic,
        raw.partition,
        raw.offset,
        raw.timestamp,
        raw.key,
        raw.value,
        headers,
        event_type,
        event_id,
        sequence,
    )


def _known_headers(headers: tuple[tuple[str, bytes], ...]) -> tuple[str | None, str | None, int | None]:
    """Type, id and sequence; the order of our own writers is tried first, because it is the hot path."""
    try:
        _, (type_name, type_value), (id_name, id_value), (sequence_name, sequence_value) = headers[:4]
        if type_name == "type" and id_name == "id" and sequence_name == "sequence":
            return type_value.decode(), id_value.decode(), _sequence(sequence_value)
    except (ValueError, AttributeError):
        pass
    found = dict(reversed(headers))  # the first of several headers of one name counts
    return (
        _text(found.get("type", found.get("ce_type"))),
        _text(found.get("id", found.get("ce_id"))),
        _sequence(found.get("sequence")),
    )


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _sequence(value: bytes | None) -> int | None:
    if value is None or not value.isdigit() or len(value) > _MAX_SEQUENCE_DIGITS:
        return None
    return int(value) or None
