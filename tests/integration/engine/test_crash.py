"""An engine that dies at the worst moments, and engines that share the work: nobody is lost, nobody moves twice."""

import signal
from collections import Counter
from datetime import datetime

from contracts.directory import DirectoryEvent
from contracts.requests import MigrationPauseRequested, MigrationRequested, Seen
from contracts.topics import SHARDS
from tests.e2e.checker import check
from tests.integration.engine.asking import EVERYBODY, ask, customer, service
from tests.integration.engine.process import Engine
from tests.integration.engine.tables import assert_tables_are_a_fold, connected
from tests.integration.wizard.records import publish
from tests.waiting import eventually

USERS_OF_A_CUSTOMER = 20


def world(users: int) -> list[DirectoryEvent]:
    """Small customers, a quarter of them without the destination package."""
    events = list(service())
    for number in range(users // USERS_OF_A_CUSTOMER):
        events += customer(f"c{number}", USERS_OF_A_CUSTOMER, gold=number % 4 != 0)
    return events


async def until_dead(engine: Engine) -> None:
    """Wait until the process died at its failpoint, and let its leases run out at once instead of after 5 s."""
    await eventually(engine.has_died, within=30, what="the engine dies at its failpoint")
    assert await engine.end() == -signal.SIGKILL
    async with connected(engine.database) as conn:
        await conn.execute("DELETE FROM member")


async def assert_everybody_moved_once(engine: Engine, requests: dict[str, int]) -> None:
    """Check topic and tables: gapless, each user once, and the tables a fold of the ledger."""
    for request, users in requests.items():
        finished = await engine.listener.ended(request, within=60)
        assert (finished["planned"], finished["migrated"]) == (users, users)
    history = check(engine.listener.records)
    assert history.faults == []
    migrated = Counter(attempt.request for attempt, outcome in history.outcomes.items() if outcome == "migrated")
    assert migrated == requests
    await assert_tables_are_a_fold(engine.database, engine.told)


async def test_deaths_at_the_worst_moments_change_nothing(engine: Engine) -> None:
    failpoints = ("in-fold:2", "before-commit:5", "after-commit-before-publish:7", "after-publish-before-cursor:4")
    users, request = 4_000, ask(EVERYBODY, generate_missing_packages=True)
    engine.told = world(users)
    ends = await publish(engine.kafka, engine.prefix, engine.told)
    asked = request.model_copy(update={"seen": seen(users, ends)})
    await engine.tell(asked)
    for failpoint in failpoints:
        await engine.start(wait=False, PLANSHIFT_FAILPOINT=failpoint)
        await until_dead(engine)
    await engine.start()
    await assert_everybody_moved_once(engine, {request.request: users})


def seen(users: int, ends: dict[str, int]) -> Seen:
    """Give what the person saw: the engine waits until it has read as far."""
    return Seen(users=users, customers=users // USERS_OF_A_CUSTOMER, directory_position=ends)


async def test_one_that_was_stopped_for_longer_than_its_lease_writes_nothing_twice(engine: Engine) -> None:
    users, other = 16_000, engine.another()
    try:
        await engine.start()
        await other.start()
        await engine.learn(world(users))
        await eventually(lambda: share_fairly(engine, other), within=20, what="both own half of the shards")
        request = ask(EVERYBODY, generate_missing_packages=True)
        await engine.tell(request)
        await engine.listener.until(request.request, "user-migrated")
        engine.signal(signal.SIGSTOP)
        await engine.listener.ended(request.request, within=60)

        async def owns_all() -> bool:
            return bool(await other.owned() == SHARDS)

        await eventually(owns_all, within=20, what="the other one has taken everything over")
        engine.signal(signal.SIGCONT)
        await eventually(lambda: share_fairly(engine, other), within=20, what="the one that woke has its part again")
        onward = ask(EVERYBODY, mappings=(("gold", "bronze"),), generate_missing_packages=True)
        await engine.tell(onward)
        await assert_everybody_moved_once(engine, {request.request: users, onward.request: users})
    finally:
        await other.end()


async def share_fairly(*engines: Engine) -> bool:
    """Say whether each works on its half."""
    return [await engine.owned() for engine in engines] == [8, 8]


async def test_a_small_request_and_a_word_are_not_queued_behind_a_large_request(engine: Engine) -> None:
    await engine.start()
    await engine.learn([*world(12_000), *customer("small", 50, plan="bronze")])
    large, small = ask(EVERYBODY, generate_missing_packages=True), small_request()
    await engine.tell(large, small, MigrationPauseRequested(request=large.request, by="ann"))
    ends = [await engine.listener.ended(one.request, within=60) for one in (large, small)]
    assert [end["migrated"] for end in ends] == [12_000, 50]
    refused = await engine.listener.until(large.request, "migration-command-refused")
    assert refused["state"] != "finished"
    assert said_at(engine, small, "migration-finished") < said_at(engine, large, "migration-finished")
    assert check(engine.listener.records).faults == []


def said_at(engine: Engine, request: MigrationRequested, kind: str) -> datetime:
    """Give when a type was said of a request first."""
    return datetime.fromisoformat(engine.listener.said(request.request, kind)[0]["time"])


def small_request() -> MigrationRequested:
    """Give a request for the one small customer."""
    return ask(EVERYBODY, mappings=(("bronze", "gold"),))
