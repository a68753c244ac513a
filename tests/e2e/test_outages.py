"""Kafka or Postgres goes away: the services say so, keep trying, and go on where they were."""

import time

import pytest

from standalone.part import Part
from tests.e2e.asking import ask, make_known
from tests.e2e.conftest import Running
from tests.e2e.test_crash_safety import events_in, until_running, until_share, world_of
from tests.e2e.verdict import assert_all_is_right, until_ended
from tests.waiting import eventually

USERS = 20_000
AWAY_S = 5.0
SERVICES = ("wizard", "engine-1", "engine-2", "tracker")


async def until_unready(running: Running) -> None:
    """Wait until every service says that it isn't ready, and still lives."""

    async def unready() -> bool:
        codes = [await api.status_of("/readyz") for api in (running.wizard, running.engine, running.tracker)]
        alive = [await api.status_of("/livez") for api in (running.wizard, running.engine, running.tracker)]
        return codes == [503, 503, 503] and alive == [200, 200, 200]

    await eventually(unready, within=30, what="all say that they are not ready")


async def until_all_ready(running: Running) -> None:
    """Wait until every part is ready."""

    async def ready() -> bool:
        return all([await part.ready() for part in running.stack.parts.values()])

    await eventually(ready, within=60, what="all parts are ready")


async def stay_away(part: Part, running: Running) -> None:
    """Stop a part, until everybody has noticed and a while longer, and start it again."""
    await part.stop()
    back_at = time.monotonic() + AWAY_S
    await until_unready(running)
    await eventually(lambda: time.monotonic() >= back_at, within=AWAY_S + 1)
    await part.start()


@pytest.mark.parametrize("ground", ["kafka", "postgres"])
async def test_a_migration_goes_on_where_it_was_after_an_outage(running: Running, ground: str) -> None:
    world, before = world_of(USERS), await events_in(running)
    await make_known(running, world)
    restarts = {name: running.stack.parts[name].restarts for name in SERVICES}
    request = await ask(running, world, generate_missing_packages=True)
    await until_share(running, before, USERS, 0.2)

    await stay_away(running.stack.parts[ground], running)

    answer = await until_ended(running, request, within=120)
    await until_all_ready(running)
    assert answer["counts"]["migrated"] == USERS
    assert {name: running.stack.parts[name].restarts for name in SERVICES} == restarts, "a service died of it"
    await assert_all_is_right(running, [request])


@pytest.mark.parametrize("ground", ["kafka", "postgres"])
async def test_services_that_start_during_an_outage_wait_for_its_end(running: Running, ground: str) -> None:
    world = world_of(2_000)
    await make_known(running, world)
    await running.stack.parts[ground].stop()
    parts = [running.stack.parts[name] for name in SERVICES]
    for part in parts:
        await start_anew(part)
    restarts = [part.restarts for part in parts]
    waited_until = time.monotonic() + AWAY_S
    await eventually(lambda: time.monotonic() >= waited_until, within=AWAY_S + 1)

    assert not any([await part.ready() for part in parts])
    await running.stack.parts[ground].start()

    await until_all_ready(running)
    assert [part.restarts for part in parts] == restarts, "a service gave up waiting"
    request = await ask(running, world, generate_missing_packages=True)
    answer = await until_ended(running, request, within=60)
    assert answer["counts"]["migrated"] == 2_000
    await assert_all_is_right(running, [request])


async def start_anew(part: Part) -> None:
    """Kill a part and wait for its next process."""
    before = part.restarts
    part.kill()
    await eventually(lambda: part.restarts > before, within=30, what=f"{part.name} is started again")
    await until_running(part)
