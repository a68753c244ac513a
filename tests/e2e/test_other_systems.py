"""A program that knows only the AsyncAPI document asks for a migration and reads what happened to every user."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.asking import make_known
from tests.e2e.conftest import Running
from tests.e2e.verdict import until_ended
from tests.e2e.world import World

HERE = Path(__file__).parent
ASYNCAPI = HERE.parent.parent / "contracts" / "asyncapi.json"
DEADLINE_S = 120


async def run_other_system(running: Running, mode: str, compression: str, request: dict[str, Any]) -> dict[str, Any]:
    """Run the other system's program, away from our code (-I), and give what it printed."""
    program = (sys.executable, "-I", str(HERE / "other_system.py"))
    process = await asyncio.create_subprocess_exec(
        *program,
        *(str(ASYNCAPI), running.kafka, running.prefix, mode, compression),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
    )
    said, complained = await asyncio.wait_for(process.communicate(json.dumps(request).encode()), DEADLINE_S)
    assert process.returncode == 0, complained.decode()
    learned: dict[str, Any] = json.loads(said)
    return learned


@pytest.mark.parametrize("mode, compression", [("structured", "lz4"), ("binary", "zstd"), ("structured", "none")])
async def test_another_system_asks_and_reads_every_user(running: Running, mode: str, compression: str) -> None:
    world = World({"a": 30, "b": 12, "c": 5}, without_gold=frozenset({"b"}))
    await make_known(running, world)
    request = {
        **world.request(),
        "request": f"{world.name}-{mode}",
        "requested_by": "crm",
        "generate_missing_packages": True,
    }

    learned = await run_other_system(running, mode, compression, request)

    assert learned["finished"]["status"] == "Provisioned"
    assert learned["users"] == {
        f"{world.customer(short)}/{world.user(number)}": "gold"
        for short, count in world.users.items()
        for number in range(count)
    }
    assert learned["types"]["planshift.provisioning.user-migrated.v1"] == world.total
    assert learned["types"]["planshift.provisioning.package-generated.v1"] == 1
    answer = await until_ended(running, request["request"])
    assert (answer["status"], answer["counts"]["migrated"]) == ("Provisioned", world.total)
