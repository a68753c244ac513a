"""Chunks keep every byte of their events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.chunk import pack, unpack
from eventlog.errors import EventTooLarge, MalformedEvent
from eventlog.record import OutgoingEvent

_texts = st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"]), max_size=20)
_events = st.builds(OutgoingEvent, type=_texts, key=_texts, id=_texts, body=_texts.map(str.encode))


@given(st.lists(_events, min_size=1, max_size=20))
def test_what_was_packed_comes_out_unchanged(events: list[OutgoingEvent]) -> None:
    assert unpack(pack(events, max_event_bytes=1000)) == events


def test_an_event_over_the_limit_is_refused_by_its_id() -> None:
    events = [OutgoingEvent("t", "k", "small", b"x" * 100), OutgoingEvent("t", "k", "large", b"x" * 101)]
    with pytest.raises(EventTooLarge, match="large has 101 bytes, the limit is 100"):
        pack(events, max_event_bytes=100)


@pytest.mark.parametrize("part", ["type", "key", "id", "body"])
@pytest.mark.parametrize("bad", ["\t", "\n"])
def test_tabs_and_line_feeds_are_refused_wherever_they_are(part: str, bad: str) -> None:
    event = OutgoingEvent("t", "k", "good", b"{}")
    spoilt = {
        "type": event._replace(type=bad),
        "key": event._replace(key=bad),
        "id": event._replace(id=bad),
        "body": event._replace(body=bad.encode()),
    }[part]
    with pytest.raises(MalformedEvent):
        pack([event, spoilt, event], max_event_bytes=1000)
