"""Status, counts, pace and texts of a request, derived without anything but what the rows say."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from contracts.statuses import RequestStatus
from services.request_tracker.domain.pace import eta_s, paced, rate
from services.request_tracker.domain.rows import Counts
from services.request_tracker.domain.states import Standing, is_caught_up, phases_of, status_of
from services.request_tracker.domain.texts import LATEST, clipped, instant, iso, micros
from services.request_tracker.domain.view import EngineView, counts_of, reason_text, status_view

_RUNNING = Standing("running", paused=False, final_status=None, caught_up=True, cancelled=0)
_ENDED = Standing("finished", paused=False, final_status="Provisioned", caught_up=True, cancelled=0)


@pytest.mark.parametrize(
    "standing,status",
    [
        (_RUNNING._replace(phase=None), RequestStatus.REQUESTED),
        (_RUNNING._replace(phase="planning"), RequestStatus.PLANNING),
        (_RUNNING._replace(phase="rejected"), RequestStatus.REJECTED),
        (_RUNNING._replace(phase="planned"), RequestStatus.PENDING),
        (_RUNNING._replace(phase="confirmation"), RequestStatus.PENDING),
        (_RUNNING._replace(phase="waiting"), RequestStatus.PENDING),
        (_RUNNING._replace(phase="previewed"), RequestStatus.PREVIEWED),
        (_RUNNING._replace(phase="declined"), RequestStatus.DECLINED),
        (_RUNNING, RequestStatus.IN_PROGRESS),
        (_RUNNING._replace(paused=True), RequestStatus.PAUSED),
        (_RUNNING._replace(cancelled=3), RequestStatus.CANCELLING),
        (_ENDED, RequestStatus.PROVISIONED),
        (_ENDED._replace(paused=True), RequestStatus.PROVISIONED),
        (_ENDED._replace(caught_up=False), RequestStatus.FINISHING),
    ],
)
def test_the_status_follows_from_the_phase_and_what_was_said_beside_it(
    standing: Standing, status: RequestStatus
) -> None:
    assert status_of(standing) is status
    assert standing.phase is None or standing.phase in phases_of(status)


def test_a_shard_behind_the_last_sequence_keeps_a_request_from_its_end() -> None:
    assert is_caught_up({"3": 10, "7": 2}, {3: 10, 7: 5})
    assert not is_caught_up({"3": 10, "7": 2}, {3: 9, 7: 5})
    assert not is_caught_up({"3": 10}, {})


def test_a_preview_has_not_ended_before_its_manifest_has_been_read() -> None:
    manifest = {"mode": "preview", "planned_last_sequence": {"1": 5}}
    engine = EngineView("previewed", paused=False, final_status=None, document={"manifest": manifest})
    assert status_view(engine, Counts(), {1: 4})["status"] == "Finishing"
    assert status_view(engine, Counts(), {1: 5})["status"] == "Previewed"


def test_counts_add_up_whether_or_not_the_manifest_is_known() -> None:
    sums = Counts(planned=10, migrated=4, failed=1, skipped=1, cancelled=0, excluded=2)
    assert counts_of(sums, {})["pending"] == 4
    known = counts_of(sums, {"manifest": {"planned": 30, "excluded": 5}})
    assert (known["planned"], known["pending"], known["selected"]) == (30, 24, 35)


def test_the_rate_is_of_the_last_seconds_and_the_rest_takes_as_long_at_this_rate() -> None:
    pace: dict[str, int] = {}
    start_us = 1_000_000_000 * 1_000_000
    for second in range(100):
        paced(pace, start_us + second * 1_000_000, 500)
    assert len(pace) <= 31
    found = rate([pace], first_outcome_us=start_us, as_of_s=1_000_000_100)
    assert found == pytest.approx(500, rel=0.1)
    assert eta_s(5_000, found) == pytest.approx(10, rel=0.1)
    assert rate([pace], first_outcome_us=start_us, as_of_s=1_000_001_000) == 0.0
    assert eta_s(5, 0.0) is None
    assert eta_s(0, 0.0) == 0.0


def test_texts_are_bounded_and_lose_what_cannot_be_stored() -> None:
    assert clipped("a\x00b") == "a\N{REPLACEMENT CHARACTER}b"
    assert clipped("x" * 10_000, 200) == "x" * 199 + "\N{HORIZONTAL ELLIPSIS}"


def test_instants_at_the_edge_of_the_calendar_stay_inside_it() -> None:
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    assert instant(datetime(1, 1, 1, tzinfo=east)).year == 1
    assert instant(datetime(9999, 12, 31, 23, tzinfo=west)) == LATEST
    assert iso(datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-01T10:00:00Z"
    assert micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000


def test_a_reason_of_a_newer_version_keeps_its_code() -> None:
    assert reason_text("of-tomorrow") == {"reason": "of-tomorrow"}
    assert reason_text("plan-changed")["advice"]
