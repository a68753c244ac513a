"""The engine's steps, called one by one on real tables: no process, no schedule, no chance."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from contracts.directory import DirectoryEvent
from contracts.requests import MigrationRequested
from contracts.topics import SHARDS
from eventlog.lease import Lease
from eventlog.ledger import ensure_shards
from eventlog.migrate import migrate
from services.provisioning_engine import main
from services.provisioning_engine.domain.connectors import Connector, Move
from services.provisioning_engine.domain.outcomes import Generation
from services.provisioning_engine.domain.planner import PackageKey
from services.provisioning_engine.edges import coordination
from services.provisioning_engine.edges.counts import Counts
from services.provisioning_engine.edges.directory_fold import DirectoryFold
from services.provisioning_engine.edges.execution import execute_step
from services.provisioning_engine.edges.intake import RequestsFold
from services.provisioning_engine.edges.planning import plan_step
from services.provisioning_engine.edges.step import Appended, Job
from serving.metrics import Metrics
from serving.postgres import prepare
from tests.integration.wizard.records import record

OWNER = "hands"
MIGRATIONS = Path(main.__file__).parent / "migrations"


class Hands:
    """One connection, and all shards in one hand."""

    def __init__(self, conn: Any) -> None:  # noqa: ANN401 - a connection
        self.conn = conn
        counts = Counts(Metrics("hands"))
        self._directory, self._requests = DirectoryFold(counts), RequestsFold(counts)
        self.epoch = 1

    @classmethod
    async def on(cls, url: str) -> "Hands":
        """Make the tables and take all shards."""
        conn = await asyncpg.connect(url)
        await prepare(conn)
        await migrate(conn, schema_folders=[MIGRATIONS])
        await ensure_shards(conn, SHARDS)
        hands = cls(conn)
        await hands.take_over()
        return hands

    async def take_over(self) -> None:
        """Let all leases so far be over, and go on with new ones."""
        row = await self.conn.fetchval("SELECT max(epoch) FROM shard")
        self.epoch = row + 1
        await self.conn.execute("UPDATE shard SET owner = $1, epoch = $2", OWNER, self.epoch)

    def lease(self, shard: int, epoch: int | None = None) -> Lease:
        """Give the right to a shard, of this epoch or of an earlier one."""
        return Lease(shard, self.epoch if epoch is None else epoch, OWNER)

    async def learn(self, events: Iterable[DirectoryEvent]) -> None:
        """Fold directory events."""
        async with self.conn.transaction():
            await self._directory(self.conn, [record(event) for event in events])

    async def receive(self, request: MigrationRequested) -> Job:
        """Take a request in."""
        async with self.conn.transaction():
            await self._requests(self.conn, [record(request)])
        job = await coordination.load_job(self.conn, request.request)
        assert job is not None
        return job

    async def judge(self, job: Job) -> str:
        """Judge a request; gives its state."""
        await coordination.judge_step(self.conn, job, self.lease(job.home_shard))
        return await self.state(job)

    async def plan(self, job: Job) -> int:
        """Plan every shard to its end; gives the number of steps."""
        steps = 0
        for shard in range(SHARDS):
            more = True
            while more:
                more, steps = (await plan_step(self.conn, job, self.lease(shard))).more, steps + 1
        return steps

    async def freeze(self, job: Job) -> str:
        """Freeze the manifest; gives the request's state."""
        await coordination.freeze_step(self.conn, job, self.lease(job.home_shard))
        return await self.state(job)

    async def start(self, request: MigrationRequested) -> Job:
        """Bring a request so far that it runs."""
        job = await self.receive(request)
        assert await self.judge(job) == "planning"
        await self.plan(job)
        assert await self.freeze(job) == "running"
        return job

    async def run(
        self,
        job: Job,
        shard: int,
        *,
        connector: Connector | None = None,
        epoch: int | None = None,
        holds: Callable[[Lease], bool] = lambda _: True,
    ) -> Appended:
        """Let a shard's owner do one step."""
        return await execute_step(self.conn, job, self.lease(shard, epoch), -1, connector, holds)

    async def state(self, job: Job) -> str:
        """Give a request's state."""
        return str(await self.conn.fetchval("SELECT state FROM request WHERE request = $1", job.id))

    async def counts(self, job: Job) -> tuple[int, ...]:
        """Give planned, excluded, open, migrated, failed and skipped of a request."""
        names = ("planned", "excluded", "open", "migrated", "failed", "skipped")
        columns = ", ".join(f"sum({name})" for name in names)
        row = await self.conn.fetchrow(f"SELECT {columns} FROM request_shard WHERE request = $1", job.id)
        return tuple(int(value) for value in row)

    async def everything(self) -> list[Any]:
        """Give all that steps change, for comparing before and after."""
        tables = ("request", "request_shard", "batch", "package", "assignment", "ledger")
        return [await self.conn.fetch(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in tables]


class Recorder:
    """A connector that notes what it is asked, and fails where it is told to."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.generated: list[PackageKey] = []
        self.asked_back: list[str] = []
        self.breaks_after: int | None = None
        self.before_end: Callable[[], Any] | None = None

    async def generate_packages(self, service: str, packages: Sequence[Generation]) -> Mapping[PackageKey, str]:  # noqa: ARG002 - the protocol's
        """Make packages."""
        self.generated += [one.package for one in packages]
        return {}

    async def move_users(self, moves: Sequence[Move]) -> Mapping[tuple[int, int], str]:
        """Move users, until it breaks."""
        for move in moves:
            if self.breaks_after == len(self.moved):
                raise ConnectionError("the outside system is gone")
            self.moved.append(move.user)
        if self.before_end is not None:
            await self.before_end()
            self.before_end = None
        return {}

    async def read_back(self, moves: Sequence[Move]) -> set[tuple[int, int]]:
        """Say whom it has moved already."""
        self.asked_back += [move.user for move in moves]
        return {(move.batch, move.position) for move in moves if move.user in self.moved}
