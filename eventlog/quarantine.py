"""Quarantine: records that could not be read are kept whole, published, and can be sent again."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError

from eventlog.connections import AWAY_ERRORS, KafkaSettings, Patience
from eventlog.database import Connection, Pool
from eventlog.outlet import Outlet
from eventlog.record import IncomingRecord
from eventlog.sqlfile import load_queries

_QUERIES = load_queries(Path(__file__).parent / "sql" / "quarantine.sql")

_LONGEST_DETAIL = 2_000
_PUBLISH_AT_ONCE = 20


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

    def published_headers(self) -> list[tuple[str, bytes]]:
        """Headers in the topic of quarantined records: the original ones, then what is known about the record."""
        return [
            *self.headers,
            ("planshift-reason", self.reason.encode()),
            ("planshift-detail", self.detail.encode()),
            ("planshift-topic", self.topic.encode()),
            ("planshift-partition", b"%d" % self.partition),
            ("planshift-offset", b"%d" % self.offset),
        ]


async def put(conn: Connection, record: IncomingRecord, reason: str, detail: str) -> None:
    """Keep a record, in the transaction of the fold that could not read it; a second time changes nothing.

    `detail` is cut to 2,000 characters; control characters become spaces.
    """
    printable = "".join(c if c.isprintable() else " " for c in detail[:_LONGEST_DETAIL])
    await conn.execute(
        _QUERIES["put"],
        record.topic,
        record.partition,
        record.offset,
        reason,
        printable.encode(errors="replace").decode(),
        record.key,
        record.value,
        _pack_headers(record.headers),
        record.timestamp_ms,
    )


async def list_page(conn: Connection, *, after_id: int = 0, limit: int = 100) -> list[QuarantinedRecord]:
    """Records in order of their ids, from the one after `after_id` on."""
    return [_from_row(row) for row in await conn.fetch(_QUERIES["page"], after_id, limit)]


async def get(conn: Connection, record_id: int) -> QuarantinedRecord | None:
    """One record, or None."""
    row = await conn.fetchrow(_QUERIES["get"], record_id)
    return None if row is None else _from_row(row)


async def replay(pool: Pool, kafka: KafkaSettings, record_id: int, *, by: str) -> QuarantinedRecord | None:
    """Send a record again to where it came from, and keep who did it when; None if there is none.

    It goes to its original partition with its original key, value and headers. Raises what the clients raise when
    Kafka or Postgres is away; then it may have been sent without a note of it.
    """
    async with pool.acquire() as conn:
        record = await get(conn, record_id)
    if record is None:
        return None
    outlet = Outlet(kafka)
    try:
        await _send(
            outlet,
            record.value,
            topic=record.topic,
            partition=record.partition,
            key=record.key,
            headers=list(record.headers),
        )
    finally:
        await outlet.close()
    async with pool.acquire() as conn:
        row = await conn.fetchrow(_QUERIES["mark_replayed"], record_id, by)
    return None if row is None else _from_row(row)


class QuarantinePublisher:
    """Sends what is in quarantine to its topic, at least once and in order.

    Key "topic/partition/offset", the original value, the original headers and planshift-reason, -detail, -topic,
    -partition and -offset.
    """

    def __init__(
        self, pool: Pool, kafka: KafkaSettings, *, topic: str = "migration.quarantine", poll_s: float = 1.0
    ) -> None:
        self._pool = pool
        self._outlet = Outlet(kafka)
        self._topic = topic
        self._poll_s = poll_s
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Publish until cancelled; keeps trying while Kafka or Postgres is away."""
        patience = Patience("Kafka or Postgres, for publishing the quarantine")
        try:
            while True:
                try:
                    found = await self._publish_some()
                except AWAY_ERRORS as error:
                    await patience.failed(error)
                else:
                    patience.succeeded()
                    if not found:
                        await self._wait()
        finally:
            await self._outlet.close()

    def wake(self) -> None:
        """Look now instead of at the next poll."""
        self._woken.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    async def _publish_some(self) -> bool:
        """Whether there was anything to publish. Rows are marked only after Kafka has them."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(_QUERIES["unpublished"], _PUBLISH_AT_ONCE)
            for row in rows:
                record = _from_row(row)
                key = f"{record.topic}/{record.partition}/{record.offset}".encode()
                await _send(
                    self._outlet,
                    record.value,
                    topic=self._topic,
                    partition=0,
                    key=key,
                    headers=record.published_headers(),
                )
                await conn.execute(_QUERIES["mark_published"], record.id)
        return bool(rows)


async def _send(
    outlet: Outlet,
    value: bytes | None,
    *,
    topic: str,
    partition: int,
    key: bytes | None,
    headers: list[tuple[str, bytes]],
) -> None:
    producer = await outlet.producer()
    try:
        await producer.send_and_wait(outlet.kafka.topic(topic), value, key=key, partition=partition, headers=headers)
    except KafkaError as error:
        await outlet.drop(producer, error)
        raise


def _pack_headers(headers: tuple[tuple[str, bytes], ...]) -> str:
    """Names and values in base64: a name may hold what JSON in Postgres can't, such as a NUL."""
    pairs = [(name.encode(), value or b"") for name, value in headers]
    return json.dumps([[base64.b64encode(part).decode() for part in pair] for pair in pairs])


def _from_row(row: Mapping[str, Any]) -> QuarantinedRecord:
    values = dict(row)
    headers = values.pop("headers")
    pairs = json.loads(headers) if isinstance(headers, str) else headers  # a pool may decode jsonb itself
    return QuarantinedRecord(
        offset=values.pop("record_offset"),
        headers=tuple((base64.b64decode(name).decode(), base64.b64decode(value)) for name, value in pairs),
        **values,
    )
