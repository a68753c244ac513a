"""Parts of the local stack that crash, die for good, are stopped or lose their supervisor."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg
import psutil
import pytest

from standalone.part import Part, Patience
from standalone.ports import Ports
from standalone.problems import StackProblem
from standalone.stack import Stack
from standalone.state import RunningPart, StackState, find_running, running_part, write_state
from tests.integration.standalone_parts.up import settings
from tests.waiting import eventually

HASTY = Patience(first_pause_s=0.05, deaths=3, ready_s=10)
EVERYTHING = "kafka,postgres,services"
UP = ("-m", "tests.integration.standalone_parts.up")


@contextlib.asynccontextmanager
async def supervisor(folder: Path, parts: str, ports: Ports) -> AsyncIterator[asyncio.subprocess.Process]:
    """A stack that another process supervises; it is up when this is entered, and gone when it is left."""
    *plain, engines = ports
    arguments = (str(folder), parts, *map(str, plain), *map(str, engines))
    process = await asyncio.create_subprocess_exec(sys.executable, *UP, *arguments, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            while not (await said(process)).startswith("up: "):
                pass
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def runs_again(part: Part, restarts: int) -> bool:
    return part.restarts == restarts and part.pid is not None


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "it ended"
    return line.decode().strip()


def still_running(parts: dict[str, RunningPart]) -> list[str]:
    return [name for name, part in parts.items() if running_part(part.pid, part.log) == part]


async def test_a_part_that_crashes_is_started_again_and_said_so(tmp_path: Path) -> None:
    lines: list[str] = []
    async with Stack(replace(settings(tmp_path, "services", Ports.free()), patience=HASTY)) as stack:
        await stack.start(lines.append)
        wizard = stack.parts["wizard"]
        before = wizard.pid
        wizard.kill()
        await eventually(lambda: "wizard is back" in lines)
        assert "wizard was ended by SIGKILL; starting it again in 0.1 s" in lines
        assert wizard.pid not in {before, None}
        assert await wizard.ready()
        recorded = find_running(tmp_path)
        assert recorded is not None
        assert recorded.parts["wizard"].pid == wizard.pid


async def test_a_part_that_keeps_dying_ends_the_stack_with_a_line_that_names_its_log(tmp_path: Path) -> None:
    async with Stack(replace(settings(tmp_path, "services", Ports.free()), patience=HASTY)) as stack:
        await stack.start()
        tracker = stack.parts["tracker"]
        end = asyncio.create_task(stack.wait())
        for deaths in range(HASTY.deaths):
            await eventually(partial(runs_again, tracker, deaths))
            tracker.kill()
        problem = await asyncio.wait_for(end, 10)
    assert problem.exit_code == 1
    assert "tracker died 3 times" in problem.line
    assert str(tmp_path / "logs" / "tracker.log") in problem.line


def children() -> set[int]:
    """Give the processes of this one; a run of many tests has the real Kafka and Postgres among them."""
    return {child.pid for child in psutil.Process().children()}


async def test_a_part_that_does_not_come_up_ends_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    before = children()
    wanted = settings(tmp_path, "services", Ports.free())
    broken = (sys.executable, "-c", "print('no luck'); raise SystemExit(7)")
    stack = Stack(replace(wanted, commands={**wanted.commands, "engine": broken}, patience=HASTY))
    with pytest.raises(StackProblem, match=r"engine ended with exit code 7 .*engine\.log") as caught:
        await stack.start()
    assert caught.value.exit_code == 3
    assert "no luck" in (tmp_path / "logs" / "engine.log").read_text()
    assert find_running(tmp_path) is None
    assert children() <= before


async def test_a_stopped_part_stays_down_until_it_is_started(tmp_path: Path) -> None:
    before = children()
    async with Stack(settings(tmp_path, "services", Ports.free())) as stack:
        await stack.start()
        engine = stack.parts["engine"]
        await engine.stop()
        assert engine.pid is None
        await engine.start()
        assert await engine.ready()
        engine.signal(signal.SIGSTOP)
        await stack.stop()
    assert children() <= before


async def test_leftovers_are_ended_only_if_they_are_beyond_doubt_ours(tmp_path: Path) -> None:
    ours, another = await orphan(), await orphan()
    stack = Stack(settings(tmp_path, "services", Ports.free()))
    with stack.folder.locked(fresh=False, least_free_bytes=0):
        write_state(stack.folder, with_parts(stack.state, ours=ours.pid, another=another.pid))
    lines: list[str] = []
    try:
        async with stack:
            await stack.start(lines.append)
        assert not ours.is_running()
        assert another.is_running()
    finally:
        another.kill()
    assert "An earlier run was cut off: ended what it left running (ours)" in lines


async def orphan() -> psutil.Process:
    """A process whose parent is gone, like that of a supervisor that was killed."""
    sleeper = f"'{sys.executable}' -c 'import signal; signal.pause()' >/dev/null & echo $!"
    shell = await asyncio.create_subprocess_shell(sleeper, stdout=subprocess.PIPE)
    pid, _ = await shell.communicate()
    return psutil.Process(int(pid))


def with_parts(state: StackState, *, ours: int, another: int) -> StackState:
    log = Path("x.log")
    started = psutil.Process(ours).create_time()
    parts = {
        "ours": RunningPart(pid=ours, started=started, log=log),
        # The pid was given to another program meanwhile.
        "another": RunningPart(pid=another, started=started - 3600, log=log),
    }
    return state.model_copy(update={"parts": parts})


async def test_sigterm_stops_everything_and_a_killed_supervisor_leaves_nothing(tmp_path: Path) -> None:
    ports = Ports.free()
    async with supervisor(tmp_path, EVERYTHING, ports) as process:
        state = find_running(tmp_path)
        assert state is not None
        assert set(still_running(state.parts)) == {"kafka", "postgres", "wizard", "engine", "tracker"}
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert not still_running(state.parts)
    assert find_running(tmp_path) is None
    async with supervisor(tmp_path, EVERYTHING, ports) as process:
        state = find_running(tmp_path)
        assert state is not None
        process.kill()
        await eventually(lambda: not still_running(state.parts), within=15)
    stack = Stack(settings(tmp_path, "postgres", ports))
    async with stack:
        await stack.start()
    stack.erase()


async def test_data_is_kept_between_runs_until_fresh(tmp_path: Path) -> None:
    ports = Ports.free()
    wanted = settings(tmp_path, "postgres", ports)
    async with Stack(wanted) as stack:
        await stack.start()
        await execute(stack.postgres_url, "CREATE TABLE kept (it int)")
        secret = stack.postgres_url
    async with Stack(wanted) as stack:
        await stack.start()
        assert stack.postgres_url == secret
        await execute(stack.postgres_url, "SELECT * FROM kept")
    async with Stack(replace(wanted, fresh=True)) as stack:
        await stack.start()
        assert stack.postgres_url != secret
        with pytest.raises(asyncpg.UndefinedTableError):
            await execute(stack.postgres_url, "SELECT * FROM kept")
    stack.erase()
    assert not tmp_path.exists()


async def test_a_folder_that_was_removed_by_hand_starts_anew(tmp_path: Path) -> None:
    wanted = settings(tmp_path / "data", "postgres", Ports.free())
    async with Stack(wanted) as stack:
        await stack.start()
        await execute(stack.postgres_url, "CREATE TABLE old (it int)")
    shutil.rmtree(tmp_path / "data")
    async with Stack(wanted) as stack:
        await stack.start()
        with pytest.raises(asyncpg.UndefinedTableError):
            await execute(stack.postgres_url, "SELECT * FROM old")
    stack.erase()


async def test_a_service_reaches_only_its_own_database_and_only_with_its_password(tmp_path: Path) -> None:
    async with Stack(settings(tmp_path, "postgres", Ports.free())) as stack:
        await stack.start()
        urls = stack.state.databases
        modes = [file.stat().st_mode & 0o777 for file in stack.folder.secrets.iterdir()]
        password = (stack.folder.secrets / "postgres-wizard").read_text()
        await execute(urls["wizard"], "CREATE TABLE mine (it int)", password)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(urls["wizard"].removesuffix("wizard") + "tracker", "SELECT 1", password)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await execute(urls["engine"], "SELECT 1", password)
    stack.erase()
    assert modes == [0o600] * 4


async def execute(url: str, statement: str, password: str | None = None) -> None:
    connection = await asyncpg.connect(url, password=password)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
