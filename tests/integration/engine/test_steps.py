"""Single steps: only the owner writes, pages add up, and an outside system is asked neither twice nor too little."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from contracts.directory import PackageRemoved
from contracts.requests import Selection, UserRef
from contracts.topics import SHARDS
from eventlog.errors import LostLease
from eventlog.partitions import partition_of
from services.provisioning_engine.edges import coordination, planning
from services.provisioning_engine.edges.planning import plan_step
from services.provisioning_engine.edges.step import claim_request, share_request
from tests.integration.engine.asking import EVERYBODY, ask, customer, of, service
from tests.integration.engine.hands import Hands, Recorder
from tests.waiting import eventually

SHARD = partition_of("acme", SHARDS)


@pytest.fixture
async def hands(database: str) -> AsyncIterator[Hands]:
    """Give the steps on empty tables that know the service."""
    one = await Hands.on(database)
    await one.learn(service())
    yield one
    await one.conn.close()


async def test_a_predecessor_can_write_nothing_in_any_step(hands: Hands) -> None:
    await hands.learn(customer("acme", 3))
    job = await hands.receive(ask(EVERYBODY))
    old = hands.epoch

    steps = {
        "judge": lambda: coordination.judge_step(hands.conn, job, hands.lease(job.home_shard, old)),
        "plan": lambda: plan_step(hands.conn, job, hands.lease(SHARD, old)),
        "plan nobody": lambda: plan_step(hands.conn, job, hands.lease((SHARD + 1) % SHARDS, old)),
        "freeze": lambda: coordination.freeze_step(hands.conn, job, hands.lease(job.home_shard, old)),
        "run": lambda: hands.run(job, SHARD, epoch=old),
        "run outside": lambda: hands.run(job, SHARD, epoch=old, connector=Recorder()),
    }

    async def refused(step: str) -> None:
        before = await hands.everything()
        with pytest.raises(LostLease):
            await steps[step]()
        assert await hands.everything() == before

    await hands.take_over()
    await refused("judge")
    assert await hands.judge(job) == "planning"
    await refused("plan")
    await refused("plan nobody")
    await hands.plan(job)
    await refused("freeze")
    assert await hands.freeze(job) == "running"
    await refused("run")
    await refused("run outside")
    assert (await hands.run(job, SHARD)).results[0].migrated == 3


@pytest.mark.parametrize("mode", ["execute", "preview"])
async def test_a_customer_planned_in_pages_gets_no_more_seats_than_there_are(
    hands: Hands, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(planning, "USERS_OF_A_STEP", 3)
    await hands.learn([*customer("acme", 10, seats=7), *customer("bolt", 4), *customer("core", 1)])
    job = await hands.receive(ask(EVERYBODY, mode=mode))
    await hands.judge(job)
    assert await hands.plan(job) > SHARDS
    planned, excluded, *_ = await hands.counts(job)
    assert (planned, excluded) == (12, 3)
    customers = await hands.conn.fetchval("SELECT sum(customers) FROM request_shard")
    reserved = await hands.conn.fetchval("SELECT sum(reserved) FROM package")
    assert (customers, reserved) == (3, 12 if mode == "execute" else 0)


async def test_a_package_for_a_customer_in_pages_is_counted_once(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "USERS_OF_A_STEP", 3)
    await hands.learn(customer("acme", 10, gold=False))
    job = await hands.receive(ask(EVERYBODY, generate_missing_packages=True))
    await hands.judge(job)
    await hands.plan(job)
    row = await hands.conn.fetchrow("SELECT packages, customers FROM request_shard WHERE shard = $1", SHARD)
    assert (row["packages"], row["customers"]) == ('{"gold": 1}', 1)


async def test_a_long_list_is_planned_in_pages_that_cut_customers_anywhere(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "USERS_OF_A_STEP", 3)
    names = ("acme", "bolt", "core")
    for name in names:
        await hands.learn(customer(name, 5))
    users = tuple(UserRef(customer=name, user=f"u{number}") for name in names for number in range(4))
    job = await hands.receive(ask(Selection(users=users)))
    assert await hands.judge(job) == "planning"
    await hands.plan(job)
    query = "SELECT customer, string_agg(users, E'\n' ORDER BY no) AS users FROM batch GROUP BY 1"
    rows = await hands.conn.fetch(query)
    assert {row["customer"]: row["users"].split("\n") for row in rows} == {
        name: ["u0", "u1", "u2", "u3"] for name in names
    }


async def test_after_an_unknown_outcome_the_outside_system_is_read_back_first(hands: Hands) -> None:
    await hands.learn(customer("acme", 4))
    job = await hands.start(ask(of("acme")))
    connector = Recorder()
    connector.breaks_after = 2
    with pytest.raises(ConnectionError):
        await hands.run(job, SHARD, connector=connector)
    assert await hands.conn.fetchval("SELECT state FROM batch") == "applying"
    assert await hands.counts(job) == (4, 0, 4, 0, 0, 0)

    await hands.take_over()
    connector.breaks_after = None
    done = await hands.run(job, SHARD, connector=connector)
    assert (done.results[0].migrated, connector.asked_back) == (4, ["u0", "u1", "u2", "u3"])
    assert connector.moved == ["u0", "u1", "u2", "u3"]
    assert await hands.counts(job) == (4, 0, 0, 4, 0, 0)


async def test_nobody_outside_is_called_when_the_lease_is_over(hands: Hands) -> None:
    await hands.learn(customer("acme", 2))
    job = await hands.start(ask(of("acme")))
    connector = Recorder()
    with pytest.raises(LostLease):
        await hands.run(job, SHARD, connector=connector, holds=lambda _: False)
    assert connector.moved == []


async def test_a_package_that_vanishes_during_the_calls_is_asked_for_before_it_is_made(hands: Hands) -> None:
    await hands.learn(customer("acme", 2))
    job = await hands.start(ask(of("acme"), generate_missing_packages=True))
    connector = Recorder()
    removed = PackageRemoved(revision=2, customer="acme", service="mail", plan="gold")
    connector.before_end = lambda: hands.learn([removed])
    first = await hands.run(job, SHARD, connector=connector)
    assert (first.more, first.results, connector.generated) == (True, (), [])
    second = await hands.run(job, SHARD, connector=connector)
    assert (second.results[0].migrated, connector.generated) == (2, [("acme", "gold")])
    assert connector.moved == ["u0", "u1"]


async def test_who_wants_a_request_alone_is_not_overtaken_by_later_workers(hands: Hands, database: str) -> None:
    workers = [await asyncpg.connect(database) for _ in range(3)]
    first, changer, later = workers
    order: list[str] = []

    async def work(conn: "asyncpg.Connection[asyncpg.Record]", name: str, *, alone: bool) -> None:
        async with conn.transaction():
            await (claim_request if alone else share_request)(conn, "r")
            order.append(name)

    transaction = first.transaction()
    await transaction.start()
    await share_request(first, "r")
    assert await first.fetchval("SHOW transaction_timeout") == "8s"
    changing = asyncio.create_task(work(changer, "changer", alone=True))
    await until_waiting(hands, 1)
    working = asyncio.create_task(work(later, "later", alone=False))
    await until_waiting(hands, 2)
    await transaction.commit()
    await asyncio.gather(changing, working)
    assert order == ["changer", "later"]
    for conn in workers:
        await conn.close()


async def until_waiting(hands: Hands, count: int) -> None:
    """Wait until so many sessions wait for their turn."""
    query = """
        SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
        WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()
    """

    async def waiting() -> bool:
        return bool(await hands.conn.fetchval(query) == count)

    await eventually(waiting, within=5)
