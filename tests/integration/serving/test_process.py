"""Services as processes: start, orderly end, exit codes, clear refusals."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from serving.process import TaskEnded, listen, supervise
from tests.gate import gate_to
from tests.integration.serving.served import NOWHERE, behind, calling, place_of, without_password, write_sample_tokens
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]


class Running:
    """One started sample process with what it wrote so far."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, tokens: dict[str, str]) -> None:
        self.process, self.url, self.tokens = process, url, tokens
        self.out, self.err = bytearray(), bytearray()
        self._pumps = [
            asyncio.create_task(_pump(process.stdout, self.out)),
            asyncio.create_task(_pump(process.stderr, self.err)),
        ]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.decode().splitlines()]

    def client(self) -> httpx.AsyncClient:
        return calling(self.url, self.tokens["reader"])

    async def alive(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            async with self.client() as client:
                return (await client.get("/livez")).is_success
        return False

    async def exit_code(self, within: float = 10) -> int:
        async with asyncio.timeout(within):
            code = await self.process.wait()
            await asyncio.gather(*self._pumps)
        return code


async def _pump(stream: asyncio.StreamReader | None, into: bytearray) -> None:
    assert stream
    while data := await stream.read(65_536):
        into += data


def _free_port() -> int:
    with contextlib.closing(listen("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def started(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[Running]:
    port = _free_port()
    tokens = write_sample_tokens(folder)
    values = {
        "PLANSHIFT_KAFKA": "127.0.0.1:9092",
        "PLANSHIFT_DATABASE_URL": NOWHERE,
        "PLANSHIFT_TOKENS_FILE": str(folder / "tokens.json"),
        "PLANSHIFT_HTTP_PORT": str(port),
        **environment,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.serving.sample_service",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **values},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Running(process, f"http://127.0.0.1:{values['PLANSHIFT_HTTP_PORT']}", tokens)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_service_in_order_with_exit_code_0(tmp_path: Path, number: signal.Signals) -> None:
    async with started(tmp_path) as running:
        await eventually(running.alive, within=20)
        running.process.send_signal(number)
        running.process.send_signal(number)
        assert await running.exit_code() == 0
        events = [line["event"] for line in running.lines()]
        assert events == ["listening", "stopping", "stopped"]
        assert running.err == b""


async def test_a_service_runs_on_uvloop_with_the_collector_tuned(tmp_path: Path) -> None:
    async with started(tmp_path) as running:
        await eventually(running.alive, within=20)
        async with running.client() as client:
            assert (await client.get("/collector")).json() == ["uvloop", "100000", "50", "50"]


async def test_stopping_ends_watchers_and_cuts_endless_streams_within_10_s(tmp_path: Path) -> None:
    async with started(tmp_path) as running:
        await eventually(running.alive, within=20)
        async with (
            running.client() as client,
            client.stream("GET", "/watch") as watching,
            client.stream("GET", "/forever") as endless,
        ):
            watched, streamed = watching.aiter_bytes(), endless.aiter_bytes()
            await anext(watched)
            await anext(streamed)
            running.process.terminate()
            async for _ in watched:
                pass
            with pytest.raises(httpx.TransportError):
                async for _ in streamed:
                    pass
            assert await running.exit_code(10) == 0


async def test_a_task_that_will_not_end_is_cut_off_within_10_s(tmp_path: Path) -> None:
    async with started(tmp_path, SAMPLE_FAULT="stubborn") as running:
        await eventually(running.alive, within=20)
        running.process.terminate()
        assert await running.exit_code(12) in {0, 1}


@pytest.mark.parametrize(
    "fault, words",
    [
        ("raise", "the task 'background' failed for good"),
        ("return", "the task 'background' ended"),
        ("build", "built"),
        ("lifespan", "did not start"),
    ],
)
async def test_a_part_that_dies_for_good_ends_the_service_with_exit_code_1(
    tmp_path: Path, fault: str, words: str
) -> None:
    async with started(tmp_path, SAMPLE_FAULT=fault) as running:
        assert await running.exit_code(20) == 1
        [line] = [line for line in running.lines() if line["level"] == "critical"]
        assert words in line["error"][0]["message"]
        assert b"Traceback" not in running.out + running.err
        assert b"ZZZZ" not in running.out + running.err


async def test_wrong_settings_are_one_line_with_every_problem_and_exit_code_2(tmp_path: Path) -> None:
    async with started(tmp_path, PLANSHIFT_KAFKA="nowhere", PLANSHIFT_HTTP_PORT="x") as running:
        assert await running.exit_code(20) == 2
        assert running.out == b""
        [line] = running.err.decode().splitlines()
        assert line.startswith("planshift sample: wrong settings: ")
        assert "PLANSHIFT_HTTP_PORT" in line
    async with started(tmp_path, PLANSHIFT_KAFKA="nowhere", PLANSHIFT_LOG_LEVEL="LOUD") as running:
        assert await running.exit_code(20) == 2
        assert b"PLANSHIFT_KAFKA" in running.err
        assert b"PLANSHIFT_LOG_LEVEL" in running.err


async def test_checking_prints_settings_and_problems_as_json_and_starts_nothing(tmp_path: Path) -> None:
    async with started(tmp_path, "check", PLANSHIFT_DATABASE_PASSWORD="hunter2") as running:
        assert await running.exit_code(20) == 0
        [found] = running.lines()
        assert found["problems"] == []
        assert found["settings"]["PLANSHIFT_KAFKA"] == "127.0.0.1:9092"
        assert b"hunter2" not in running.out
    async with started(tmp_path, "check", PLANSHIFT_KAFKA="nowhere", PLANSHIFT_LOG_LEVEL="LOUD") as running:
        assert await running.exit_code(20) == 2
        assert len(running.lines()[0]["problems"]) == 2


async def test_a_taken_port_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started(tmp_path, PLANSHIFT_HTTP_PORT=str(port)) as running:
            assert await running.exit_code(20) == 2
            expected = f"planshift sample: can't listen on 127.0.0.1:{port}: address already in use\n"
            assert running.err.decode() == expected


async def test_a_service_listens_on_loopback_only_unless_told_otherwise(tmp_path: Path) -> None:
    async with started(tmp_path) as running:
        await eventually(running.alive, within=20)
        port = urlsplit(running.url).port
        with socket.socket(socket.AF_INET) as other:
            other.bind(("127.0.0.2", port or 0))


async def test_a_service_starts_without_postgres_is_not_ready_and_becomes_ready(tmp_path: Path, postgres: str) -> None:
    async with gate_to(*place_of(postgres), opened=False) as gate:
        url, password = without_password(behind(gate, postgres))
        environment = {"PLANSHIFT_DATABASE_URL": url, "PLANSHIFT_DATABASE_PASSWORD": password or "none"}
        async with started(tmp_path, **environment) as running, running.client() as client:
            await eventually(running.alive, within=20)
            response = await client.get("/readyz")
            assert response.status_code == 503
            assert "Postgres" in response.json()["errors"][0]["detail"]
            await gate.open()

            async def ready() -> bool:
                return (await client.get("/readyz")).is_success

            await eventually(ready, within=10)
            await gate.close()
            assert not await ready()
            await gate.open()
            await eventually(ready, within=10)


async def test_a_service_that_still_waits_for_postgres_can_be_stopped(tmp_path: Path) -> None:
    async with started(tmp_path, SAMPLE_FAULT="wait") as running:
        await eventually(lambda: b"Postgres is away" in running.out, within=20)
        running.process.terminate()
        assert await running.exit_code() == 0


async def test_supervising_names_the_first_task_that_failed_and_cancels_the_others() -> None:
    cancelled = asyncio.Event()

    async def good() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def bad() -> None:
        raise ValueError("x")

    with pytest.raises(TaskEnded, match="'bad' failed"):
        await supervise({"good": good, "bad": bad})
    assert cancelled.is_set()
