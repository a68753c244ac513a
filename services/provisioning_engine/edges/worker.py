"""The work on shards: what there is to do, whose turn it is, and one step after the other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import structlog

from contracts.topics import PROVISIONING
from eventlog.alarms import Alarms
from eventlog.connections import AWAY_ERRORS, KafkaSettings, Patience, describe
from eventlog.database import Connection, Pool
from eventlog.errors import LostLease
from eventlog.lease import Lease
from eventlog.leases import Leases
from eventlog.relay import Outlet, Relay
from eventlog.sqlfile import load_queries
from services.provisioning_engine.domain.connectors import Connector
from services.provisioning_engine.domain.pacing import SMALL_REQUEST_USERS
from services.provisioning_engine.domain.turns import Turns
from services.provisioning_engine.edges import coordination, judging
from services.provisioning_engine.edges.counts import Counts
from services.provisioning_engine.edges.execution import execute_step
from services.provisioning_engine.edges.planning import plan_step
from services.provisioning_engine.edges.shard import ShardWork
from services.provisioning_engine.edges.simulated import SimulatedConnector
from services.provisioning_engine.edges.step import NOTHING, Appended, Job, SequenceMoved, UnknownConnector
from services.provisioning_engine.edges.work import Work

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "coordination.sql")
_log = structlog.get_logger("engine.worker")

_HINTS = "planshift_engine"
_LOOK_EVERY_S = 0.25
_LOOK_AT_MOST_EVERY_S = 0.02
_IDLE_PAUSE_S = 0.1
_UNSENT_OF_A_SHARD = 12_000
_TRY_AGAIN: tuple[type[BaseException], ...] = (SequenceMoved, asyncpg.TransactionTimeoutError, *AWAY_ERRORS)
_COORDINATION = frozenset({"command", "judge", "freeze", "start", "finish"})
_STEPS = {
    "judge": coordination.judge_step,
    "freeze": coordination.freeze_step,
    "start": coordination.start_step,
    "finish": coordination.finish_step,
    "plan": plan_step,
}


class Worker:
    """This process's part of the work; `may_append` says whether the readers are near enough."""

    def __init__(
        self,
        pool: Pool,
        kafka: KafkaSettings,
        owner: str,
        counts: Counts,
        alarms: Alarms,
        *,
        concurrency: int,
    ) -> None:
        self._pool = pool
        self._outlet = Outlet(kafka)
        self._counts = counts
        self._alarms = alarms
        self._leases = Leases(pool, owner, alarms=alarms)
        self._concurrency = concurrency
        self._shards: dict[int, ShardWork] = {}
        self._work: dict[tuple[str, str, int], Work] = {}
        self._turns = Turns()
        self._jobs: dict[str, Job] = {}
        self._connectors: dict[tuple[str, str], Connector | None] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._look = True
        self._looked_at_s = 0.0
        self.may_append: Callable[[], bool] = lambda: True

    @property
    def shards(self) -> list[ShardWork]:
        """The shards of this process, in order."""
        return [self._shards[shard] for shard in sorted(self._shards)]

    async def run(self) -> None:
        """Work until cancelled; then the shards are released."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._leases.run(self._begin, self._end))
                tasks.create_task(self._listen())
                tasks.create_task(self._dispatch())
        finally:
            for task in self._running:
                task.cancel()
            await self._outlet.close()

    def wake(self) -> None:
        """Consider anew what can be done."""
        self._woken.set()

    def look(self) -> None:
        """Look into the database for something to do."""
        self._look = True
        self._woken.set()

    async def _begin(self, lease: Lease) -> None:
        relay = Relay(self._pool, self._outlet, PROVISIONING.name, lease, alarms=self._alarms)
        self._shards[lease.shard] = ShardWork(lease, relay, self.look, self._alarms)

    async def _end(self, lease: Lease) -> None:
        work = self._shards.pop(lease.shard, None)
        if work is not None:
            await work.stop()

    async def _listen(self) -> None:
        """Take the hints of other processes; polling finds the same without them."""
        patience = Patience("Postgres, for hints")
        while True:
            try:
                async with self._pool.acquire() as conn:
                    await conn.add_listener(_HINTS, self._hinted)
                    patience.succeeded()
                    try:
                        while not conn.is_closed():  # noqa: ASYNC110 - a closed connection tells nobody
                            await asyncio.sleep(_IDLE_PAUSE_S)
                    finally:
                        await conn.remove_listener(_HINTS, self._hinted)
            except AWAY_ERRORS as error:
                await patience.failed(error)
            await asyncio.sleep(_IDLE_PAUSE_S)

    def _hinted(self, *_: object) -> None:
        self.look()

    async def _dispatch(self) -> None:
        patience = Patience("Postgres, for work")
        while True:
            self._woken.clear()
            try:
                await self._look_for_work()
            except AWAY_ERRORS as error:
                await patience.failed(error)
                continue
            patience.succeeded()
            while len(self._running) < self._concurrency and (work := self._next()) is not None:
                self._start(work)
            await self._sleep()

    async def _sleep(self) -> None:
        waiter = asyncio.ensure_future(self._woken.wait())
        pause = _LOOK_AT_MOST_EVERY_S if self._look else 2 * _LOOK_AT_MOST_EVERY_S if self._work else _LOOK_EVERY_S
        await asyncio.wait([waiter], timeout=pause)
        waiter.cancel()

    async def _look_for_work(self) -> None:
        since_s = time.monotonic() - self._looked_at_s
        if since_s < _LOOK_AT_MOST_EVERY_S or not (self._look or since_s >= _LOOK_EVERY_S):
            return
        self._look, self._looked_at_s = False, time.monotonic()
        mine = [shard.lease.shard for shard in self._shards.values() if shard.works]
        rows = []
        if mine:
            async with self._pool.acquire() as conn:
                rows = await conn.fetch(_QUERIES["work"], mine)
        found = [Work(row["kind"], row["request"], row["shard"], row["users"]) for row in rows]
        gone = self._work
        self._work = {work.key: gone.pop(work.key, work) for work in found}
        for work in gone.values():  # done, or another process's now
            self._alarms.clear("step-failed", work.place)
        requests = {work.request for work in found}
        self._turns.keep(requests)
        self._jobs = {request: job for request, job in self._jobs.items() if request in requests}

    def _next(self) -> Work | None:
        """Choose the next step: a request's own first, else of the request that is furthest behind."""
        now = time.monotonic()
        may_append = self.may_append()
        best: Work | None = None
        best_rank: tuple[bool, int, int] | None = None
        for work in self._work.values():
            shard = self._shards.get(work.shard)
            if shard is None or not shard.is_free or work.not_before_s > now:
                continue
            near = may_append and shard.relay.unsent <= _UNSENT_OF_A_SHARD
            if work.kind == "run" and not near and work.users > SMALL_REQUEST_USERS:
                continue
            rank = (work.kind not in _COORDINATION, self._turns.clock(work.request), shard.relay.unsent)
            if best_rank is None or rank < best_rank:
                best, best_rank = work, rank
        return best

    def _start(self, work: Work) -> None:
        shard = self._shards[work.shard]
        task = asyncio.create_task(self._run_step(work, shard), name=f"{work.kind} {work.request}/{work.shard}")
        shard.task = task
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()

    async def _run_step(self, work: Work, shard: ShardWork) -> None:
        try:
            with self._counts.step_seconds.labels(work.kind).time():
                appended = await self._step(work, shard)
        except LostLease:
            shard.lose()
        except _TRY_AGAIN as error:
            self._counts.step_errors.labels(work.kind).inc()
            _log.warning("step is tried again", step=work.place, error=describe(error))
            work.failed()
        except Exception as error:  # noqa: BLE001 - one step's fault stops neither the others nor the process
            self._counts.step_errors.labels(work.kind).inc()
            _log.exception("step failed", step=work.place)
            self._alarms.raise_("step-failed", work.place, describe(error))
            work.failed()
        else:
            self._alarms.clear("step-failed", work.place)
            self._after(work, shard, appended)

    async def _step(self, work: Work, shard: ShardWork) -> Appended:
        async with self._pool.acquire() as conn:
            job = await self._job(conn, work.request)
            if work.kind == "command":
                return await coordination.command_step(conn, work.request, job, shard.lease)
            if job is None:
                return NOTHING
            if work.kind == "run":
                connector = await self._connector(conn, job)
                return await execute_step(conn, job, shard.lease, work.after_batch, connector, self._leases.holds)
            return await _STEPS[work.kind](conn, job, shard.lease)

    def _after(self, work: Work, shard: ShardWork, appended: Appended) -> None:
        if appended.events:
            shard.relay.offer(appended.first_sequence, appended.events)
        self._turns.charge(work.request, appended.users)
        self._counts.steps.labels(work.kind).inc()
        if work.kind == "plan":
            self._counts.planned.inc(appended.users)
        for result in appended.results:
            self._counts.ended.labels("migrated").inc(result.migrated)
            self._counts.ended.labels("not migrated").inc(len(result.endings))
        work.pause_s = 0.0
        work.after_batch = max(work.after_batch, appended.last_batch)
        if not appended.more:
            work.pause(_IDLE_PAUSE_S)
        if appended.told:
            self._work.pop(work.key, None)
            self.look()

    async def _job(self, conn: Connection, request: str) -> Job | None:
        job = self._jobs.get(request) or await coordination.load_job(conn, request)
        if job is not None:
            self._jobs[request] = job
        return job

    async def _connector(self, conn: Connection, job: Job) -> Connector | None:
        """Give what does the service's outside work; none: the engine's own directory."""
        name, options = await judging.connector_of(conn, job.request.service)
        if name == "internal":
            return None
        if name != "simulated":
            raise UnknownConnector(f"the connector {name} of the service {job.request.service} is not known here")
        if (name, options) not in self._connectors:
            self._connectors[name, options] = SimulatedConnector(json.loads(options))
        return self._connectors[name, options]
