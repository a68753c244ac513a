"""Writes requests and later words into the ledger of `migration.requests`, long lists in parts before the request."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple

from contracts.codec import encode
from contracts.envelope import WIZARD_SOURCE, wrap
from contracts.requests import (
    INLINE_LIMIT,
    ListName,
    MigrationRequested,
    MigrationSelectionPart,
    RequestCommand,
    Selection,
    UserRef,
)
from contracts.topics import REQUEST_PARTITIONS
from eventlog import ledger
from eventlog.partitions import partition_of
from eventlog.record import OutgoingEvent
from services.wizard.domain.parts import INLINE_BYTES, PartCutter
from services.wizard.edges import selection_store
from serving import context
from serving.postgres import Connection

_USER_FRAME_BYTES = 25
_CUSTOMER_FRAME_BYTES = 3
Entry = str | UserRef


class Occasion(NamedTuple):
    """When something is said, and the ids that lead from it to the HTTP request behind it."""

    time: datetime
    correlation_id: str | None = None
    traceparent: str | None = None


def occasion(now: datetime) -> Occasion:
    """Give the occasion of the HTTP request being served."""
    current = context.current()
    return Occasion(now, current.correlation_id, current.traceparent) if current else Occasion(now)


async def say(conn: Connection, event: Any, event_id: str, when: Occasion) -> None:  # noqa: ANN401 -- a request event
    """Append one event of `migration.requests`; the last thing in its transaction but for others of its kind."""

    def encoded(sequence: int) -> list[OutgoingEvent]:
        envelope = wrap(
            event,
            event_id=event_id,
            source=WIZARD_SOURCE,
            time=when.time,
            sequence=sequence,
            correlation_id=when.correlation_id,
            traceparent=when.traceparent,
        )
        return [OutgoingEvent(event.TYPE, event.key(), event_id, encode(envelope))]

    await ledger.append(conn, partition_of(event.key(), REQUEST_PARTITIONS), 1, encoded, lease=None)


async def command(conn: Connection, event: RequestCommand, mark: str, when: Occasion) -> None:
    """Say a later word about a request; `mark` tells it from the same word said again."""
    name = event.TYPE.rsplit(".", 2)[-2]
    await say(conn, event, f"{event.request}/{name}/{mark}", when)


async def selection(
    conn: Connection, draft: str, request: str, *, whole: bool, base: bool, when: Occasion
) -> Selection:
    """Write the selection's long lists as parts; gives the selection that names their number.

    `whole`: "all users" of the customers in scope, without those listed as excluded; else the users listed.
    `base`: all customers but the excluded ones.
    """
    lists = _Lists(conn, request, when)
    if not whole:
        users = await lists.take("users", selection_store.users_in_event(conn, draft, selected=True))
        return Selection(users=users, parts=lists.parts)
    name: ListName = "excluded_customers" if base else "customers"
    customers = await lists.take(name, selection_store.customers_in_event(conn, draft, selected=not base))
    excluded = await lists.take("excluded_users", selection_store.users_in_event(conn, draft, selected=False))
    return Selection(
        all_customers=base,
        all_users=True,
        parts=lists.parts,
        excluded_users=excluded,
        **{name: customers},
    )


class _Lists:
    """Writes lists: short ones are given back to go into the request itself, long ones go into parts."""

    def __init__(self, conn: Connection, request: str, when: Occasion) -> None:
        self._conn, self._request, self._when = conn, request, when
        self.parts = 0

    async def take(self, name: ListName, entries: AsyncIterator[Entry]) -> tuple[Entry, ...]:
        """Take a list; memory for one part, however long it is."""
        part: list[Entry] = []
        cutter, part_bytes, written = PartCutter(), 0, False
        async for entry in entries:
            size = _size(entry)
            if cutter.begins(size):
                await self._write(name, part)
                part, part_bytes, written = [], 0, True
            part.append(entry)
            part_bytes += size
        if not written and len(part) <= INLINE_LIMIT and part_bytes <= INLINE_BYTES:
            return tuple(part)
        await self._write(name, part)
        return ()

    async def _write(self, name: ListName, entries: list[Entry]) -> None:
        self.parts += 1
        lists: dict[str, Any] = {"users": (), "customers": ()}
        lists["users" if name.endswith("users") else "customers"] = tuple(entries)
        # Checked when they came in; checking five thousand entries again would cost more than writing them.
        event = MigrationSelectionPart.model_construct(request=self._request, part=self.parts, list=name, **lists)
        await say(self._conn, event, f"{self._request}/part/{self.parts}", self._when)


def _size(entry: Entry) -> int:
    if isinstance(entry, str):
        return len(entry) + _CUSTOMER_FRAME_BYTES
    return len(entry.customer) + len(entry.user) + _USER_FRAME_BYTES


async def requested(conn: Connection, event: MigrationRequested, when: Occasion) -> None:
    """Write the request itself; its parts come before it."""
    await say(conn, event, f"{event.request}/requested", when)
