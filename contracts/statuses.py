"""Status of a request and outcome of a user, in the words that people see."""

from enum import StrEnum


class RequestStatus(StrEnum):
    """Where a request stands; the original's words first."""

    REQUESTED = "Requested"
    PENDING = "Pending"
    IN_PROGRESS = "In progress"
    PROVISIONED = "Provisioned"
    FAILED = "Failed"
    PLANNING = "Planning"
    PREVIEWED = "Previewed"
    PAUSED = "Paused"
    CANCELLING = "Cancelling"
    FINISHING = "Finishing"
    PARTIALLY_PROVISIONED = "Partially provisioned"
    CANCELLED = "Cancelled"
    REJECTED = "Rejected"
    DECLINED = "Declined"


ENDED = frozenset(
    {
        RequestStatus.PROVISIONED,
        RequestStatus.FAILED,
        RequestStatus.PREVIEWED,
        RequestStatus.PARTIALLY_PROVISIONED,
        RequestStatus.CANCELLED,
        RequestStatus.REJECTED,
        RequestStatus.DECLINED,
    }
)
"""Nothing more happens to a request in one of these by itself."""


class RollUp(StrEnum):
    """The three colours that a status is rolled up to; never shown without the status' text."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


_RED = frozenset({RequestStatus.FAILED, RequestStatus.REJECTED, RequestStatus.DECLINED})
_GREEN = frozenset({RequestStatus.PROVISIONED, RequestStatus.PREVIEWED})


def roll_up(status: RequestStatus) -> RollUp:
    """Give the colour of a status."""
    if status in _RED:
        return RollUp.RED
    return RollUp.GREEN if status in _GREEN else RollUp.YELLOW


class Outcome(StrEnum):
    """What became of one planned user."""

    PENDING = "pending"
    MIGRATED = "migrated"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


def final_status(*, migrated: int, failed: int, skipped: int, cancelled: int) -> RequestStatus:
    """Give the status of a request whose users have all come to their end.

    All migrated (or nobody planned) is Provisioned, nobody migrated is Failed, or Cancelled if anybody was cancelled.
    """
    if failed + skipped + cancelled == 0:
        return RequestStatus.PROVISIONED
    if cancelled:
        return RequestStatus.CANCELLED
    return RequestStatus.PARTIALLY_PROVISIONED if migrated else RequestStatus.FAILED
