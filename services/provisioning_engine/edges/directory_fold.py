"""Folding `directory.events` into the engine's tables, thousands of rows a statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contracts.codec import UnknownTypeFromKnownSourceError, UnreadableError, decode
from contracts.directory import DirectoryEvent, UserRegistered
from contracts.topics import SHARDS
from eventlog.database import Connection
from eventlog.partitions import partition_of
from eventlog.quarantine import put
from eventlog.record import IncomingRecord
from eventlog.sqlfile import load_queries
from services.provisioning_engine.domain.directory import Entities, Key, Rank, gather
from services.provisioning_engine.edges.counts import Counts

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "directory.sql")

READER = "engine-directory"


class DirectoryFold:
    """The fold of the directory's reader: registers that converge whatever the order (decision 9)."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    async def __call__(self, conn: Connection, records: Sequence[IncomingRecord]) -> None:
        """Fold records in the reader's transaction; what can't be read goes to quarantine."""
        await conn.execute(_QUERIES["limit_time"])
        events: list[DirectoryEvent] = []
        for record in records:
            try:
                # Who a user is (name, address) is nothing to the engine, but it reads these records, too: nobody else
                # would put one into quarantine.
                event = decode(record.topic, record.key, record.value, record.headers).data
                if record.type != UserRegistered.TYPE:
                    events.append(event)
            except UnreadableError as error:
                await put(conn, record, error.reason, error.detail)
                self._counts.quarantined.labels(record.topic, error.reason).inc()
            except UnknownTypeFromKnownSourceError:
                self._counts.unknown_types.labels(record.topic).inc()
        await write(conn, gather(events))


async def write(conn: Connection, found: Entities) -> None:
    """Write the winners of one fold; every statement takes its rows in the order of their keys."""
    if found.removals:
        await conn.execute(_QUERIES["lock_exclusive"])
    elif found.assignments:
        await conn.execute(_QUERIES["lock_shared"])
    await _write(conn, "resellers", found.resellers, _reseller)
    await _write(conn, "customers", found.customers, _customer)
    await _write(conn, "services", found.services, _plain)
    await _write(conn, "plans", found.plans, _limited)
    await _write(conn, "removals", found.removals, _plain)
    await _write(conn, "removed_assignments", found.removals, _plain)
    if found.assignments:
        await _write_assignments(conn, found.assignments)
    await _write(conn, "packages", found.packages, _package)


async def _write(
    conn: Connection, query: str, entities: dict[Key, Rank], row: Callable[[Key, Rank], tuple[Any, ...]]
) -> None:
    if entities:
        columns = zip(*(row(key, rank) for key, rank in entities.items()), strict=True)
        await conn.execute(_QUERIES[query], *map(list, columns))


async def _write_assignments(conn: Connection, assignments: dict[Key, Rank]) -> None:
    customers, services, users = zip(*assignments, strict=True)
    revisions, plans = zip(*assignments.values(), strict=True)
    distinct = list(set(customers))
    await conn.execute(
        _QUERIES["assignments"],
        customers,
        services,
        users,
        revisions,
        [plan or None for plan in plans],
        distinct,
        [partition_of(customer, SHARDS) for customer in distinct],
    )


def _plain(key: Key, rank: Rank) -> tuple[Any, ...]:
    return (*key, *rank)


def _reseller(key: Key, rank: Rank) -> tuple[Any, ...]:
    revision, active, parent = rank
    return (*key, revision, active, parent or None)


def _customer(key: Key, rank: Rank) -> tuple[Any, ...]:
    revision, removed, active, reseller = rank
    return (*key, revision, removed, active, reseller or None, partition_of(key[0], SHARDS))


def _limited(key: Key, rank: Rank) -> tuple[Any, ...]:
    *others, limit = rank
    return (*key, *others, None if limit < 0 else limit)


def _package(key: Key, rank: Rank) -> tuple[Any, ...]:
    return (*_limited(key, rank), partition_of(key[0], SHARDS))
