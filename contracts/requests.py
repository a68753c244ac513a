"""Events of `migration.requests`, keyed by request: what people and other systems ask of the engine.

Every program may write here, so shape is checked by these models and sense by the engine: a readable
request that makes no sense is answered with `MigrationRejected` and every problem, never dropped.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import Count, Identifier, Moment

_FROZEN = ConfigDict(frozen=True, strict=True, extra="ignore")

INLINE_LIMIT = 1000
"""A list with more entries comes in numbered `MigrationSelectionPart`s before the request."""

PART_LIMIT = 5000
"""Entries of one part at the most."""


class RequestWord(BaseModel):
    """What every event about a request has: the request's id."""

    model_config = _FROZEN
    TYPE: ClassVar[str]
    request: Identifier

    def key(self) -> str:
        """Give `<request>`: the record's key."""
        return self.request

    def subject(self) -> str:
        """Give what the event is about: the request."""
        return self.request


class Mapping(BaseModel):
    """Source plan to destination plan, of one service."""

    model_config = _FROZEN
    from_plan: Identifier
    to_plan: Identifier


class UserRef(BaseModel):
    """A user of a customer; user ids are unique within their customer."""

    model_config = _FROZEN
    customer: Identifier
    user: Identifier


ListName = Literal["customers", "excluded_customers", "users", "excluded_users"]


class MigrationSelectionPart(RequestWord):
    """Part `part` (from 1) of the long lists of a request's selection; published before the request, same key.

    Exactly one of `customers` and `users` is filled, as `list` says.
    """

    TYPE = "planshift.requests.migration-selection-part.v1"
    part: Annotated[int, Field(ge=1, le=100_000)]
    list: ListName
    customers: Annotated[tuple[Identifier, ...], Field(max_length=PART_LIMIT)] = ()
    users: Annotated[tuple[UserRef, ...], Field(max_length=PART_LIMIT)] = ()


class Selection(BaseModel):
    """Who is meant: criteria, exceptions, and the number of parts that carry long lists.

    Customers in scope: all, or those of `customers`; without those of `excluded_customers`.
    Users selected: of the customers in scope, all on a source plan, or those of `users`; without `excluded_users`.
    With `all_users` false and no customers named, the users' own customers are the scope.
    Lists here and in the parts add up; `parts` of them must have been read.
    """

    model_config = _FROZEN
    all_customers: bool = False
    all_users: bool = False
    customers: Annotated[tuple[Identifier, ...], Field(max_length=INLINE_LIMIT)] = ()
    excluded_customers: Annotated[tuple[Identifier, ...], Field(max_length=INLINE_LIMIT)] = ()
    users: Annotated[tuple[UserRef, ...], Field(max_length=INLINE_LIMIT)] = ()
    excluded_users: Annotated[tuple[UserRef, ...], Field(max_length=INLINE_LIMIT)] = ()
    parts: Annotated[int, Field(ge=0, le=100_000)] = 0


class Seen(BaseModel):
    """What the person saw when they asked, which binds.

    `directory_position` is the next offset of each partition of `directory.events` behind the counts: the engine
    plans only when it has read as far. If it finds a number of users more than `tolerance_percent` away from
    `users`, it asks for a confirmation.
    """

    model_config = _FROZEN
    users: Count
    customers: Count
    directory_position: dict[str, Count] = Field(default_factory=dict)
    tolerance_percent: Annotated[float, Field(ge=0, le=100)] = 1.0


class MigrationRequested(RequestWord):
    """A person's or another system's wish to move users from plans to other plans.

    `name` and `description` are checked by the engine (at most 200 and 2,000 characters, no control characters),
    `reference` is the caller's own id, by which the request can be found.
    """

    TYPE = "planshift.requests.migration-requested.v1"
    mode: Literal["preview", "execute"] = "execute"
    name: str
    description: str = ""
    service: Identifier
    mappings: Annotated[tuple[Mapping, ...], Field(max_length=100)]
    selection: Selection
    generate_missing_packages: bool = False
    requested_by: Annotated[str, Field(min_length=1, max_length=200)]
    reference: Identifier | None = None
    seen: Seen | None = None
    start_at: Moment | None = None


class _Word(RequestWord):
    """A later word about a request: who says it, and why."""

    by: Annotated[str, Field(min_length=1, max_length=200)]
    why: Annotated[str, Field(max_length=2000)] = ""


class MigrationApproved(_Word):
    """An approver agrees to the manifest with this hash."""

    TYPE = "planshift.requests.migration-approved.v1"
    manifest_hash: str


class MigrationDeclined(_Word):
    """An approver, or the person asked to confirm, does not agree; the request ends."""

    TYPE = "planshift.requests.migration-declined.v1"


class MigrationConfirmed(_Word):
    """The person agrees to what the engine found instead of what they had seen: the manifest with this hash."""

    TYPE = "planshift.requests.migration-confirmed.v1"
    manifest_hash: str


class MigrationPauseRequested(_Word):
    """Start nothing more until resumed."""

    TYPE = "planshift.requests.migration-pause-requested.v1"


class MigrationResumeRequested(_Word):
    """Go on."""

    TYPE = "planshift.requests.migration-resume-requested.v1"


class MigrationCancelRequested(_Word):
    """Start nothing more; what is left ends as cancelled."""

    TYPE = "planshift.requests.migration-cancel-requested.v1"


class MigrationRetryRequested(_Word):
    """Try the failed users again: those of these reasons, or all."""

    TYPE = "planshift.requests.migration-retry-requested.v1"
    reasons: tuple[Identifier, ...] = ()


class MigrationSettingsChanged(_Word):
    """Change how a request runs: rate in users per second (none: no limit) and priority (higher goes first)."""

    TYPE = "planshift.requests.migration-settings-changed.v1"
    rate_users_per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    priority: Annotated[int, Field(ge=0, le=9)] = 5


RequestEvent = (
    MigrationSelectionPart
    | MigrationRequested
    | MigrationApproved
    | MigrationDeclined
    | MigrationConfirmed
    | MigrationPauseRequested
    | MigrationResumeRequested
    | MigrationCancelRequested
    | MigrationRetryRequested
    | MigrationSettingsChanged
)
"""The closed union of `migration.requests`."""

RequestCommand = (
    MigrationApproved
    | MigrationDeclined
    | MigrationConfirmed
    | MigrationPauseRequested
    | MigrationResumeRequested
    | MigrationCancelRequested
    | MigrationRetryRequested
    | MigrationSettingsChanged
)
"""The words that come after MigrationRequested."""
