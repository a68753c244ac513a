"""Steps for a request as a whole, by the owner of its home shard: each is one transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from contracts.codec import EVENT_BY_TYPE
from contracts.requests import MigrationRequested, RequestCommand
from contracts.topics import SHARDS
from eventlog.database import Connection
from eventlog.lease import Lease
from eventlog.record import OutgoingEvent
from eventlog.sqlfile import load_queries
from services.provisioning_engine.domain.coordination import (
    ENDED,
    Decision,
    Outcomes,
    RequestState,
    Said,
    Totals,
    after_planning,
    after_validation,
    after_word,
    finished,
    start_or_wait,
    with_own_sequence,
)
from services.provisioning_engine.domain.planner import manifest_hash
from services.provisioning_engine.domain.validation import judge
from services.provisioning_engine.edges.judging import directory_behind, facts_about, parts_missing
from services.provisioning_engine.edges.step import NOTHING, Appended, Job, append_expected, claim_request
from services.provisioning_engine.edges.wire import Thread, outgoing

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "coordination.sql")

PATIENCE_S = 60.0
"""How long a request waits for its selection's parts, and for the directory that the person had seen."""


async def load_job(conn: Connection, request: str) -> Job | None:
    """Read a request for its workers; none: it never came."""
    row = await conn.fetchrow(_QUERIES["load"], request)
    if row is None:
        return None
    thread = Thread(request, row["correlation"], row["event_id"], row["traceparent"])
    return Job(MigrationRequested.model_validate_json(row["spec"]), thread, row["home_shard"])


async def judge_step(conn: Connection, job: Job, lease: Lease) -> Appended:
    """Reject a request with every problem, or open its planning; waits for what is on its way."""
    async with conn.transaction():
        held = await _hold(conn, job, RequestState.RECEIVED)
        if held is None or (not held["overdue"] and await _is_incomplete(conn, job.request)):
            return NOTHING
        facts = await facts_about(conn, job.request, held["said_at"], held["now"])
        decision = after_validation(job.request, judge(job.request, facts))
        if decision.state is RequestState.PLANNING:
            await conn.execute(_QUERIES["open_shards"], job.id, SHARDS)
        return await _commit(conn, job, lease, held, decision)


async def freeze_step(conn: Connection, job: Job, lease: Lease) -> Appended:
    """Add the manifest up when every shard has planned its part."""
    async with conn.transaction():
        held = await _hold(conn, job, RequestState.PLANNING)
        if held is None:
            return NOTHING
        shards = await conn.fetch(_QUERIES["shards"], job.id)
        if not all(row["planning_done"] for row in shards):
            return NOTHING
        totals = _totals(shards)
        decision = after_planning(job.request, totals, held["now"])
        return await _commit(conn, job, lease, held, decision, totals)


async def start_step(conn: Connection, job: Job, lease: Lease) -> Appended:
    """Start a request whose time has come."""
    async with conn.transaction():
        held = await _hold(conn, job, RequestState.PENDING_START)
        if held is None or held["start_at"] > held["now"]:
            return NOTHING
        return await _commit(conn, job, lease, held, start_or_wait(job.request, held["planned"], held["now"]))


async def finish_step(conn: Connection, job: Job, lease: Lease) -> Appended:
    """End a request when no shard has anything open."""
    async with conn.transaction():
        held = await _hold(conn, job, RequestState.RUNNING)
        if held is None:
            return NOTHING
        shards = await conn.fetch(_QUERIES["shards"], job.id)
        if any(row["open"] for row in shards):
            return NOTHING
        end = finished(job.id, _outcomes(shards))
        return await _commit(conn, job, lease, held, Decision((end,), RequestState.FINISHED))


