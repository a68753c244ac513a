"""A reader: folds topics into a database, every record's effect exactly once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings
from eventlog.database import Connection, Pool
from eventlog.record import IncomingRecord

Fold = Callable[[Connection, Sequence[IncomingRecord]], Awaitable[None]]


class Subscription(NamedTuple):
    """A topic (without prefix) and what is known about its writer.

    `sequenced`: records with a `sequence` header are counted per partition. `mark`: for topics with other
    writers, bytes that a counted record's value contains; others pass uncounted.
    """

    topic: str
    sequenced: bool = False
    mark: bytes | None = None


class Place(NamedTuple):
    """How far a reader is in a partition. `lag` in records (None: not known yet)."""

    topic: str
    partition: int
    next_offset: int
    last_sequence: int
    lag: int | None
    last_timestamp_ms: int
    stopped: str | None


class Reader:
    """Folds `subscriptions` through `fold(conn, records)` in transactions of up to `max_records` records.

    `name` is the key of the stored positions and the consumer group (with the topic prefix). Processes with the
    same name and database share the partitions; with `alone=True` this process reads all of them, whatever others
    do. Records of `skip_types` (or outside `wanted_types`; records without a type header are always wanted) are
    counted but not folded.

    The fold runs inside the transaction that also moves the positions. It must not catch database errors. What it
    raises is retried with growing waits: errors of the connection quietly, others with an alarm (`poison`).
    """

    def __init__(
        self,
        pool: Pool,
        kafka: KafkaSettings,
        name: str,
        subscriptions: Sequence[Subscription],
        fold: Fold,
        *,
        skip_types: Collection[str] = (),
        wanted_types: Collection[str] | None = None,
        max_records: int = 6_000,
        alone: bool = False,
        alarms: Alarms | None = None,
        after_commit: Callable[[Sequence[IncomingRecord]], None] | None = None,
    ) -> None: ...

    async def run(self) -> None:
        """Read and fold until cancelled."""

    @property
    def ready(self) -> bool:
        """Partitions are assigned and placed, and the last fold succeeded."""

    @property
    def alarms(self) -> Alarms:
        """What an operator has to look at."""

    @property
    def places(self) -> list[Place]:
        """How far the partitions of this process are."""

    @property
    def lag(self) -> int:
        """Records not yet folded in this process's partitions, as of the last poll of the ends (every second)."""

    @property
    def seconds_behind(self) -> float:
        """Age of what is folded: 0 when nothing is left to fold."""

    async def wait_for(self, positions: Mapping[tuple[str, int], int], *, within_s: float) -> bool:
        """Whether every (topic, partition) reached next_offset >= the given one within the time."""
        raise AssertionError
