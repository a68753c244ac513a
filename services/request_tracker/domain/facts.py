"""Rows that are written once, and the ops by which others change: what a group of records says, sorted by row."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from contracts.provisioning import BatchFinished, BatchReopened
from services.request_tracker.domain.rows import BatchKey, BatchRow


class Record(Protocol):
    """A record of a topic, as a reader hands it over."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]: ...  # noqa: D102
    @property
    def type(self) -> str | None: ...  # noqa: D102
    @property
    def sequence(self) -> int | None: ...  # noqa: D102


class Planned(NamedTuple):
    """A batch became part of a manifest: its new row, so that the event's 2,000 users aren't kept as texts each."""

    row: BatchRow


class Finished(NamedTuple):
    """A batch is done."""

    data: BatchFinished
    sequence: int
    time: datetime


class Reopened(NamedTuple):
    """A batch's users are tried again."""

    data: BatchReopened
    sequence: int
    time: datetime


@dataclass(slots=True)
class Settled:
    """Outcomes of consecutive positions: grows while events of migrated users follow each other."""

    request: str
    batch: int
    attempt: int
    time: datetime
    position: int
    sequence: int
    offset: int
    code: int
    partition: int
    n: int = 1
    reason: str | None = None
    detail: str = ""
    transient: bool = False


BatchOp = Planned | Settled | Finished | Reopened


@dataclass(slots=True)
class BatchWork:
    """The ops on one batch, in the order of its shard."""

    shard: int
    customer: str
    ops: list[BatchOp] = field(default_factory=list)


class StateOp(NamedTuple):
    """A word of the engine about a whole request."""

    data: Any
    sequence: int
    time: datetime
    shard: int


class RequestFact(NamedTuple):
    """What a MigrationRequested says; the first one of a request counts."""

    request: str
    event_id: str
    source: str
    correlation: str | None
    mode: str
    name: str
    description: str
    service: str
    mappings: list[dict[str, str]]
    selection: dict[str, Any]
    generate_missing_packages: bool
    requested_by: str
    reference: str | None
    seen: dict[str, Any] | None
    start_at: datetime | None
    requested_at: datetime


class TimelineFact(NamedTuple):
    """An event about a request as a whole; `record_offset` is where it is, which no dump shows."""

    request: str
    topic: str
    event_id: str
    partition: int
    sequence: int | None
    record_offset: int
    at: datetime
    type: str
    summary: dict[str, Any]


class ExclusionFact(NamedTuple):
    """Users of a customer that a manifest leaves out, one a line."""

    shard: int
    sequence: int
    request: str
    customer: str
    reason: str
    n: int
    users: str
    first_user: str
    last_user: str
    at: datetime


class PackageFact(NamedTuple):
    """A package that was generated, or could not be."""

    shard: int
    sequence: int
    request: str
    customer: str
    service: str
    plan: str
    generated: bool
    seat_limit: int | None
    detail: str
    at: datetime


class NameFact(NamedTuple):
    """How a customer, service or plan is called; the newest revision counts."""

    kind: str
    key: str
    name: str
    revision: int


@dataclass(slots=True)
class Span:
    """Consecutive records of one request in one partition, within a second: how its events are found in Kafka."""

    topic: str
    partition: int
    request: str
    first_offset: int
    first_sequence: int | None
    n: int
    first_at: datetime


@dataclass(slots=True)
class Facts:
    """Everything that a group of records says."""

    batches: dict[BatchKey, BatchWork] = field(default_factory=dict)
    states: dict[str, list[StateOp]] = field(default_factory=dict)
    requests: list[RequestFact] = field(default_factory=list)
    timeline: list[TimelineFact] = field(default_factory=list)
    exclusions: list[ExclusionFact] = field(default_factory=list)
    packages: list[PackageFact] = field(default_factory=list)
    names: list[NameFact] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    skipped: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def skip(self, topic: str, partition: int, reason: str, n: int = 1) -> None:
        """Count records that say nothing that can be used."""
        key = (topic, partition, reason)
        self.skipped[key] = self.skipped.get(key, 0) + n