async def command_step(conn: Connection, request: str, job: Job | None, lease: Lease) -> Appended:
    """Answer the oldest later word about a request: with what follows from it, or with a refusal."""
    async with conn.transaction():
        await claim_request(conn, request)
        held = await conn.fetchrow(_QUERIES["hold"], request, PATIENCE_S)
        command = await conn.fetchrow(_QUERIES["next_command"], request)
        if command is None:
            return NOTHING
        word = _word(command)
        state = RequestState(held["state"]) if held else None
        manifest = (held["manifest_hash"] or "", held["planned"]) if held else ("", 0)
        place = held or (await conn.fetch(_QUERIES["unknown_next_sequence"], lease.shard))[0]
        answer = after_word(job.request if job else None, state, manifest, word, command["id"], place["now"])
        await conn.execute(_QUERIES["command_done"], command["id"])
        if isinstance(answer, Said):
            thread = job.thread if job else Thread(request, request, command["event_id"], None)
            thread = thread._replace(causation=command["event_id"])
            return await _append(conn, thread, lease, place, (answer,))
        if job is None:
            return NOTHING
        return await _commit(conn, job, lease, place, answer)


def _word(command: asyncpg.Record) -> RequestCommand:
    model: Any = EVENT_BY_TYPE[command["type"]]
    word: RequestCommand = model.model_validate_json(command["body"])
    return word


async def _hold(conn: Connection, job: Job, state: RequestState) -> asyncpg.Record | None:
    await claim_request(conn, job.id)
    held = await conn.fetchrow(_QUERIES["hold"], job.id, PATIENCE_S)
    return held if held is not None and held["state"] == state else None


async def _is_incomplete(conn: Connection, request: MigrationRequested) -> bool:
    return bool(await parts_missing(conn, request) or await directory_behind(conn, request))


async def _commit(
    conn: Connection, job: Job, lease: Lease, held: asyncpg.Record, decision: Decision, totals: Totals | None = None
) -> Appended:
    """Write a decision: the state, what it frees, and its events as the last statement."""
    await conn.execute(
        _QUERIES["change"],
        job.id,
        decision.state.value,
        totals.hash if totals else None,
        totals.planned if totals else None,
        decision.start_at,
        decision.state in ENDED,
    )
    if decision.state is RequestState.DECLINED:
        await conn.execute(_QUERIES["release_reservations"], job.id, job.request.service)
        await conn.execute(_QUERIES["close_shards"], job.id)
    await conn.execute(_QUERIES["tell"])
    return await _append(conn, job.thread, lease, held, decision.events)


async def _append(
    conn: Connection, thread: Thread, lease: Lease, held: asyncpg.Record, said: Sequence[Said]
) -> Appended:
    now: datetime = held["now"]

    def encode(first: int) -> list[OutgoingEvent]:
        return [
            outgoing(thread, one.id, with_own_sequence(one.data, lease.shard, sequence), now, sequence)
            for sequence, one in enumerate(said, first)
        ]

    appended = await append_expected(conn, lease, held["next_sequence"], len(said), encode)
    return appended._replace(told=True)


def _totals(shards: Sequence[asyncpg.Record]) -> Totals:
    reasons: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    for row in shards:
        reasons.update(json.loads(row["excluded_by_reason"]))
        packages.update(json.loads(row["packages"]))
    return Totals(
        planned=sum(row["planned"] for row in shards),
        excluded=sum(row["excluded"] for row in shards),
        excluded_by_reason=reasons,
        customers=sum(row["customers"] for row in shards),
        batches=sum(row["next_batch"] for row in shards),
        packages=packages,
        hash=manifest_hash({row["shard"]: row["hash"] for row in shards}),
        last_sequence={row["shard"]: row["planned_last_sequence"] for row in shards},
    )


def _outcomes(shards: Sequence[asyncpg.Record]) -> Outcomes:
    return Outcomes(
        planned=sum(row["planned"] for row in shards),
        migrated=sum(row["migrated"] for row in shards),
        failed=sum(row["failed"] for row in shards),
        skipped=sum(row["skipped"] for row in shards),
        cancelled=sum(row["cancelled"] for row in shards),
        packages_generated=sum(row["packages_generated"] for row in shards),
        last_sequence={row["shard"]: row["last_sequence"] for row in shards},
    )
