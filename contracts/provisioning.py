"""Events of `provisioning.events`: everything that the engine did. Only the engine writes them.

Keyed by customer, or by request where the event is about the request as a whole. In a shard the order is:
a request's BatchPlanned and UsersExcluded, then PackageGenerated before the users that need it, the users' outcomes,
BatchFinished after the batch's last outcome. A user's events are all in one shard.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import Count, Identifier, Moment, Revision, SeatLimit
from contracts.reasons import ProblemCode, UserReason
from contracts.requests import Mapping
from contracts.statuses import Outcome, RequestStatus

_FROZEN = ConfigDict(frozen=True, strict=True, extra="ignore")

BATCH_LIMIT = 2000
"""Users of one batch at the most."""

Number = Annotated[int, Field(ge=0)]


class EngineEvent(BaseModel):
    """What every event of the engine has: the request it belongs to."""

    model_config = _FROZEN
    TYPE: ClassVar[str]
    request: Identifier

    def key(self) -> str:
        """Give `<request>`: the record's key, unless a customer is concerned."""
        return self.request

    def subject(self) -> str:
        """Give what the event is about."""
        return self.key()


class CustomerEvent(EngineEvent):
    """An event of one customer, keyed by it."""

    customer: Identifier

    def key(self) -> str:
        """Give `<customer>`."""
        return self.customer


class Problem(BaseModel):
    """One thing wrong with a request: code, the field as a JSON pointer into the event's data, text."""

    model_config = _FROZEN
    code: ProblemCode
    pointer: str
    detail: str


class MigrationRejected(EngineEvent):
    """The request can't be done; every problem is named (the first 100 of each kind; `problem_count` counts all)."""

    TYPE = "planshift.provisioning.migration-rejected.v1"
    problems: tuple[Problem, ...]
    problem_count: Count


class MigrationCommandRefused(EngineEvent):
    """A later word about a request makes no sense in its state, or isn't supported: nothing changed."""

    TYPE = "planshift.provisioning.migration-command-refused.v1"
    command: str
    by: str
    state: str
    detail: str


class MigrationPlanningStarted(EngineEvent):
    """The request makes sense and its manifest is being made; what readers need to know of the request."""

    TYPE = "planshift.provisioning.migration-planning-started.v1"
    mode: Literal["preview", "execute"]
    service: Identifier
    mappings: tuple[Mapping, ...]
    generate_missing_packages: bool


class BatchPlanned(CustomerEvent):
    """A part of the manifest: the users, in order; a user's index here is its `position` in later events.

    `revision` is the assignments' revision, `revisions` those of positions where it differs.
    """

    TYPE = "planshift.provisioning.batch-planned.v1"
    batch: Number
    service: Identifier
    from_plan: Identifier
    to_plan: Identifier
    users: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=BATCH_LIMIT)]
    revision: Revision
    revisions: dict[str, Revision] = Field(default_factory=dict)
    hash: str
    mode: Literal["preview", "execute"] = "execute"


class UsersExcluded(CustomerEvent):
    """Selected users of one customer that the manifest leaves out, for one reason."""

    TYPE = "planshift.provisioning.users-excluded.v1"
    number: Number
    reason: UserReason
    users: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=BATCH_LIMIT)]


class PackagePlanned(BaseModel):
    """A package that the request will generate; the manifest has totals per plan, BatchPlanned has the customers."""

    model_config = _FROZEN
    plan: Identifier
    customers: Count


class MigrationPlanned(EngineEvent):
    """The manifest is frozen. selected = planned + excluded; `hash` is over the batches' hashes."""

    TYPE = "planshift.provisioning.migration-planned.v1"
    mode: Literal["preview", "execute"]
    selected: Count
    planned: Count
    excluded: Count
    excluded_by_reason: dict[UserReason, Count]
    customers: Count
    batches: Count
    packages: tuple[PackagePlanned, ...]
    hash: str
    planned_last_sequence: dict[str, Count]
    """The last sequence of each shard that has a part of the manifest."""
    expires_at: Moment | None = None


class MigrationConfirmationRequired(EngineEvent):
    """What the engine found is more than the tolerance away from what the person saw; it waits for their word."""

    TYPE = "planshift.provisioning.migration-confirmation-required.v1"
    seen_users: Count
    found_users: Count
    tolerance_percent: float
    manifest_hash: str


class MigrationPending(EngineEvent):
    """Planned, and waiting for its start time."""

    TYPE = "planshift.provisioning.migration-pending.v1"
    start_at: Moment


class MigrationStarted(EngineEvent):
    """The first batches may run."""

    TYPE = "planshift.provisioning.migration-started.v1"
    planned: Count


class MigrationEndedByDecline(EngineEvent):
    """The person or an approver said no; nothing was done."""

    TYPE = "planshift.provisioning.migration-ended-by-decline.v1"
    by: str
    why: str


