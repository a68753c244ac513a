"""An execution step: about 2,000 users of one request and shard, across as many small batches as that takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg

from contracts.statuses import Outcome
from eventlog.database import Connection
from eventlog.errors import LostLease
from eventlog.lease import Lease
from eventlog.sqlfile import load_queries
from services.provisioning_engine.domain.connectors import Connector, Move
from services.provisioning_engine.domain.coordination import RequestState
from services.provisioning_engine.domain.outcomes import (
    NO_REFUSALS,
    Batch,
    Generation,
    PackageNow,
    Plan,
    Refusals,
    Result,
    Try,
    decide,
    deltas_of,
    needed_packages,
    result_of,
)
from services.provisioning_engine.domain.planner import PackageKey
from services.provisioning_engine.edges.outcome_events import count_events, encode_outcomes
from services.provisioning_engine.edges.step import NOTHING, Appended, Job, append_expected, share_request

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "execution.sql")

USERS_OF_A_STEP = 2_000


class _Work(NamedTuple):
    """What a step has before it: batches, the state of their packages, and the packages that have to be made."""

    batches: list[Batch]
    packages: dict[PackageKey, PackageNow]
    generations: dict[PackageKey, Generation]


async def execute_step(
    conn: Connection,
    job: Job,
    lease: Lease,
    after_batch: int,
    connector: Connector | None,
    still_holds: Callable[[Lease], bool],
) -> Appended:
    """Carry out the next batches after number `after_batch`; `connector` none: the engine's own directory."""
    refusals = NO_REFUSALS
    asked: _Work | None = None
    if connector is not None:
        asked = await _declare_intent(conn, job, lease, after_batch)
        if asked is None:
            return NOTHING
        refusals = await _call(connector, job, lease, asked, still_holds)
    async with conn.transaction():
        await share_request(conn, job.id)
        held = await conn.fetchrow(_QUERIES["hold_request"], job.id, lease.shard)
        if held is None or held["state"] != RequestState.RUNNING:
            return NOTHING
        work = await _read_work(conn, job, lease.shard, after_batch)
        if not work.batches:
            return NOTHING
        if asked is not None and not _is_covered(work, asked):
            return Appended(more=True)
        plan = decide(work.batches, work.packages, work.generations, refusals)
        return await _carry_out(conn, job, lease, held, plan)


def _is_covered(work: _Work, asked: _Work) -> bool:
    """Whether the connector was asked for all that is to be done now; the directory may have changed meanwhile."""
    unasked = work.generations.keys() - asked.generations.keys()
    return not unasked and [batch.no for batch in work.batches] == [batch.no for batch in asked.batches]


async def _declare_intent(conn: Connection, job: Job, lease: Lease, after_batch: int) -> _Work | None:
    async with conn.transaction():
        await share_request(conn, job.id)
        held = await conn.fetchrow(_QUERIES["hold_request"], job.id, lease.shard)
        if held is None or held["state"] != RequestState.RUNNING:
            return None
        work = await _read_work(conn, job, lease.shard, after_batch)
        if not work.batches:
            return None
        numbers = [batch.no for batch in work.batches]
        marked = await conn.fetch(_QUERIES["mark_applying"], job.id, lease.shard, numbers, lease.epoch)
        if len(marked) != len(numbers):
            raise LostLease(lease.shard, lease.epoch)
        return work


async def _call(
    connector: Connector, job: Job, lease: Lease, work: _Work, still_holds: Callable[[Lease], bool]
) -> Refusals:
    """Do the outside work, as long as the lease is ours; batches that were applying before are read back first."""
    service = job.request.service
    packages = await connector.generate_packages(service, list(work.generations.values()))
    moves: list[Move] = []
    asked: list[Move] = []
    for batch in work.batches:
        now = work.packages[batch.package]
        if batch.package not in packages and now.customer_active and _has_package(work, batch):
            (asked if batch.applying else moves).extend(_moves(job, batch))
    done = await connector.read_back(asked) if asked else set()
    moves += [move for move in asked if (move.batch, move.position) not in done]
    if not still_holds(lease):
        raise LostLease(lease.shard, lease.epoch)
    return Refusals(await connector.move_users(moves), packages)


def _has_package(work: _Work, batch: Batch) -> bool:
    return work.packages[batch.package].provisioned or batch.package in work.generations


def _moves(job: Job, batch: Batch) -> list[Move]:
    return [
        Move(
            job.id,
            batch.no,
            position,
            batch.attempt,
            job.request.service,
            batch.customer,
            user,
            batch.from_plan,
            batch.to_plan,
        )
        for position, user in enumerate(batch.users)
    ]


async def _read_work(conn: Connection, job: Job, shard: int, after_batch: int) -> _Work:
    rows = await conn.fetch(_QUERIES["next_batches"], job.id, shard, after_batch, USERS_OF_A_STEP)
    batches = [_batch(row) for row in rows]
    if not batches:
        return _Work([], {}, {})
    service, generate = job.request.service, job.request.generate_missing_packages
    destinations = sorted({batch.package for batch in batches})
    packages = {
        (row["customer"], row["plan"]): PackageNow(*list(row.values())[2:])
        for row in await conn.fetch(_QUERIES["packages_now"], service, *map(list, zip(*destinations, strict=True)))
    }
    if not generate or all(now.provisioned for now in packages.values()):
        return _Work(batches, packages, {})
    limits = await conn.fetch(_QUERIES["default_limits"], service, sorted({plan for _, plan in destinations}))
    generations = needed_packages(
        batches, packages, generate=generate, default_limits={row["plan"]: row["default_seat_limit"] for row in limits}
    )
    return _Work(batches, packages, generations)


