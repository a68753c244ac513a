"""Request ids: taken over when well formed, made anew when not."""

import pytest

from serving.context import bound, current, from_headers

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_ids_of_the_caller_are_taken_over_with_a_span_of_our_own() -> None:
    ids = from_headers("req-1", "corr-1", f"00-{TRACE}-b7ad6b7169203331-01")
    assert (ids.request_id, ids.correlation_id, ids.trace_id, ids.sampled) == ("req-1", "corr-1", TRACE, True)
    assert ids.span_id != "b7ad6b7169203331"
    assert ids.traceparent == f"00-{TRACE}-{ids.span_id}-01"


def test_a_request_without_ids_gets_some_and_is_its_own_correlation() -> None:
    one, other = from_headers(None, None, None), from_headers(None, None, None)
    assert one.request_id == one.correlation_id
    assert one.request_id != other.request_id
    assert one.trace_id != other.trace_id


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, 'a"b', "a\nb", "-a"])
def test_a_malformed_id_is_replaced(request_id: str) -> None:
    assert from_headers(request_id, request_id, None).request_id != request_id


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace(traceparent: str) -> None:
    ids = from_headers(None, None, traceparent)
    assert ids.trace_id != TRACE
    assert not ids.sampled


def test_the_context_is_known_inside_and_gone_outside() -> None:
    ids = from_headers("req-1", None, None)
    assert current() is None
    with bound(ids):
        assert current() == ids
    assert current() is None
