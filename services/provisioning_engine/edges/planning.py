"""A planning step: some customers of one shard, in one short transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from contracts.provisioning import BatchPlanned, EngineEvent, UsersExcluded
from contracts.topics import SHARDS
from eventlog.database import Connection
from eventlog.errors import LostLease
from eventlog.lease import Lease
from eventlog.record import OutgoingEvent
from eventlog.sqlfile import load_queries
from services.provisioning_engine.domain import event_ids
from services.provisioning_engine.domain.coordination import RequestState
from services.provisioning_engine.domain.planner import (
    PackageKey,
    Planned,
    Room,
    UserGroup,
    Wish,
    chained,
    plan,
)
from services.provisioning_engine.edges.step import NOTHING, Appended, Job, append_expected, share_request
from services.provisioning_engine.edges.wire import outgoing

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "planning.sql")
_TELL = load_queries(Path(__file__).parent.parent / "queries" / "execution.sql")["tell"]

USERS_OF_A_STEP = 20_000
CUSTOMERS_OF_A_STEP = 200


class _Page(NamedTuple):
    """Groups of users, and where the next page begins (`done`: there is none)."""

    groups: list[UserGroup]
    customer: str
    user: str | None
    done: bool


@dataclass(frozen=True)
class _Lists:
    customers: bool
    excluded_customers: bool
    users: bool
    excluded_users: bool


async def plan_step(conn: Connection, job: Job, lease: Lease) -> Appended:
    """Plan the next customers of the lease's shard; everything of it commits together, or nothing."""
    async with conn.transaction():
        await share_request(conn, job.id)
        held = await conn.fetchrow(_QUERIES["hold_shard"], job.id, lease.shard)
        if held is None or held["state"] != RequestState.PLANNING or held["planning_done"]:
            return NOTHING
        lists = _Lists(**dict((await conn.fetch(_QUERIES["lists"], job.id))[0]))
        wish = _wish(job)
        page = await _next_page(conn, job, lease.shard, wish, lists, held)
        planned = await _plan_page(conn, job, lease.shard, wish, page, held)
        return await _store(conn, job, lease, page, planned, held)


def _wish(job: Job) -> Wish:
    mappings = {mapping.from_plan: mapping.to_plan for mapping in job.request.mappings}
    return Wish(job.request.service, mappings, job.request.generate_missing_packages)


async def _next_page(conn: Connection, job: Job, shard: int, wish: Wish, lists: _Lists, held: asyncpg.Record) -> _Page:
    if lists.users:
        return await _listed_page(conn, job, shard, held)
    if held["cursor_user"] is not None:
        page = await _users(conn, job, shard, wish, lists, [held["cursor_customer"]], held["cursor_user"])
        return _page_of_one(page, held["cursor_customer"])
    rows = await conn.fetch(
        _QUERIES["customers_with_users"],
        job.id,
        shard,
        wish.service,
        list(wish.mappings),
        held["cursor_customer"],
        lists.customers,
        lists.excluded_customers,
        CUSTOMERS_OF_A_STEP,
    )
    customers = _fitting(rows)
    if not customers:
        return _Page([], "", None, done=True)
    if len(customers) == 1:
        return _page_of_one(await _users(conn, job, shard, wish, lists, customers, ""), customers[0])
    groups = await _users(conn, job, shard, wish, lists, customers, "")
    done = len(customers) == len(rows) < CUSTOMERS_OF_A_STEP
    return _Page(groups, customers[-1], None, done)


def _fitting(rows: Sequence[asyncpg.Record]) -> list[str]:
    """Give the first customers, at least one, whose users fit into one step."""
    customers: list[str] = []
    users = 0
    for row in rows:
        users += row["users"]
        if customers and users > USERS_OF_A_STEP:
            break
        customers.append(row["customer"])
    return customers


def _page_of_one(groups: list[UserGroup], customer: str) -> _Page:
    if sum(len(group.users) for group in groups) < USERS_OF_A_STEP:
        return _Page(groups, customer, None, done=False)
    return _Page(groups, customer, max(group.users[-1] for group in groups), done=False)


async def _users(
    conn: Connection, job: Job, shard: int, wish: Wish, lists: _Lists, customers: list[str], after: str
) -> list[UserGroup]:
    rows = await conn.fetch(
        _QUERIES["users_on_plans"],
        job.id,
        shard,
        wish.service,
        customers,
        after,
        USERS_OF_A_STEP if len(customers) == 1 else None,
        list(wish.mappings),
        lists.excluded_users,
    )
    return [_group(row) for row in rows]


async def _listed_page(conn: Connection, job: Job, shard: int, held: asyncpg.Record) -> _Page:
    rows = await conn.fetch(
        _QUERIES["listed_users"],
        job.id,
        shard,
        job.request.service,
        held["cursor_customer"],
        held["cursor_user"] or "",
        USERS_OF_A_STEP,
    )
    groups = [_group(row) for row in rows]
    if not groups:
        return _Page([], "", None, done=True)
    customer = groups[-1].customer
    user = max(group.users[-1] for group in groups if group.customer == customer)
    return _Page(groups, customer, user, done=sum(len(group.users) for group in groups) < USERS_OF_A_STEP)


def _group(row: asyncpg.Record) -> UserGroup:
    return UserGroup(row["customer"], row["plan"], row["removed"], row["users"].split("\n"), row["revisions"])


