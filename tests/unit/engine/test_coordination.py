"""The life of a request as a whole: what follows from what, and how later words are answered."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.provisioning import MigrationCommandRefused, MigrationFinished, MigrationPlanned
from contracts.requests import (
    Mapping,
    MigrationApproved,
    MigrationCancelRequested,
    MigrationConfirmed,
    MigrationDeclined,
    MigrationPauseRequested,
    MigrationRequested,
    MigrationResumeRequested,
    MigrationRetryRequested,
    MigrationSettingsChanged,
    RequestCommand,
    Seen,
    Selection,
)
from services.provisioning_engine.domain.coordination import (
    PREVIEW_LIFE,
    Decision,
    Outcomes,
    RequestState,
    Said,
    Totals,
    after_planning,
    after_validation,
    after_word,
    finished,
    with_own_sequence,
)
from services.provisioning_engine.domain.validation import Verdict

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REQUEST = MigrationRequested(
    request="r",
    name="n",
    service="mail",
    mappings=(Mapping(from_plan="silver", to_plan="gold"),),
    selection=Selection(all_customers=True, all_users=True),
    requested_by="ann",
)
TOTALS = Totals(planned=90, excluded=10, excluded_by_reason={"customer-inactive": 10}, hash="h", last_sequence={3: 7})
MANIFEST = ("h", 90)


def asked(**changed: object) -> MigrationRequested:
    """Give the request with changes."""
    return REQUEST.model_copy(update=changed)


def kinds(events: Sequence[Said]) -> list[str]:
    """Give the types of events, in order."""
    return [said.data.TYPE.split(".")[-2] for said in events]


def test_a_request_without_problems_is_planned_and_one_with_problems_ends() -> None:
    assert after_validation(REQUEST, Verdict((), 0)).state is RequestState.PLANNING
    rejected = after_validation(REQUEST, Verdict((), 3))
    assert (kinds(rejected.events), rejected.state) == (["migration-rejected"], RequestState.REJECTED)


@pytest.mark.parametrize(
    "changed,totals,expected,state",
    [
        ({}, TOTALS, ["migration-planned", "migration-started"], RequestState.RUNNING),
        ({"mode": "preview"}, TOTALS, ["migration-planned"], RequestState.PREVIEWED),
        ({}, Totals(), ["migration-planned", "migration-finished"], RequestState.FINISHED),
        (
            {"start_at": NOW + timedelta(hours=1)},
            TOTALS,
            ["migration-planned", "migration-pending"],
            RequestState.PENDING_START,
        ),
        (
            {"start_at": NOW - timedelta(hours=1)},
            TOTALS,
            ["migration-planned", "migration-started"],
            RequestState.RUNNING,
        ),
        (
            {"seen": Seen(users=200, customers=1)},
            TOTALS,
            ["migration-planned", "migration-confirmation-required"],
            RequestState.PENDING_CONFIRMATION,
        ),
        (
            {"seen": Seen(users=101, customers=1)},
            TOTALS,
            ["migration-planned", "migration-started"],
            RequestState.RUNNING,
        ),
    ],
)
def test_what_follows_from_a_manifest(
    changed: dict[str, Any], totals: Totals, expected: list[str], state: RequestState
) -> None:
    decision = after_planning(asked(**changed), totals, NOW)
    assert (kinds(decision.events), decision.state) == (expected, state)
    assert len({said.id for said in decision.events}) == len(expected)


def test_the_manifest_says_selected_and_where_it_ends() -> None:
    manifest = after_planning(asked(mode="preview"), TOTALS, NOW).events[0].data
    assert isinstance(manifest, MigrationPlanned)
    assert (manifest.selected, manifest.planned_last_sequence, manifest.expires_at) == (
        100,
        {"3": 7},
        NOW + PREVIEW_LIFE,
    )


def test_the_end_counts_itself_in_its_own_shard() -> None:
    end = finished("r", Outcomes(3, 1, 1, 1, 0, 2, {0: 0, 3: 7, 5: 9})).data
    counted = with_own_sequence(end, 5, 12)
    assert isinstance(counted, MigrationFinished)
    assert (counted.last_sequence, counted.status) == ({"3": 7, "5": 12}, "Partially provisioned")


def answer(word: RequestCommand, state: RequestState | None = RequestState.PENDING_CONFIRMATION) -> Decision | Said:
    """Answer a word about the request in a state."""
    return after_word(REQUEST if state else None, state, MANIFEST, word, 7, NOW)


def test_only_the_right_hash_confirms() -> None:
    right = answer(MigrationConfirmed(request="r", by="ann", manifest_hash="h"))
    assert isinstance(right, Decision)
    assert (kinds(right.events), right.state) == (["migration-started"], RequestState.RUNNING)
    wrong = answer(MigrationConfirmed(request="r", by="ann", manifest_hash="x"))
    assert isinstance(wrong, Said)


def test_a_confirmed_request_may_still_wait_for_its_start() -> None:
    later = asked(start_at=NOW + timedelta(hours=1))
    word = MigrationConfirmed(request="r", by="ann", manifest_hash="h")
    decision = after_word(later, RequestState.PENDING_CONFIRMATION, MANIFEST, word, 7, NOW)
    assert isinstance(decision, Decision)
    assert decision.state is RequestState.PENDING_START


def test_a_decline_ends_what_waits_for_a_confirmation() -> None:
    declined = answer(MigrationDeclined(request="r", by="ann", why="no"))
    assert isinstance(declined, Decision)
    assert (kinds(declined.events), declined.state) == (["migration-ended-by-decline"], RequestState.DECLINED)


@pytest.mark.parametrize("state", [None, *RequestState])
@pytest.mark.parametrize(
    "word",
    [
        MigrationConfirmed(request="r", by="ann", manifest_hash="h"),
        MigrationDeclined(request="r", by="ann"),
        MigrationApproved(request="r", by="ann", manifest_hash="h"),
        MigrationPauseRequested(request="r", by="ann"),
        MigrationResumeRequested(request="r", by="ann"),
        MigrationCancelRequested(request="r", by="ann"),
        MigrationRetryRequested(request="r", by="ann"),
        MigrationSettingsChanged(request="r", by="ann"),
    ],
    ids=lambda word: word.TYPE.split(".")[-2],
)
def test_every_word_in_every_state_is_followed_or_refused_aloud(
    word: RequestCommand, state: RequestState | None
) -> None:
    found = answer(word, state)
    if isinstance(found, Decision):
        assert state is RequestState.PENDING_CONFIRMATION
        return
    assert isinstance(found.data, MigrationCommandRefused)
    assert (found.data.command, found.data.state, found.id) == (word.TYPE, state or "unknown", "r/refused/7")
    assert found.data.detail
