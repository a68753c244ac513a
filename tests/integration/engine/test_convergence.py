"""Whatever order sources and migrations are read in, and however often: tables and a pure fold agree (decision 9)."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.directory import (
    CustomerRegistered,
    DirectoryEvent,
    PackageProvisioned,
    PackageRemoved,
    UserPlanAssigned,
    UserPlanUnassigned,
    UserRemoved,
)
from contracts.requests import Mapping, MigrationRequested, Selection
from contracts.topics import SHARDS
from eventlog.lease import Lease
from eventlog.ledger import ensure_shards
from eventlog.migrate import migrate
from eventlog.partitions import partition_of
from services.provisioning_engine import application
from services.provisioning_engine.domain.directory import gather
from services.provisioning_engine.edges import execution, planning
from services.provisioning_engine.edges.directory_fold import write
from services.provisioning_engine.edges.step import Job
from services.provisioning_engine.edges.wire import Thread
from tests.engine_model import EngineModel
from tests.integration.engine.tables import ledger_of

CUSTOMERS, USERS, PLANS = ("acme", "bolt"), ("u0", "u1"), ("bronze", "gold", "silver")
SERVICE = "mail"
MANY = 40

customers, users, plans = st.sampled_from(CUSTOMERS), st.sampled_from(USERS), st.sampled_from(PLANS)
revisions, seats = st.integers(0, 3), st.none() | st.integers(0, 3)
service = st.just(SERVICE)
facts: st.SearchStrategy[DirectoryEvent] = st.one_of(
    *[st.builds(UserPlanAssigned, revision=revisions, customer=customers, user=users, service=service, plan=plans)] * 4,
    st.builds(UserPlanUnassigned, revision=revisions, customer=customers, user=users, service=service),
    st.builds(UserRemoved, revision=revisions, customer=customers, user=users),
    st.builds(
        PackageProvisioned, revision=revisions, customer=customers, service=service, plan=plans, seat_limit=seats
    ),
    st.builds(PackageRemoved, revision=revisions, customer=customers, service=service, plan=plans),
)


@dataclass(frozen=True)
class Fold:
    """Directory records that are read together."""

    events: tuple[DirectoryEvent, ...]


@dataclass(frozen=True)
class Ask:
    """A request that is planned now and carried out as steps come."""

    mapping: tuple[str, str]
    generate: bool


@dataclass(frozen=True)
class Step:
    """One execution step of every request."""


BEGINNING = Fold(
    (
        *(
            UserPlanAssigned(revision=1, customer=customer, user=user, service=SERVICE, plan="silver")
            for customer in CUSTOMERS
            for user in USERS
        ),
        PackageProvisioned(revision=1, customer="acme", service=SERVICE, plan="gold"),
    )
)
steps = st.one_of(
    *[st.builds(Fold, st.lists(facts, min_size=1, max_size=6).map(tuple))] * 3,
    st.builds(Ask, st.sampled_from([("silver", "gold"), ("gold", "bronze"), ("silver", "bronze")]), st.booleans()),
    st.builds(Step),
)


class Tables:
    """The engine's tables, worked on by its own folds and steps."""

    def __init__(self, conn: Any) -> None:  # noqa: ANN401 - a connection
        self.conn = conn
        self.jobs: list[Job] = []

    async def empty(self) -> None:
        """Begin anew."""
        self.jobs = []
        await self.conn.execute(
            "TRUNCATE customer, package, assignment, user_removed, request, request_shard, batch, ledger;"
            "UPDATE shard SET owner = 'test', epoch = 1, next_sequence = 1"
        )
        registered = [CustomerRegistered(revision=1, customer=name, reseller="p", name=name) for name in CUSTOMERS]
        await self.fold(registered)

    async def fold(self, events: Sequence[DirectoryEvent]) -> None:
        """Fold directory records in one transaction."""
        async with self.conn.transaction():
            await write(self.conn, gather(events))

    async def ask(self, ask: Ask) -> None:
        """Plan a request, in the smallest steps."""
        name = f"r{len(self.jobs)}"
        request = MigrationRequested(
            request=name,
            name=name,
            service=SERVICE,
            mappings=(Mapping(from_plan=ask.mapping[0], to_plan=ask.mapping[1]),),
            selection=Selection(all_customers=True, all_users=True),
            generate_missing_packages=ask.generate,
            requested_by="test",
        )
        await self.conn.execute(
            "INSERT INTO request (request, home_shard, state, spec, event_id, said_at, correlation)"
            " VALUES ($1, 0, 'planning', '', 'e', '', $1)",
            name,
        )
        await self.conn.execute("INSERT INTO request_shard SELECT $1, generate_series(0, $2 - 1)", name, SHARDS)
        job = Job(request, Thread(name, name, "e", None), 0)
        for shard in sorted({partition_of(customer, SHARDS) for customer in CUSTOMERS}):
            while (await planning.plan_step(self.conn, job, Lease(shard, 1, "test"))).more:
                pass
        await self.conn.execute("UPDATE request SET state = 'running' WHERE request = $1", name)
        self.jobs.append(job)

    async def step(self) -> None:
        """Let every request carry out its next batches."""
        for job in self.jobs:
            for shard in sorted({partition_of(customer, SHARDS) for customer in CUSTOMERS}):
                await execution.execute_step(self.conn, job, Lease(shard, 1, "test"), -1, None, lambda _: True)

    async def assert_equal_to_a_fold(self, events: Sequence[DirectoryEvent]) -> None:
        """Compare with the directory's records in any one order, and the ledger after them."""
        model = EngineModel()
        model.take_directory(events)
        for shard in range(SHARDS):
            for body in await ledger_of(self.conn, shard):
                model.take(json.loads(body))
        rows = await self.conn.fetch("SELECT customer, service, user_id, plan FROM assignment WHERE plan IS NOT NULL")
        assert {(row[0], row[1], row[2]): row[3] for row in rows} == model.plans()
        rows = await self.conn.fetch(
            "SELECT customer, service, plan, provisioned, seat_limit, used, reserved FROM package"
            " WHERE provisioned OR used <> 0 OR reserved <> 0"
        )
        found = {(row[0], row[1], row[2]): (row[3], row[4], row[5], row[6]) for row in rows}
        assert {key: row[:1] + row[2:] for key, row in found.items()} == {
            key: row[:1] + row[2:] for key, row in model.package_rows().items()
        }
        limits = {key: row[1] for key, row in found.items() if row[0]}
        assert limits == {key: row[1] for key, row in model.package_rows().items() if row[0]}


