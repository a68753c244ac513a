"""The stored form of a chunk of events: zstd over lines of type, tab, key, tab, id, tab, body."""

from __future__ import annotations

from collections.abc import Sequence

from cramjam import zstd

from eventlog.errors import EventTooLarge, MalformedEvent
from eventlog.record import OutgoingEvent

_LEVEL = 1
_TABS_PER_LINE = 3


def pack(events: Sequence[OutgoingEvent], *, max_event_bytes: int) -> bytes:
    """Compress events in their order. Raises EventTooLarge or MalformedEvent and names the event."""
    if max(len(event.body) for event in events) > max_event_bytes:
        large = next(event for event in events if len(event.body) > max_event_bytes)
        raise EventTooLarge(large.id, len(large.body), max_event_bytes)
    parts: list[bytes] = []
    for event_type, key, event_id, body in events:
        parts.append(f"{event_type}\t{key}\t{event_id}\t".encode())
        parts.append(body)
        parts.append(b"\n")
    lines = b"".join(parts)
    # Counting over the whole chunk is a hundred times cheaper than looking at every event.
    if lines.count(b"\n") != len(events) or lines.count(b"\t") != _TABS_PER_LINE * len(events):
        raise MalformedEvent(f"event {_first_malformed(events)} contains a tab or a line feed")
    return bytes(zstd.compress(lines, level=_LEVEL))


def unpack(packed: bytes) -> list[OutgoingEvent]:
    """The events of a stored chunk, as they were given to `pack`."""
    events: list[OutgoingEvent] = []
    for line in bytes(zstd.decompress(packed)).split(b"\n")[:-1]:
        event_type, key, event_id, body = line.split(b"\t", _TABS_PER_LINE)
        events.append(OutgoingEvent(event_type.decode(), key.decode(), event_id.decode(), body))
    return events


def _first_malformed(events: Sequence[OutgoingEvent]) -> str:
    for event in events:
        whole = f"{event.type}{event.key}{event.id}".encode() + event.body
        if b"\t" in whole or b"\n" in whole:
            return repr(event.id)
    return "of this chunk"
