"""Whatever dies or stops, and wherever: every item is done once, said once and folded once."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import pytest

from eventlog.connections import KafkaSettings
from eventlog.database import Pool
from eventlog.failpoints import NAMES
from tests.integration.eventlog.conftest import NewTopicOf
from tests.integration.eventlog.records import folded_ids, topic_sequences
from tests.waiting import eventually

SHARDS = 3
ITEMS = 600


class _World:
    """Where the programs work, and what has to be true in the end."""

    def __init__(self, pool: Pool, dsn: str, settings: KafkaSettings) -> None:
        self.pool = pool
        self._dsn = dsn
        self.settings = settings

    @contextlib.asynccontextmanager
    async def program(self, owner: str, *flags: str, failpoint: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
        """A program in a process of its own; killed at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.eventlog.worker_program",
            *("--dsn", self._dsn, "--bootstrap", self.settings.bootstrap),
            *("--prefix", self.settings.topic_prefix, "--owner", owner),
            *flags,
            env=os.environ | {"PLANSHIFT_FAILPOINT": failpoint},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def all_is_done(self) -> bool:
        return int(await self.pool.fetchval("SELECT count(*) FROM work WHERE NOT done")) == 0

    async def done(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM work WHERE done"))

    async def owners(self) -> set[str | None]:
        return {row["owner"] for row in await self.pool.fetch("SELECT owner FROM shard")}

    async def all_is_true(self) -> None:
        """Each item is done, in the ledger, in the topic without holes, and folded exactly once and in order."""
        await eventually(self.all_is_done, within=30)
        await eventually(self._all_is_folded, within=20)
        for shard in range(SHARDS):
            expected = [f"{shard}-{item}" for item in range(ITEMS)]
            assert await folded_ids(self.pool, partition=shard) == expected
            in_topic = await topic_sequences(self.settings, "log", shard)
            assert sorted(n for n in set(in_topic) if n is not None) == list(range(1, ITEMS + 1))
            rows = await self.pool.fetch("SELECT first_sequence, n FROM ledger WHERE shard = $1 ORDER BY 1", shard)
            ends = [row["first_sequence"] + row["n"] for row in rows]
            assert [row["first_sequence"] for row in rows] == [1, *ends[:-1]]
            assert ends[-1] == ITEMS + 1

    async def _all_is_folded(self) -> bool:
        return len(await folded_ids(self.pool)) >= SHARDS * ITEMS


@pytest.fixture
async def world(pool: Pool, database: str, settings: KafkaSettings, new_topic: NewTopicOf) -> _World:
    await new_topic("log", SHARDS)
    await pool.execute("CREATE TABLE work (shard int, item int, done bool NOT NULL DEFAULT false)")
    await pool.execute(
        "INSERT INTO work SELECT s, i FROM generate_series(0, $1) s, generate_series(0, $2) i", SHARDS - 1, ITEMS - 1
    )
    return _World(pool, database, settings)


async def test_two_programs_side_by_side_do_everything_once(world: _World) -> None:
    async with world.program("one"), world.program("two"):
        await eventually(lambda: _owned_by(world, {"one", "two"}))
        await world.all_is_true()


async def _owned_by(world: _World, owners: set[str | None]) -> bool:
    return await world.owners() == owners


@pytest.mark.parametrize("failpoint", NAMES)
async def test_a_death_at_a_named_place_changes_nothing(world: _World, failpoint: str) -> None:
    async with world.program("dying", failpoint=f"{failpoint}:4") as process:
        assert await asyncio.wait_for(process.wait(), 20) == -signal.SIGKILL
    async with world.program("heir"):
        await world.all_is_true()


async def test_a_kill_in_the_middle_is_taken_over_within_ten_seconds(world: _World) -> None:
    async with world.program("dying") as process, world.program("heir"):
        await eventually(lambda: _owned_by(world, {"dying", "heir"}), within=20)
        process.kill()
        began = time.monotonic()
        await eventually(lambda: _owned_by(world, {"heir"}), within=12)
        assert time.monotonic() - began < 10
        await world.all_is_true()


async def test_a_stopped_owner_is_taken_over_and_can_write_nothing_when_it_wakes_up(world: _World) -> None:
    async with world.program("stopped", "--stop-before-commit") as process:
        # It stops itself inside a transaction that has appended and holds the shard's row.
        await eventually(lambda: _is_stopped(process.pid), within=20)
        began, done = time.monotonic(), await world.done()
        async with world.program("heir"):
            await eventually(lambda: _owned_by(world, {"heir"}), within=15)
            assert time.monotonic() - began < 10
            await eventually(lambda: _grew(world, done), within=10)
            process.send_signal(signal.SIGCONT)
            await world.all_is_true()
            # And it is a good member again.
            await eventually(lambda: _owned_by(world, {"heir", "stopped"}), within=15)


def _is_stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - not a file of ours
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


async def _grew(world: _World, done: int) -> bool:
    return await world.done() > done
