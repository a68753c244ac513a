"""Statuses follow from the counts, and every status has a colour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.statuses import ENDED, RequestStatus, RollUp, final_status, roll_up

COUNTS = st.integers(0, 3)


@pytest.mark.parametrize(
    "migrated, failed, skipped, cancelled, status",
    [
        (5, 0, 0, 0, RequestStatus.PROVISIONED),
        (0, 0, 0, 0, RequestStatus.PROVISIONED),
        (0, 5, 0, 0, RequestStatus.FAILED),
        (0, 0, 5, 0, RequestStatus.FAILED),
        (1, 1, 0, 0, RequestStatus.PARTIALLY_PROVISIONED),
        (1, 0, 1, 0, RequestStatus.PARTIALLY_PROVISIONED),
        (1, 0, 0, 1, RequestStatus.CANCELLED),
        (0, 1, 0, 1, RequestStatus.CANCELLED),
    ],
)
def test_the_final_status_follows_from_the_counts(
    migrated: int, failed: int, skipped: int, cancelled: int, status: RequestStatus
) -> None:
    assert final_status(migrated=migrated, failed=failed, skipped=skipped, cancelled=cancelled) is status


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_final_status_is_one_that_has_ended(migrated: int, failed: int, skipped: int, cancelled: int) -> None:
    status = final_status(migrated=migrated, failed=failed, skipped=skipped, cancelled=cancelled)
    assert status in ENDED
    assert (status is RequestStatus.PROVISIONED) == (failed + skipped + cancelled == 0)


@pytest.mark.parametrize(
    "status, colour",
    [
        (RequestStatus.PROVISIONED, RollUp.GREEN),
        (RequestStatus.PREVIEWED, RollUp.GREEN),
        (RequestStatus.FAILED, RollUp.RED),
        (RequestStatus.REJECTED, RollUp.RED),
        (RequestStatus.DECLINED, RollUp.RED),
        (RequestStatus.IN_PROGRESS, RollUp.YELLOW),
        (RequestStatus.PARTIALLY_PROVISIONED, RollUp.YELLOW),
        (RequestStatus.CANCELLED, RollUp.YELLOW),
    ],
)
def test_a_status_rolls_up_to_one_colour(status: RequestStatus, colour: RollUp) -> None:
    assert roll_up(status) is colour


@pytest.mark.parametrize("status", list(RequestStatus))
def test_every_status_has_a_colour(status: RequestStatus) -> None:
    assert roll_up(status) in RollUp
