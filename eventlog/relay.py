"""The relay: publishes a shard's ledger into its partition, in order, and remembers how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings
from eventlog.database import Pool
from eventlog.lease import Lease
from eventlog.record import OutgoingEvent


class Outlet:
    """The one idempotent producer of a process, shared by its relays.

    On any error the producer is dropped without a flush, and every relay resumes from what was acknowledged.
    """

    def __init__(self, kafka: KafkaSettings) -> None: ...

    async def close(self) -> None:
        """Drop the producer; what is not acknowledged stays in the ledgers."""


class Relay:
    """Publishes one shard. `topic` has no prefix; the partition is the shard.

    `mark`: for topics with other writers, bytes that a value of ours contains (such as its source).
    `alarms` gets kind `topic-ahead` when the takeover check refuses.
    """

    def __init__(
        self,
        pool: Pool,
        outlet: Outlet,
        topic: str,
        lease: Lease,
        *,
        poll_s: float = 0.2,
        mark: bytes | None = None,
        alarms: Alarms | None = None,
    ) -> None: ...

    async def run(self) -> None:
        """Check the takeover, then publish until cancelled.

        Keeps trying while Kafka or Postgres is away. Raises LostLease when fenced out and TopicAhead when the
        topic holds what the ledger doesn't.
        """

    async def verified(self) -> None:
        """Return when the takeover check has passed (so that work may begin); raises what `run` raises."""

    def offer(self, first_sequence: int, events: Sequence[OutgoingEvent]) -> None:
        """Hand over a chunk right after its commit, so that it needn't be read back. Never blocks."""

    def wake(self) -> None:
        """Look at the ledger now instead of at the next poll."""

    @property
    def unsent(self) -> int:
        """Events appended, as far as known here, and not acknowledged by Kafka."""

    @property
    def published_to(self) -> int:
        """Last sequence that Kafka has acknowledged (0: none)."""


async def republish(
    pool: Pool, kafka: KafkaSettings, topic: str, shard: int, from_sequence: int, to_sequence: int | None = None
) -> int:
    """Send sequences again, `to_sequence` (default: the ledger's last) included; returns how many were sent.

    Readers that have folded them drop them. The records carry a header `republished`.
    """
    raise AssertionError
