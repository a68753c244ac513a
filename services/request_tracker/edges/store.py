"""Rows and facts of a fold, from and to Postgres: a handful of set-wise statements, however many events there were."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from eventlog.database import Connection
from services.request_tracker.domain.facts import Facts
from services.request_tracker.domain.fold import keys_of
from services.request_tracker.domain.outcomes import pack, unpack
from services.request_tracker.domain.rows import (
    BatchKey,
    BatchRow,
    Counts,
    CustomerKey,
    CustomerRow,
    Rows,
    ShardKey,
    ShardRow,
    StateRow,
)
from services.request_tracker.edges.queries import FOLD

_COUNTS = ("planned", "migrated", "failed", "skipped", "cancelled", "excluded")
_SHARD_NUMBERS = ("batches", "batches_finished", "packages_generated", "packages_failed")
_SHARD_REST = ("reasons", "excluded_reasons", "pace", "first_outcome_us", "last_outcome_us")
_STATE = ("request", "shard", "phase", "phase_at", "paused", "final_status", "document")
_BATCH_ONCE = (
    "shard",
    "customer",
    "service",
    "from_plan",
    "to_plan",
    "mode",
    "n",
    "users",
    "first_user",
    "last_user",
    "planned_sequence",
    "planned_at",
)
_BATCH_TALLY = ("attempt", "migrated", "failed", "skipped", "cancelled")

_USERS_A_STATEMENT = 50_000

Columns = Sequence[Sequence[Any]]


async def load(conn: Connection, facts: Facts) -> Rows:
    """Load the rows that the facts change."""
    batches, shards, customers, states = keys_of(facts)
    rows = Rows()
    if batches:
        found = await conn.fetch(FOLD["load_batches"], *_turned(batches, 2))
        rows.batches = {BatchKey(row["request"], row["batch"]): _batch(row) for row in found}
    if shards:
        found = await conn.fetch(FOLD["load_shards"], *_turned(shards, 2))
        rows.shards = {ShardKey(row["request"], row["shard"]): _shard(row) for row in found}
    if customers:
        found = await conn.fetch(FOLD["load_customers"], *_turned(customers, 2))
        rows.customers = {CustomerKey(row["request"], row["customer"]): _customer(row) for row in found}
    if states:
        found = await conn.fetch(FOLD["load_states"], list(states))
        rows.states = {row["request"]: StateRow(**row) for row in found}
    return rows


async def save(conn: Connection, facts: Facts, rows: Rows) -> None:
    """Write the changed rows and the new facts."""
    await _save_batches(conn, rows)
    for name, values in (
        ("save_shards", _turned(map(_shard_values, rows.shards.values()), 17)),
        ("save_customers", _turned(map(_customer_values, rows.customers.values()), 9)),
        ("save_states", _columns(rows.states.values(), _STATE)),
        ("insert_exclusions", _turned(facts.exclusions, 10)),
        ("insert_packages", _turned(facts.packages, 10)),
        ("insert_spans", _columns(facts.spans, _SPAN)),
        ("save_names", _turned(facts.names, 4)),
        ("count_skipped", _turned([(*place, n) for place, n in sorted(facts.skipped.items())], 4)),
    ):
        if values[0]:
            await conn.execute(FOLD[name], *values)
    # Few, and two of one group may have the same key: one statement each keeps "the first one counts" true.
    if facts.requests:
        await conn.executemany(FOLD["insert_requests"], [_request_values(request) for request in facts.requests])
    if facts.timeline:
        await conn.executemany(FOLD["insert_timeline"], facts.timeline)


_SPAN = ("topic", "partition", "request", "first_offset", "first_sequence", "n", "first_at")
_REQUEST = (
    "request",
    "event_id",
    "source",
    "correlation",
    "mode",
    "name",
    "description",
    "service",
    "mappings",
    "selection",
    "generate_missing_packages",
    "requested_by",
    "reference",
    "seen",
    "start_at",
    "requested_at",
)


def _request_values(request: object) -> list[Any]:
    return [getattr(request, name) for name in _REQUEST]


async def _save_batches(conn: Connection, rows: Rows) -> None:
    new = [row for key, row in rows.batches.items() if key in rows.new_batches]
    changed = [row for key, row in rows.batches.items() if key not in rows.new_batches]
    for some in _bounded(new):
        ends = _columns(some, ("finished_sequence", "finished_at"))
        keys = _columns(some, ("request", "batch"))
        once = _columns(some, _BATCH_ONCE)
        tally = _columns(some, _BATCH_TALLY)
        await conn.execute(FOLD["insert_batches"], *keys, *once, *tally, *_packed(some), *ends)
    if changed:
        ends = _columns(changed, ("finished_sequence", "finished_at"))
        keys = _columns(changed, ("request", "batch"))
        tally = _columns(changed, _BATCH_TALLY)
        await conn.execute(FOLD["update_batches"], *keys, *tally, *_packed(changed), *ends)


def _bounded(rows: Sequence[BatchRow]) -> Iterator[Sequence[BatchRow]]:
    """The rows in groups of so many users that a statement stays small."""
    start = users = 0
    for number, row in enumerate(rows):
        if users and users + row.n > _USERS_A_STATEMENT:
            yield rows[start:number]
            start, users = number, 0
        users += row.n
    if rows:
        yield rows[start:]


def _packed(rows: Sequence[BatchRow]) -> Columns:
    return (
        [bytes(row.outcome) for row in rows],
        [pack(row.runs) for row in rows],
        [row.exceptions for row in rows],
        [" ".join(row.reasons) for row in rows],
        [row.history for row in rows],
    )


def _turned(rows: Iterable[Sequence[Any]], width: int) -> Columns:
    """Rows as columns; empty columns when there are no rows."""
    return list(zip(*rows, strict=True)) or [()] * width


def _columns(rows: Iterable[object], names: Sequence[str]) -> Columns:
    kept = list(rows)
    return [[getattr(row, name) for row in kept] for name in names]


def _counts(row: Any) -> Counts:  # noqa: ANN401 - asyncpg's record has no types
    return Counts(*(row[name] for name in _COUNTS))


def _shard(row: Any) -> ShardRow:  # noqa: ANN401 - as above
    numbers = {name: row[name] for name in (*_SHARD_NUMBERS, *_SHARD_REST)}
    return ShardRow(row["request"], row["shard"], _counts(row), **numbers)


def _shard_values(row: ShardRow) -> list[Any]:
    counts = [getattr(row.counts, name) for name in _COUNTS]
    return [row.request, row.shard, *counts, *(getattr(row, name) for name in (*_SHARD_NUMBERS, *_SHARD_REST))]


def _customer(row: Any) -> CustomerRow:  # noqa: ANN401 - as above
    return CustomerRow(row["request"], row["customer"], row["shard"], _counts(row))


def _customer_values(row: CustomerRow) -> list[Any]:
    return [row.request, row.customer, row.shard, *(getattr(row.counts, name) for name in _COUNTS)]


def _batch(row: Any) -> BatchRow:  # noqa: ANN401 - as above
    values = dict(row)
    values["outcome"] = bytearray(row["outcome"])
    values["runs"] = unpack(row["runs"])
    return BatchRow(users="", **values)
