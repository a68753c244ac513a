"""How the tests ask for migrations: publish a world, wait until everybody knows it, post the request."""

import secrets
from typing import Any

from tests.e2e.conftest import Running
from tests.e2e.world import World
from tests.waiting import eventually


async def make_known(running: Running, world: World, within: float = 60) -> None:
    """Publish a world and wait until the wizard and the engine have read all of it."""
    ends = await world.publish(running.kafka, running.prefix)
    await until_read(running, ends, within)


async def until_read(running: Running, ends: dict[int, int], within: float = 60) -> None:
    """Wait until the wizard and the engine have read the directory as far as these next offsets."""

    async def read() -> bool:
        for api in (running.wizard, running.engine):
            positions = (await api.get("/v1/directory/positions"))["positions"]
            if any(int(positions.get(str(partition), 0)) < end for partition, end in ends.items()):
                return False
        return True

    await eventually(read, within, what="wizard and engine know the directory")


async def ask(running: Running, world: World, **more: Any) -> str:  # noqa: ANN401 - members of the body
    """Ask the wizard for a migration of everybody in a world; gives the request's id.

    An unknown answer, as from a wizard that died, is settled by asking again with the same Idempotency-Key.
    """
    key, body = secrets.token_hex(8), world.request(**more)

    async def accepted() -> str:
        return str((await running.wizard.post("/v1/migrations", body, key=key))["request"])

    return await eventually(accepted, within=30, what="the wizard takes the request")