@pytest.fixture(scope="module")
async def tables(postgres: str) -> AsyncIterator[Tables]:
    """Give the engine's tables in a schema of this module's own."""
    conn = await asyncpg.connect(postgres, server_settings={"search_path": "convergence"})
    await conn.execute("DROP SCHEMA IF EXISTS convergence CASCADE; CREATE SCHEMA convergence")
    await migrate(conn, schema_folders=[Path(application.__file__).parent / "migrations"])
    await ensure_shards(conn, SHARDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "USERS_OF_A_STEP", 2)
        patch.setattr(planning, "CUSTOMERS_OF_A_STEP", 1)
        patch.setattr(execution, "USERS_OF_A_STEP", 1)
        yield Tables(conn)
    await conn.execute("DROP SCHEMA convergence CASCADE")
    await conn.close()


def on(plan: str, revision: int) -> Fold:
    """Say that a user is on a plan."""
    return Fold((UserPlanAssigned(revision=revision, customer="acme", user="u0", service=SERVICE, plan=plan),))


# A source that repeats its revision with another plan, after a migration that built on that revision: rare by chance.
@example(history=[on("gold", 2), Ask(("gold", "bronze"), generate=True), Step(), on("silver", 2)], again=Random(1))
@example(history=[Ask(("silver", "gold"), generate=True), on("bronze", 2), Step()], again=Random(1))
@settings(max_examples=MANY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, min_size=5, max_size=15), again=st.randoms(use_true_random=False))
async def test_any_order_of_directory_and_migrations_ends_alike(
    tables: Tables, history: list[Any], again: Random
) -> None:
    await tables.empty()
    read: list[DirectoryEvent] = []
    for one in (BEGINNING, *history, Step()):
        match one:
            case Fold(events):
                await tables.fold(events)
                read += events
            case Ask():
                await tables.ask(one)
            case Step():
                await tables.step()
    await tables.assert_equal_to_a_fold(read)

    again.shuffle(read)
    for start in range(0, len(read), 3):
        await tables.fold(read[start : start + 3])
    await tables.assert_equal_to_a_fold(read)


@settings(max_examples=MANY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.lists(facts, max_size=30), order=st.randoms(use_true_random=False))
async def test_the_directory_alone_is_the_same_in_any_order_and_any_portions(
    tables: Tables, first: list[DirectoryEvent], order: Random
) -> None:
    await tables.empty()
    await tables.fold(first)
    one = await tables.conn.fetch("SELECT customer, user_id, plan FROM assignment ORDER BY 1, 2")
    second = [*first, *first]
    order.shuffle(second)
    await tables.empty()
    while second:
        portion = order.randint(1, 5)
        await tables.fold(second[:portion])
        second = second[portion:]
    assert await tables.conn.fetch("SELECT customer, user_id, plan FROM assignment ORDER BY 1, 2") == one
    await tables.assert_equal_to_a_fold(first)
