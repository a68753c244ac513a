"""Records are decoded from whatever headers they have."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.record import from_raw, record_headers


@dataclass
class _Raw:
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = 3
    offset: int = 7
    timestamp: int = 1000
    key: bytes | None = b"k"
    value: bytes | None = b"v"


def test_our_own_headers_are_read() -> None:
    record = from_raw(_Raw(tuple(record_headers(b"a.b.v1", b"id-1", 42))), "topic")
    assert record[:6] == ("topic", 3, 7, 1000, b"k", b"v")
    assert (record.type, record.id, record.sequence) == ("a.b.v1", "id-1", 42)


def test_a_record_without_headers_has_no_type_id_and_sequence() -> None:
    record = from_raw(_Raw(), "topic")
    assert (record.type, record.id, record.sequence) == (None, None, None)


def test_binary_mode_gives_type_and_id_but_its_sequence_is_another_writers() -> None:
    headers = (("ce_id", b"1"), ("ce_specversion", b"1.0"), ("ce_sequence", b"5"), ("ce_type", b"t"))
    record = from_raw(_Raw(headers), "topic")
    assert (record.type, record.id, record.sequence) == ("t", "1", None)
    assert record.headers == headers


def test_the_first_of_several_headers_of_one_name_counts() -> None:
    record = from_raw(_Raw((("type", b"one"), ("type", b"two"))), "topic")
    assert record.type == "one"


@pytest.mark.parametrize("bad", [b"", b"-1", b"+1", b"1.5", b"0", b"x", "\u0661".encode(), b"9" * 21])
def test_what_is_no_sequence_is_none(bad: bytes) -> None:
    headers = tuple((name, bad if name == "sequence" else value) for name, value in record_headers(b"t", b"i", 1))
    assert from_raw(_Raw(headers), "topic").sequence is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["type", "id", "sequence", "ce_type", "ce_id", "x"]), st.binary() | st.none()),
        max_size=8,
    )
)
def test_no_headers_can_break_decoding(headers: list[tuple[str, bytes]]) -> None:
    record = from_raw(_Raw(tuple(headers)), "topic")
    assert record.headers == tuple(headers)
