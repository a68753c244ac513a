"""The demonstration as `make demo` runs it: right counts, and nothing is left running or behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil

from cli.demo_stories import differences, stories

ENDS_WITHIN_S = 240


async def start_demo(data: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start the demonstration with a data folder of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "demo", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PLANSHIFT_DATA": str(data)},
    )


def left_running(data: Path) -> list[str]:
    """Give the command lines of processes that still work in the folder of the demonstration."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join([*(process.info["cmdline"] or ()), process.info["cwd"] or ""])
        if str(data) in words:
            found.append(words)
    return found


async def test_once_every_count_is_as_expected_and_nothing_is_left(tmp_path: Path) -> None:
    process = await start_demo(tmp_path / "data", "--once")
    out, _ = await asyncio.wait_for(process.communicate(), ENDS_WITHIN_S)

    assert process.returncode == 0, out.decode()
    assert out.decode().count("step 9 of 9") == len(stories()) == 3
    assert "What happened" in out.decode()
    assert not (tmp_path / "data-demo").exists()
    assert left_running(tmp_path) == []


async def test_ctrl_c_in_the_middle_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    process = await start_demo(tmp_path / "data")
    assert process.stdout is not None
    async with asyncio.timeout(ENDS_WITHIN_S):
        async for line in process.stdout:
            if b"step 3 of 9" in line:
                break
        process.send_signal(signal.SIGINT)
        await process.communicate()

    assert process.returncode == 0
    assert not (tmp_path / "data-demo").exists()
    assert left_running(tmp_path) == []


def test_a_count_that_differs_is_named() -> None:
    story = stories()[0]
    right = {
        "counts": {
            name: count for name, count in story.expected.items() if name not in {"status", "packages_generated"}
        },
        "status": story.expected["status"],
        "packages": {"generated": story.expected["packages_generated"]},
    }

    assert differences(story, right) == []
    wrong = differences(story, {**right, "status": "Failed"})
    assert wrong == [f"{story.title}: status is Failed, expected {story.expected['status']}"]