class WaveOpened(EngineEvent):
    """The batches of this wave may run."""

    TYPE = "planshift.provisioning.wave-opened.v1"
    wave: Number


class PackageGenerated(CustomerEvent):
    """The customer has the package now; it comes before the first user who needs it."""

    TYPE = "planshift.provisioning.package-generated.v1"
    service: Identifier
    plan: Identifier
    seat_limit: SeatLimit | None = None
    revision: Revision


class PackageGenerationFailed(CustomerEvent):
    """The package could not be made; the users who need it fail."""

    TYPE = "planshift.provisioning.package-generation-failed.v1"
    service: Identifier
    plan: Identifier
    detail: str


class UserEvent(CustomerEvent):
    """One user's end in one attempt: exactly one such event for each user and attempt.

    `position` is the index in BatchPlanned's users; `attempt` counts from 1.
    """

    user: Identifier
    batch: Number
    position: Number
    attempt: Annotated[int, Field(ge=1)]
    service: Identifier
    from_plan: Identifier
    to_plan: Identifier

    def subject(self) -> str:
        """Give `<customer>/<user>`."""
        return f"{self.customer}/{self.user}"


class UserMigrated(UserEvent):
    """The user is on the destination plan; `revision` is the assignment's that it built on."""

    TYPE = "planshift.provisioning.user-migrated.v1"
    revision: Revision


class UserMigrationFailed(UserEvent):
    """The change was tried, or could not be tried, and the user is where it was."""

    TYPE = "planshift.provisioning.user-migration-failed.v1"
    reason: UserReason
    detail: str
    transient: bool


class UserMigrationSkipped(UserEvent):
    """The world had changed when the user's turn came; nothing was overwritten."""

    TYPE = "planshift.provisioning.user-migration-skipped.v1"
    reason: UserReason
    detail: str = ""


class UserMigrationCancelled(UserEvent):
    """The request was cancelled before the user's turn."""

    TYPE = "planshift.provisioning.user-migration-cancelled.v1"
    reason: UserReason = UserReason.REQUEST_CANCELLED


class NotMigrated(BaseModel):
    """A user of a batch that did not migrate: position, what became of it, why."""

    model_config = _FROZEN
    position: Number
    outcome: Literal[Outcome.FAILED, Outcome.SKIPPED, Outcome.CANCELLED]
    reason: UserReason


class BatchFinished(CustomerEvent):
    """Every user of the batch has its outcome: enough, with BatchPlanned, for readers that don't need every user.

    `revisions` are those of migrated positions whose assignment's revision wasn't BatchPlanned's any more.
    """

    TYPE = "planshift.provisioning.batch-finished.v1"
    batch: Number
    attempt: Annotated[int, Field(ge=1)]
    migrated: Count
    failed: Count
    skipped: Count
    cancelled: Count
    not_migrated: Annotated[tuple[NotMigrated, ...], Field(max_length=BATCH_LIMIT)] = ()
    revisions: dict[str, Revision] = Field(default_factory=dict)


class BatchReopened(CustomerEvent):
    """The batch's failed users are tried again, as a new attempt."""

    TYPE = "planshift.provisioning.batch-reopened.v1"
    batch: Number
    attempt: Annotated[int, Field(ge=2)]
    positions: tuple[Number, ...]


class MigrationPaused(EngineEvent):
    """Nothing starts until resumed."""

    TYPE = "planshift.provisioning.migration-paused.v1"
    by: str
    why: str


class MigrationResumed(EngineEvent):
    """Goes on."""

    TYPE = "planshift.provisioning.migration-resumed.v1"
    by: str
    why: str


class MigrationFinished(EngineEvent):
    """The end is the end, for a reader that has folded every shard as far as `last_sequence` says."""

    TYPE = "planshift.provisioning.migration-finished.v1"
    status: RequestStatus
    planned: Count
    migrated: Count
    failed: Count
    skipped: Count
    cancelled: Count
    packages_generated: Count
    last_sequence: dict[str, Count]
    """Shard (as decimal text): the sequence of the request's last event there."""


ProvisioningEvent = (
    MigrationRejected
    | MigrationCommandRefused
    | MigrationPlanningStarted
    | BatchPlanned
    | UsersExcluded
    | MigrationPlanned
    | MigrationConfirmationRequired
    | MigrationPending
    | MigrationStarted
    | MigrationEndedByDecline
    | WaveOpened
    | PackageGenerated
    | PackageGenerationFailed
    | UserMigrated
    | UserMigrationFailed
    | UserMigrationSkipped
    | UserMigrationCancelled
    | BatchFinished
    | BatchReopened
    | MigrationPaused
    | MigrationResumed
    | MigrationFinished
)
"""The closed union of `provisioning.events`."""
