"""Why a user did not migrate, a request was rejected, or a record was quarantined: stable codes with text."""

from enum import StrEnum
from typing import NamedTuple


class ReasonText(NamedTuple):
    """A code's text for people, whether trying again may help by itself, and what to do."""

    text: str
    transient: bool
    advice: str


class UserReason(StrEnum):
    """Why a user was excluded, failed, skipped or cancelled."""

    NOT_ON_SOURCE_PLAN = "not-on-source-plan"
    DESTINATION_PACKAGE_MISSING = "destination-package-missing"
    SEAT_LIMIT_REACHED = "seat-limit-reached"
    CUSTOMER_INACTIVE = "customer-inactive"
    PLAN_CHANGED = "plan-changed"
    USER_REMOVED = "user-removed"
    REFUSED_BY_CONNECTOR = "refused-by-connector"
    PACKAGE_GENERATION_FAILED = "package-generation-failed"
    CONNECTOR_UNAVAILABLE = "connector-unavailable"
    REQUEST_CANCELLED = "request-cancelled"


USER_REASONS: dict[UserReason, ReasonText] = {
    UserReason.NOT_ON_SOURCE_PLAN: ReasonText(
        "The user is not on a source plan of the request.",
        transient=False,
        advice="Choose another source plan, or leave the user out.",
    ),
    UserReason.DESTINATION_PACKAGE_MISSING: ReasonText(
        "The customer does not have the destination package.",
        transient=False,
        advice="Ask again with missing packages generated.",
    ),
    UserReason.SEAT_LIMIT_REACHED: ReasonText(
        "The destination package has no room left.",
        transient=False,
        advice="Raise the package's user limit, then ask again.",
    ),
    UserReason.CUSTOMER_INACTIVE: ReasonText(
        "The customer is not active.", transient=False, advice="Activate the customer, then ask again."
    ),
    UserReason.PLAN_CHANGED: ReasonText(
        "The user's plan had changed when the user's turn came.",
        transient=False,
        advice="Look at the user's history before asking again.",
    ),
    UserReason.USER_REMOVED: ReasonText(
        "The user had been removed when the user's turn came.", transient=False, advice="Nothing."
    ),
    UserReason.REFUSED_BY_CONNECTOR: ReasonText(
        "The service's connector refused the change.",
        transient=False,
        advice="Read the detail, mend the cause at the service, retry.",
    ),
    UserReason.PACKAGE_GENERATION_FAILED: ReasonText(
        "The destination package could not be generated.",
        transient=False,
        advice="See the package's failure, mend it, retry.",
    ),
    UserReason.CONNECTOR_UNAVAILABLE: ReasonText(
        "The service's connector could not be reached.", transient=True, advice="It is tried again; check the service."
    ),
    UserReason.REQUEST_CANCELLED: ReasonText(
        "The request was cancelled before the user's turn.", transient=False, advice="Ask again."
    ),
}


class ProblemCode(StrEnum):
    """Why a request can't be done, one for each thing that is wrong with it."""

    SERVICE_UNKNOWN = "service-unknown"
    PLAN_UNKNOWN = "plan-unknown"
    PLAN_INACTIVE = "plan-inactive"
    CUSTOMER_UNKNOWN = "customer-unknown"
    USER_UNKNOWN = "user-unknown"
    USER_LISTED_TWICE = "user-listed-twice"
    CUSTOMER_LISTED_TWICE = "customer-listed-twice"
    SELECTION_EMPTY = "selection-empty"
    SELECTION_INCOMPLETE = "selection-incomplete"
    SELECTION_CONTRADICTORY = "selection-contradictory"
    MAPPINGS_EMPTY = "mappings-empty"
    MAPPING_TO_ITSELF = "mapping-to-itself"
    MAPPING_IN_A_CIRCLE = "mapping-in-a-circle"
    SOURCE_MAPPED_TWICE = "source-mapped-twice"
    START_OUT_OF_RANGE = "start-out-of-range"
    TIME_OUT_OF_RANGE = "time-out-of-range"
    NAME_INVALID = "name-invalid"
    DESCRIPTION_INVALID = "description-invalid"
    REQUEST_ID_TAKEN = "request-id-taken"
    DIRECTORY_TOO_OLD = "directory-too-old"
    CONNECTOR_UNKNOWN = "connector-unknown"
    NOT_SUPPORTED = "not-supported"


class UnreadableReason(StrEnum):
    """Why a record was put into quarantine."""

    EMPTY = "empty"
    TOMBSTONE = "tombstone"
    TOO_LARGE = "too-large"
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    NOT_A_CLOUD_EVENT = "not-a-cloud-event"
    UNKNOWN_TYPE = "unknown-type"
    NEWER_VERSION = "newer-version"
    WRONG_TOPIC = "wrong-topic"
    WRONG_SHAPE = "wrong-shape"
    WRONG_KEY = "wrong-key"
    ID_REUSED = "id-reused"
