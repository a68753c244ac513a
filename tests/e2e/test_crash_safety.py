"""Whatever is killed or stopped at whatever moment: nobody is lost, nobody is migrated twice, everybody agrees."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import PROVISIONING
from standalone.part import Part
from tests.e2e.asking import ask, make_known
from tests.e2e.conftest import Running
from tests.e2e.verdict import assert_all_is_right, until_ended
from tests.e2e.world import World
from tests.waiting import eventually

SEED = 20_261_124
USERS = 20_000
FEW_USERS = 4_000
STOPPED_S = 20.0


def world_of(users: int) -> World:
    """Small customers, a tenth of them without the destination package."""
    customers = {f"c{number}": 40 for number in range(users // 40)}
    return World(customers, without_gold=frozenset(list(customers)[::10]))


async def events_in(running: Running) -> int:
    """Give how many records the engine's topic has."""
    consumer = AIOKafkaConsumer(bootstrap_servers=running.kafka)
    await consumer.start()
    try:
        topic = running.prefix + PROVISIONING.name
        ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(PROVISIONING.partitions)])
        return sum(ends.values())
    finally:
        await consumer.stop()


async def until_share(running: Running, before: int, users: int, share: float) -> None:
    """Wait until the engine has published about this share of a migration's events."""
    wanted = before + int(users * share)

    async def published() -> bool:
        return await events_in(running) >= wanted

    await eventually(published, within=60, what=f"{share:.0%} of the events are out")


@contextmanager
def failpoint(part: Part, setting: str) -> Iterator[None]:
    """Let the part's next process die at a failpoint; the one after it runs as always."""
    environment = part.plan.environment
    assert isinstance(environment, dict)
    environment["PLANSHIFT_FAILPOINT"] = setting
    try:
        yield
    finally:
        environment.pop("PLANSHIFT_FAILPOINT", None)


async def until_running(part: Part) -> None:
    """Wait until a part has a process."""
    await eventually(lambda: part.pid is not None, within=30, what=f"{part.name} runs")


async def test_killing_each_service_at_random_moments_changes_nothing(running: Running) -> None:
    chance = random.Random(SEED)
    world, before = world_of(USERS), await events_in(running)
    await make_known(running, world)
    request = await ask(running, world, generate_missing_packages=True)

    victims = ["engine-1", "tracker", "wizard", "engine-2", "tracker", "engine-1"]
    shares = sorted(chance.uniform(0.0, 0.9) for _ in victims)
    for victim, share in zip(victims, shares, strict=True):
        await until_share(running, before, USERS, share)
        part = running.stack.parts[victim]
        await until_running(part)
        part.kill()

    answer = await until_ended(running, request, within=120)
    assert answer["counts"]["migrated"] == USERS
    await assert_all_is_right(running, [request])


@pytest.mark.parametrize(
    "victim, setting",
    [
        ("engine", "after-commit-before-publish:3"),
        ("engine", "after-publish-before-cursor:3"),
        ("engine", "before-commit:3"),
        ("tracker", "in-fold:3"),
        ("wizard", "in-fold:3"),
        ("wizard", "after-commit-before-publish"),
        ("wizard", "after-publish-before-cursor"),
    ],
)
async def test_dying_at_a_failpoint_changes_nothing(running: Running, victim: str, setting: str) -> None:
    world = world_of(FEW_USERS)
    await make_known(running, world)
    parts = [part for name, part in running.stack.parts.items() if name.split("-")[0] == victim]
    before = sum(part.restarts for part in parts)
    for part in parts:
        with failpoint(part, setting):
            await part.restart()

    request = await ask(running, world, generate_missing_packages=True)
    answer = await until_ended(running, request, within=120)

    assert sum(part.restarts for part in parts) > before, "nothing died"
    assert answer["counts"]["migrated"] == FEW_USERS
    await assert_all_is_right(running, [request])


async def test_an_engine_that_was_stopped_and_wakes_up_can_write_nothing(running: Running) -> None:
    world, before = world_of(USERS), await events_in(running)
    await make_known(running, world)
    request = await ask(running, world, generate_missing_packages=True)
    await until_share(running, before, USERS, 0.1)

    sleeper = running.stack.parts["engine-1"]
    sleeper.signal(signal.SIGSTOP)
    wakes_at = time.monotonic() + STOPPED_S
    try:
        answer = await until_ended(running, request, within=60)
        await eventually(lambda: time.monotonic() >= wakes_at, within=STOPPED_S + 1)
    finally:
        sleeper.signal(signal.SIGCONT)
    second = await ask(running, world_after(world))

    assert answer["counts"]["migrated"] == USERS
    await eventually(sleeper.ready, within=30)
    await until_ended(running, second)
    await assert_all_is_right(running, [request, second])


def world_after(world: World) -> World:
    """The same world seen from its destination plan: everybody goes on to bronze."""
    return Onward(users=world.users, without_gold=world.without_gold, name=world.name)


class Onward(World):
    """A world whose users are on gold now, and go on to bronze."""

    def request(self, name: str = "Gold to Bronze", **more: object) -> dict[str, object]:
        """Give the body of a request for all users on gold."""
        body = super().request(name, generate_missing_packages=True, **more)
        return {**body, "mappings": [{"from_plan": "gold", "to_plan": "bronze"}]}
