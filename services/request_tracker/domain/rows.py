"""The projection's rows that grow with events; each is fed by exactly one partition, which is why folds commute."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from services.request_tracker.domain.outcomes import Run

Json = dict[str, Any]


class BatchKey(NamedTuple):
    """A batch of a request."""

    request: str
    batch: int


class ShardKey(NamedTuple):
    """A request's part in a shard."""

    request: str
    shard: int


class CustomerKey(NamedTuple):
    """A request's part at a customer."""

    request: str
    customer: str


@dataclass(slots=True)
class BatchRow:
    """A batch with an outcome byte for each user.

    `users` (one a line) is written once and stays empty in a row that was loaded for a change. `exceptions` has
    who did not migrate: position to outcome, reason, detail, transient. `history` has the earlier attempts'
    outcomes of positions that were tried again.
    """

    request: str
    batch: int
    shard: int
    customer: str
    service: str
    from_plan: str
    to_plan: str
    mode: str
    n: int
    users: str
    first_user: str
    last_user: str
    planned_sequence: int
    planned_at: datetime
    outcome: bytearray
    attempt: int = 1
    runs: list[Run] = field(default_factory=list)
    exceptions: Json = field(default_factory=dict)
    history: Json = field(default_factory=dict)
    migrated: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    finished_sequence: int | None = None
    finished_at: datetime | None = None

    @property
    def reasons(self) -> list[str]:
        """Distinct reasons of those who did not migrate, sorted."""
        return sorted({exception["reason"] for exception in self.exceptions.values()})


@dataclass(slots=True)
class Counts:
    """What became of users; pending = planned - migrated - failed - skipped - cancelled."""

    planned: int = 0
    migrated: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    excluded: int = 0

    @property
    def settled(self) -> int:
        """Users that have come to an end."""
        return self.migrated + self.failed + self.skipped + self.cancelled


@dataclass(slots=True)
class CustomerRow:
    """A request's counts at one customer."""

    request: str
    customer: str
    shard: int
    counts: Counts = field(default_factory=Counts)


@dataclass(slots=True)
class ShardRow:
    """A request's counts in one shard.

    `reasons` counts "outcome/reason", `excluded_reasons` reasons; `pace` counts outcomes by the second in which
    their slice of time began (the last ones only). Times are in microseconds since 1970.
    """

    request: str
    shard: int
    counts: Counts = field(default_factory=Counts)
    batches: int = 0
    batches_finished: int = 0
    packages_generated: int = 0
    packages_failed: int = 0
    reasons: Json = field(default_factory=dict)
    excluded_reasons: Json = field(default_factory=dict)
    pace: Json = field(default_factory=dict)
    first_outcome_us: int | None = None
    last_outcome_us: int | None = None


@dataclass(slots=True)
class StateRow:
    """What the engine says of a request as a whole; `document` has its words as plain JSON."""

    request: str
    shard: int
    phase: str = "unknown"
    phase_at: datetime | None = None
    paused: bool = False
    final_status: str | None = None
    document: Json = field(default_factory=dict)


@dataclass(slots=True)
class Rows:
    """Rows of one fold: loaded ones and new ones."""

    batches: dict[BatchKey, BatchRow] = field(default_factory=dict)
    shards: dict[ShardKey, ShardRow] = field(default_factory=dict)
    customers: dict[CustomerKey, CustomerRow] = field(default_factory=dict)
    states: dict[str, StateRow] = field(default_factory=dict)
    new_batches: set[BatchKey] = field(default_factory=set)
