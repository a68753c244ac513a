"""A local stack of a benchmark's own: real Kafka and Postgres with fsync on, every service running, gone afterwards."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from serving.client import Client, ServiceError
from standalone.ports import Ports
from standalone.stack import Stack, StackSettings

SERVICES = ("wizard", "engine", "tracker")
_SAMPLE_S = 0.25
_POLL_S = 0.1
_MEBIBYTE = 1024 * 1024


def say(line: str) -> None:
    """Tell what is going on, on stderr: the table alone is the output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@asynccontextmanager
async def local_stack(engines: int = 1) -> AsyncIterator[Stack]:
    """Give a stack that is up, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="planshift-bench-", ignore_cleanup_errors=True) as folder:
        settings = StackSettings(ports=Ports.free(engines), folder=Path(folder) / "data")
        async with Stack(settings) as stack:
            await stack.start(say)
            yield stack
        stack.erase()


def client(stack: Stack, service: str) -> Client:
    """Give a client of a service of the stack."""
    urls = stack.state.urls
    return Client(urls.get(service) or urls[f"{service}-1"], stack.state.token_file)


async def planshift(stack: Stack, *arguments: str) -> None:
    """Run the planshift command against the stack; raises SystemExit if it fails."""
    environment = {**os.environ, "PLANSHIFT_DATA": str(stack.folder.path)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli.main", *arguments, env=environment)
    if await process.wait() != 0:
        raise SystemExit(f"planshift {' '.join(arguments)} ended with exit code {process.returncode}")


async def until(condition: Callable[[], Awaitable[bool]], within_s: float) -> float:
    """Poll until the condition holds; gives the seconds that it took, raises TimeoutError."""
    started = time.perf_counter()
    while not await condition():
        if time.perf_counter() - started > within_s:
            raise TimeoutError(f"not within {within_s} s")
        await asyncio.sleep(_POLL_S)
    return time.perf_counter() - started


async def answer_about(stack: Stack, request: str) -> dict[str, Any] | None:
    """Give the tracker's answer about a request, None while it knows nothing of it; in a thread, beside the stack."""
    with client(stack, "tracker") as tracker:
        try:
            answer: dict[str, Any] = await asyncio.to_thread(tracker.get, f"/v1/requests/{request}")
        except ServiceError:
            return None
    return answer


async def has_ended(stack: Stack, request: str) -> bool:
    """Whether the tracker says that a request has ended."""
    answer = await answer_about(stack, request)
    return answer is not None and bool(answer["ended"])


@asynccontextmanager
async def watched_memory(stack: Stack) -> AsyncIterator[dict[str, float]]:
    """Give a dict that holds each service's highest resident memory in MiB, sampled four times a second."""
    highest: dict[str, float] = {}
    watching = asyncio.create_task(_watch(stack, highest))
    try:
        yield highest
    finally:
        watching.cancel()


async def _watch(stack: Stack, highest: dict[str, float]) -> None:
    while True:
        for name, part in stack.parts.items():
            service = name.split("-")[0]
            if part.pid and service in SERVICES:
                resident = psutil.Process(part.pid).memory_info().rss / _MEBIBYTE
                highest[name] = max(highest.get(name, 0.0), resident)
        await asyncio.sleep(_SAMPLE_S)


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """Give the CPU seconds of each part so far; Postgres' are those of all its processes."""
    found: dict[str, float] = {}
    for name, part in stack.parts.items():
        if part.pid:
            process = psutil.Process(part.pid)
            found[name] = sum(map(_cpu_of, [process, *process.children(recursive=True)]))
    return found


def _cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