def _batch(row: asyncpg.Record) -> Batch:
    revisions = row["revisions"]
    return Batch(
        row["no"],
        row["customer"],
        row["from_plan"],
        row["to_plan"],
        row["attempt"],
        row["users"].split("\n"),
        row["revision"],
        {} if revisions == "{}" else {int(position): other for position, other in json.loads(revisions).items()},
        row["reserved"],
        row["state"] == "applying",
    )


async def _carry_out(conn: Connection, job: Job, lease: Lease, held: asyncpg.Record, plan: Plan) -> Appended:
    # Users' rows before packages' rows, as the directory's fold locks them; the ledger has the packages first.
    results = await _move(conn, job, lease.shard, plan.tries)
    if plan.generations:
        await _generate(conn, job, lease.shard, plan.generations)
    count = count_events(plan, results)
    opened = await _settle(conn, job, lease.shard, plan, results, held["next_sequence"] + count - 1)
    if not opened:
        await conn.execute(_QUERIES["tell"])
    appended = await append_expected(
        conn,
        lease,
        held["next_sequence"],
        count,
        lambda first: encode_outcomes(job, plan, results, held["now"], first),
    )
    users = sum(len(result.batch.users) for result in results)
    return appended._replace(
        users=users, more=bool(opened), told=not opened, last_batch=results[-1].batch.no, results=results
    )


async def _generate(conn: Connection, job: Job, shard: int, generations: Sequence[Generation]) -> None:
    rows = [(*one.package, one.seat_limit, one.revision) for one in sorted(generations)]
    columns = map(list, zip(*rows, strict=True))
    await conn.execute(_QUERIES["generate_packages"], job.request.service, shard, job.id, *columns)


async def _move(conn: Connection, job: Job, shard: int, tries: Sequence[Try]) -> list[Result]:
    whole = [tried.batch.no for tried in tries if not tried.endings]
    rows = list(await conn.fetch(_QUERIES["move_batches"], job.id, shard, whole, job.request.service) if whole else ())
    users = [row for tried in tries if tried.endings for row in _user_rows(tried)]
    if users:
        columns = map(list, zip(*users, strict=True))
        rows += await conn.fetch(_QUERIES["move_users"], job.request.service, *columns)
    moved = {row["no"]: row for row in rows}
    removed = await _removed(conn, job.request.service, tries, moved)
    return [_result(tried, moved.get(tried.batch.no), removed) for tried in tries]


def _user_rows(tried: Try) -> list[tuple[int, int, str, str, str, str, int]]:
    batch = tried.batch
    return [
        (batch.no, position, batch.customer, user, batch.from_plan, batch.to_plan, batch.revision)
        for position, user in enumerate(batch.users)
        if position not in tried.endings
    ]


async def _removed(
    conn: Connection, service: str, tries: Sequence[Try], moved: Mapping[int, asyncpg.Record]
) -> set[tuple[str, str]]:
    """Look up who of those that did not move is gone; usually there is nobody to look up."""
    missing = []
    for batch, endings in tries:
        row = moved.get(batch.no)
        done = row["positions"] if row else ()
        if len(done) + len(endings) < len(batch.users):
            kept = set(range(len(batch.users))).difference(done, endings)
            missing += [(batch.customer, batch.users[position]) for position in kept]
    if not missing:
        return set()
    rows = await conn.fetch(_QUERIES["removed_users"], service, *map(list, zip(*missing, strict=True)))
    return {(row["customer"], row["user_id"]) for row in rows}


def _result(tried: Try, row: asyncpg.Record | None, removed: set[tuple[str, str]]) -> Result:
    batch = tried.batch
    gone: set[int] = set()
    if removed:
        gone = {at for at, user in enumerate(batch.users) if (batch.customer, user) in removed}
    if row is None:
        return result_of(tried, (), {}, gone)
    actual: dict[int, int] = {}
    if row["other_positions"] or batch.revisions:
        actual = dict(zip(row["other_positions"] or (), row["other_revisions"] or (), strict=True))
    return result_of(tried, row["positions"], actual, gone)


async def _settle(
    conn: Connection, job: Job, shard: int, plan: Plan, results: Sequence[Result], last_sequence: int
) -> int:
    """Write the counts; gives how many users are still open in this shard."""
    ends = [
        (result.batch.no, result.migrated, result.count(Outcome.FAILED), result.count(Outcome.SKIPPED))
        for result in results
    ]
    numbers, migrated, failed, skipped = map(list, zip(*ends, strict=True))
    return int(
        await conn.fetchval(
            _QUERIES["settle"],
            job.id,
            shard,
            job.request.service,
            *map(list, zip(*deltas_of(results).rows(), strict=True)),
            numbers,
            migrated,
            failed,
            skipped,
            sum(len(result.batch.users) for result in results),
            sum(migrated),
            sum(failed),
            sum(skipped),
            len(plan.generations),
            last_sequence,
        )
    )
