"""The tracker as a real process, and its API."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from serving.tokens import new_token, write_tokens
from tests.database_settings import database_settings
from tests.waiting import eventually

Answer = dict[str, Any]
MODULE = "services.request_tracker.main"


class Tracker:
    """One database and topic prefix; the process can be started, killed and started again."""

    def __init__(self, folder: Path, kafka: str, prefix: str, database: str) -> None:
        token, record = new_token("test", ("read", "operate"))
        write_tokens(folder / "tokens.json", [record])
        self.kafka, self.prefix = kafka, prefix
        self._folder = folder
        self._token = token
        self._runs = 0
        self.environment = {
            "PLANSHIFT_KAFKA": kafka,
            "PLANSHIFT_TOPIC_PREFIX": prefix,
            **database_settings(database),
            "PLANSHIFT_TOKENS_FILE": str(folder / "tokens.json"),
            "PLANSHIFT_LIVE_TICK_S": "0.1",
        }
        self.process: asyncio.subprocess.Process | None = None
        self.http = httpx.AsyncClient()

    async def start(self, **more: str) -> None:
        """Start the service and wait until it listens."""
        self._runs += 1
        log = self._folder / f"log-{self._runs}"
        environment = {**os.environ, **self.environment, **more}
        with log.open("wb") as file:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", MODULE, "serve", env=environment, stdout=file, stderr=file
            )
        port = await eventually(lambda: _port(log), within=20, what="the tracker listens")
        await self.http.aclose()
        headers = {"Authorization": f"Bearer {self._token}"}
        base = f"http://127.0.0.1:{port}"
        self.http = httpx.AsyncClient(base_url=base, headers=headers, timeout=60, trust_env=False)

    async def ready(self) -> None:
        """Wait until the service is ready."""

        async def is_ready() -> bool:
            return (await self.http.get("/readyz")).is_success

        await eventually(is_ready, within=30)

    async def stop(self) -> int:
        """Stop the service in order; gives the exit code."""
        await self.http.aclose()
        if self.process is None:
            return 0
        if self.process.returncode is None:
            self.process.terminate()
        return await self.process.wait()

    async def died(self) -> int:
        """Wait until the process has died by itself."""
        assert self.process is not None
        async with asyncio.timeout(60):
            return await self.process.wait()

    async def once(self, *arguments: str) -> list[str]:
        """Run a sub-command that ends; gives the lines of its output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            *arguments,
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        assert process.returncode == 0, error.decode()
        return out.decode().splitlines()

    async def get(self, path: str, **parameters: object) -> Answer:
        """Give the JSON answer of a GET that succeeds."""
        response = await self.http.get(path, params=_given(parameters))
        assert response.status_code == 200, response.text
        answer: Answer = response.json()
        return answer

    async def pages(self, path: str, **parameters: object) -> list[Answer]:
        """Give the items of all pages, by the Link header."""
        items: list[Answer] = []
        response = await self.http.get(path, params=_given(parameters))
        while True:
            assert response.status_code == 200, response.text
            items += response.json()["items"]
            following = response.links.get("next", {}).get("url")
            if following is None:
                return items
            response = await self.http.get(following)

    async def ended(self, request: str, within: float = 30) -> Answer:
        """Wait until a request has ended; gives the answer."""

        async def look() -> Answer:
            response = await self.http.get(f"/v1/requests/{request}")
            answer: Answer = response.json()
            return answer if response.is_success and answer["ended"] else {}

        return await eventually(look, within=within, what=f"{request} has ended")

    async def states(self, request: str, last_event_id: str | None = None) -> AsyncIterator[tuple[str, Answer]]:
        """Give (id, state) of the live stream until it ends."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        async with self.http.stream("GET", f"/v1/requests/{request}/live", headers=headers) as response:
            assert response.status_code in {200, 204}
            event_id = ""
            async for text in response.aiter_lines():
                name, _, value = text.partition(": ")
                if name == "id":
                    event_id = value
                elif name == "data":
                    yield event_id, json.loads(value)

    @property
    def resident_mib(self) -> float:
        """Resident memory of the process."""
        assert self.process is not None
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20


def check_sum(counts: Mapping[str, int]) -> None:
    """Planned is the sum of everything that can become of a planned user."""
    parts = ("migrated", "failed", "skipped", "cancelled", "pending")
    assert counts["planned"] == sum(counts[part] for part in parts), counts
    assert all(counts[part] >= 0 for part in parts), counts


def _given(parameters: Mapping[str, object]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in parameters.items()}


def _port(log: Path) -> int | None:
    for text in log.read_text(encoding="utf-8").splitlines():
        if '"listening"' in text:
            return int(json.loads(text)["port"])
    return None
