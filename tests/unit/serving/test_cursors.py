"""Cursors: continue where a page ended, and nowhere else."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import URL

from serving.cursors import decode_cursor, encode_cursor, link_header
from serving.problems import Problem


@given(st.text(), st.integers(), st.booleans())
def test_a_cursor_gives_back_the_position(text: str, number: int, flag: bool) -> None:
    cursor = encode_cursor("users?plan=gold", [text, number, flag, None])
    assert decode_cursor("users?plan=gold", cursor, tuple[str, int, bool, None]) == (text, number, flag, None)


def test_a_position_may_hold_a_time() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    cursor = encode_cursor("requests", [at.isoformat(), "r1"])
    assert decode_cursor("requests", cursor, tuple[datetime, str]) == (at, "r1")


GOOD = encode_cursor("users", ["u1", 7])


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!!!", GOOD[:-2], "A" + GOOD[1:], "é", "A" * 5000, base64.urlsafe_b64encode(b"123456[1]").decode()],
)
def test_a_damaged_cursor_is_a_problem(cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        decode_cursor("users", cursor, tuple[str, int])
    assert (refused.value.status, refused.value.slug) == (400, "bad-cursor")
    assert refused.value.errors[0].pointer == "?cursor"


def test_a_cursor_of_another_listing_or_shape_is_a_problem() -> None:
    with pytest.raises(Problem):
        decode_cursor("users?plan=gold", GOOD, tuple[str, int])
    with pytest.raises(Problem):
        decode_cursor("users", GOOD, tuple[datetime, str])


def test_the_link_leads_to_the_next_page_with_the_same_filters() -> None:
    url = URL("http://127.0.0.1:1/requests?status=failed&cursor=old")
    assert link_header(url, next_cursor="new") == '</requests?status=failed&cursor=new>; rel="next"'
    assert link_header(url, next_cursor=None) is None
