"""Quarantine: records that could not be read are kept whole, published, and can be sent again."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from eventlog.connections import KafkaSettings
from eventlog.database import Connection, Pool
from eventlog.record import IncomingRecord


class QuarantinedRecord(NamedTuple):
    """A record in quarantine; everything of the original is unchanged."""

    id: int
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    record_timestamp_ms: int
    seen_at: datetime
    published: bool
    replayed_at: datetime | None
    replayed_by: str | None


async def put(conn: Connection, record: IncomingRecord, reason: str, detail: str) -> None:
    """Keep a record, in the transaction of the fold that could not read it; a second time changes nothing."""


async def list_page(conn: Connection, *, after_id: int = 0, limit: int = 100) -> list[QuarantinedRecord]:
    """Records in order of their ids, from the one after `after_id` on."""
    raise AssertionError


async def get(conn: Connection, record_id: int) -> QuarantinedRecord | None:
    """One record, or None."""
    raise AssertionError


class QuarantinePublisher:
    """Sends what is in quarantine to its topic, at least once and in order.

    Key "topic/partition/offset", the original value, the original headers and planshift-reason, -detail, -topic,
    -partition and -offset.
    """

    def __init__(
        self, pool: Pool, kafka: KafkaSettings, *, topic: str = "migration.quarantine", poll_s: float = 1.0
    ) -> None: ...

    async def run(self) -> None:
        """Publish until cancelled; keeps trying while Kafka or Postgres is away."""

    def wake(self) -> None:
        """Look now instead of at the next poll."""


async def replay(pool: Pool, kafka: KafkaSettings, record_id: int, *, by: str) -> QuarantinedRecord | None:
    """Send a record again to where it came from, unchanged, and keep who did it when; None if there is none."""
    raise AssertionError