async def _plan_page(conn: Connection, job: Job, shard: int, wish: Wish, page: _Page, held: asyncpg.Record) -> Planned:
    customers = sorted({group.customer for group in page.groups})
    if not customers:
        return Planned()
    destinations = sorted(set(wish.mappings.values()))
    before: dict[PackageKey, int] = {}
    if held["cursor_user"] is not None:
        customer = held["cursor_customer"]
        rows = await conn.fetch(_QUERIES["planned_before"], job.id, shard, customer)
        before = {(customer, row["to_plan"]): row["users"] for row in rows}
    # A preview reserves nothing, so what its earlier pages took is added here.
    extra = before if job.request.mode == "preview" else {}
    rooms = {
        (row["customer"], row["plan"]): Room(
            row["provisioned"], row["seat_limit"], row["taken"] + extra.get((row["customer"], row["plan"]), 0)
        )
        for row in await conn.fetch(_QUERIES["rooms"], customers, wish.service, destinations)
    }
    active = {row["customer"] for row in await conn.fetch(_QUERIES["active_customers"], customers)}
    return plan(wish, page.groups, active_customers=active, rooms=rooms, planned_before=before)


async def _store(
    conn: Connection, job: Job, lease: Lease, page: _Page, planned: Planned, held: asyncpg.Record
) -> Appended:
    execute = job.request.mode == "execute"
    numbers = [(held["next_batch"] + i) * SHARDS + lease.shard for i in range(len(planned.batches))]
    if planned.batches:
        await _add_batches(conn, job, lease.shard, numbers, planned)
    if planned.reserves and execute:
        reserves = [(*package, seats) for package, seats in sorted(planned.reserves.items())]
        await conn.execute(
            _QUERIES["reserve"], job.request.service, lease.shard, *map(list, zip(*reserves, strict=True))
        )
    count = len(planned.batches) + len(planned.exclusions)
    await _advance(conn, job, lease, page, planned, held, held["next_sequence"] + count - 1 if count else None)
    users = planned.planned + planned.excluded
    if page.done:
        await conn.execute(_TELL)
    if not count:
        if not await conn.fetchval(_QUERIES["still_owner"], lease.shard, lease.epoch, lease.owner):
            raise LostLease(lease.shard, lease.epoch)
        return Appended(more=not page.done, told=page.done)
    appended = await append_expected(
        conn,
        lease,
        held["next_sequence"],
        count,
        lambda first: _events(job, lease.shard, planned, numbers, held, first),
    )
    return appended._replace(users=users, more=not page.done, told=page.done)


async def _add_batches(conn: Connection, job: Job, shard: int, numbers: list[int], planned: Planned) -> None:
    execute = job.request.mode == "execute"
    rows = [
        (
            no,
            batch.customer,
            batch.from_plan,
            batch.to_plan,
            len(batch.users),
            "\n".join(batch.users) if execute else "",
            batch.revision,
            json.dumps(batch.revisions),
            len(batch.users) if execute else 0,
        )
        for no, batch in zip(numbers, planned.batches, strict=True)
    ]
    state = "planned" if execute else "previewed"
    await conn.execute(_QUERIES["add_batches"], job.id, shard, state, *map(list, zip(*rows, strict=True)))


async def _advance(
    conn: Connection, job: Job, lease: Lease, page: _Page, planned: Planned, held: asyncpg.Record, last: int | None
) -> None:
    packages: dict[str, int] = json.loads(held["packages"])
    for _, plan_id in planned.generates:
        packages[plan_id] = packages.get(plan_id, 0) + 1
    reasons: dict[str, int] = json.loads(held["excluded_by_reason"])
    for reason, users in planned.excluded_by_reason().items():
        reasons[reason] = reasons.get(reason, 0) + users
    await conn.execute(
        _QUERIES["advance"],
        job.id,
        lease.shard,
        page.done,
        page.customer,
        page.user,
        held["next_batch"] + len(planned.batches),
        held["next_exclusion"] + len(planned.exclusions),
        chained(held["hash"], (batch.hash for batch in planned.batches)),
        json.dumps(reasons),
        json.dumps(packages),
        len(planned.customers),
        planned.planned,
        planned.excluded,
        planned.planned if job.request.mode == "execute" else 0,
        last,
    )


def _events(
    job: Job, shard: int, planned: Planned, numbers: list[int], held: asyncpg.Record, first: int
) -> list[OutgoingEvent]:
    said: list[tuple[str, EngineEvent]] = [
        (event_ids.batch_planned(job.id, no), _batch_planned(job, no, batch))
        for no, batch in zip(numbers, planned.batches, strict=True)
    ]
    for index, exclusion in enumerate(planned.exclusions, held["next_exclusion"]):
        number = index * SHARDS + shard
        data = UsersExcluded.model_construct(
            request=job.id,
            customer=exclusion.customer,
            number=number,
            reason=exclusion.reason,
            users=tuple(exclusion.users),
        )
        said.append((event_ids.users_excluded(job.id, number), data))
    return [
        outgoing(job.thread, event_id, data, held["now"], sequence)
        for sequence, (event_id, data) in enumerate(said, first)
    ]


def _batch_planned(job: Job, no: int, batch: Any) -> BatchPlanned:  # noqa: ANN401 - checked where it was planned
    return BatchPlanned.model_construct(
        request=job.id,
        customer=batch.customer,
        batch=no,
        service=job.request.service,
        from_plan=batch.from_plan,
        to_plan=batch.to_plan,
        users=tuple(batch.users),
        revision=batch.revision,
        revisions={str(position): revision for position, revision in batch.revisions.items()},
        hash=batch.hash,
        mode=job.request.mode,
    )
