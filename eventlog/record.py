"""The two shapes in which an event travels: out of a ledger, and into a reader."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

_MAX_SEQUENCE_DIGITS = 20
_MAX_SEQUENCE = 2**63 - 1


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
    return from_raws([raw], topic)[0]


def from_raws(raws: Iterable[RawRecord], topic: str) -> list[IncomingRecord]:
    """Decode many records' headers. Those of our own writers, in their order, are the hot path."""
    records: list[IncomingRecord] = []
    for raw in raws:
        headers = raw.headers
        try:
            _, (type_name, type_value), (id_name, id_value), (sequence_name, digits) = headers
            if type_name != "type" or id_name != "id" or sequence_name != "sequence":
                known = _search(headers)
            else:
                known = _type_text(type_value), id_value.decode(), _sequence(digits)
        except (ValueError, AttributeError):
            known = _search(headers)
        place = (topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, headers)
        records.append(_new(IncomingRecord, place + known))
    return records


_new = tuple.__new__  # half the cost of IncomingRecord(…), ten fields one by one


@lru_cache(maxsize=1024)
def _type_text(value: bytes) -> str:
    """A type's text, the same object for each record of it. Raises UnicodeDecodeError, a ValueError."""
    return value.decode()


def _search(headers: tuple[tuple[str, bytes], ...]) -> tuple[str | None, str | None, int | None]:
    """Type, id and sequence, whatever the headers' order; the first of several of one name counts."""
    if not headers:
        return None, None, None
    found = dict(reversed(headers))
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
    sequence = int(value)
    return sequence if 0 < sequence <= _MAX_SEQUENCE else None
