"""Server-Sent Events on real connections: snapshots, one query for all, heartbeats, reconnects."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Request, Response

from serving.app import Api, create_api
from serving.auth import require
from serving.metrics import Metrics
from serving.problems import Problem
from serving.sse import Snapshot, SnapshotHub, encode_event
from tests.integration.serving.served import calling, sample_settings, served, write_sample_tokens
from tests.waiting import eventually

TICK_S, HEARTBEAT_S = 0.05, 0.3


class Source:
    """A state that the test sets, with a count of how often it was read."""

    def __init__(self) -> None:
        self.number = 1
        self.reads = 0
        self.final = False
        self.fault: Exception | None = None
        self.size = 0

    async def load(self, key: str) -> Snapshot:
        self.reads += 1
        if key == "unknown":
            raise Problem("unknown-request", "No such request", 404)
        if self.fault:
            raise self.fault
        data = json.dumps({"key": key, "n": self.number, "pad": "x" * self.size}).encode()
        return Snapshot(f"p{self.number}", "request", data, self.final)


class Setting:
    """The served source."""

    def __init__(self, source: Source, app: Api, url: str, token: str) -> None:
        self.source, self.app, self.url, self.token = source, app, url, token

    @asynccontextmanager
    async def watching(self, key: str = "r1", last: str | None = None) -> AsyncIterator["Watch"]:
        headers = {"Last-Event-ID": last} if last else {}
        async with (
            calling(self.url, self.token) as client,
            client.stream("GET", f"/watch/{key}", headers=headers) as got,
        ):
            yield Watch(got)


class Watch:
    """One open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def block(self) -> list[str]:
        """Give the lines up to the next empty one."""
        found: list[str] = []
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line:
                    return found
                found.append(line)
        raise StopAsyncIteration

    async def number(self) -> int:
        """Give the number of the next event, skipping comments and the retry line."""
        while True:
            data = [line.removeprefix("data: ") for line in await self.block() if line.startswith("data: ")]
            if data:
                return int(json.loads("\n".join(data))["n"])

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            async for _ in self._lines:
                pass
        return True


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    tokens, source = write_sample_tokens(tmp_path), Source()
    hub = SnapshotHub(source.load, tick_s=TICK_S, heartbeat_s=HEARTBEAT_S)
    router = APIRouter(dependencies=[require("read")])

    @router.get("/watch/{key}")
    async def watch(request: Request, key: str) -> Response:
        return await hub.respond(request, key)

    async def readiness() -> Sequence[str]:
        return []

    app = create_api("S", "1", sample_settings(tmp_path), metrics=Metrics("s"), readiness=readiness)
    app.include_router(router)
    async with served(app) as url:
        yield Setting(source, app, url, tokens["reader"])
        app.stopping.set()


async def test_a_watcher_gets_the_present_state_and_then_each_change(setting: Setting) -> None:
    async with setting.watching() as watch:
        assert watch.response.headers["content-type"].startswith("text/event-stream")
        assert await watch.block() == ["retry: 2000"]
        assert (await watch.block())[:2] == ["id: p1", "event: request"]
        setting.source.number = 2
        assert await watch.number() == 2
        setting.source.number = 7
        assert await watch.number() == 7


async def test_an_unchanged_state_is_not_sent_again_but_a_heartbeat_is(setting: Setting) -> None:
    async with setting.watching() as watch:
        assert await watch.number() == 1
        assert await watch.block() == [": still here"]
        assert await watch.block() == [": still here"]


async def test_many_watchers_of_a_key_cost_one_query_per_tick(setting: Setting) -> None:
    async with setting.watching() as one, setting.watching() as two, setting.watching() as three:
        for watch in (one, two, three):
            assert await watch.number() == 1
        before, start = setting.source.reads, asyncio.get_running_loop().time()
        await eventually(lambda: setting.source.reads >= before + 10, within=10)
        ticks = (asyncio.get_running_loop().time() - start) / TICK_S
        assert setting.source.reads - before <= ticks + 2
        setting.source.number = 2
        assert [await watch.number() for watch in (one, two, three)] == [2, 2, 2]


async def test_nobody_watching_means_no_queries(setting: Setting) -> None:
    async with setting.watching() as watch:
        assert await watch.number() == 1

    async def quiet() -> bool:
        before = setting.source.reads
        await asyncio.sleep(TICK_S * 4)  # ticks in which nothing may be asked
        return setting.source.reads == before

    await eventually(quiet, within=10)


async def test_a_reconnect_with_the_present_id_waits_for_the_next_state(setting: Setting) -> None:
    async with setting.watching(last="p1") as watch:
        assert await watch.block() == ["retry: 2000"]
        setting.source.number = 2
        assert await watch.number() == 2


async def test_a_reconnect_with_an_old_or_senseless_id_gets_the_present_state(setting: Setting) -> None:
    setting.source.number = 5
    for last in ("p1", "nonsense", "x" * 2000):
        async with setting.watching(last=last) as watch:
            assert await watch.number() == 5


async def test_a_final_state_ends_the_stream_and_204_keeps_a_reconnect_away(setting: Setting) -> None:
    async with setting.watching() as watch:
        assert await watch.number() == 1
        setting.source.final = True
        setting.source.number = 2
        assert await watch.number() == 2
        assert await watch.ended()
    async with setting.watching(last="p2") as watch:
        assert watch.response.status_code == 204
    async with setting.watching() as watch:
        assert await watch.number() == 2
        assert await watch.ended()


async def test_an_unknown_key_is_a_problem_and_no_stream(setting: Setting) -> None:
    async with setting.watching("unknown") as watch:
        assert watch.response.status_code == 404
        assert watch.response.headers["content-type"] == "application/problem+json"


async def test_a_database_away_in_the_middle_keeps_the_watchers(setting: Setting) -> None:
    async with setting.watching() as watch:
        assert await watch.number() == 1
        setting.source.fault = ConnectionError("away")
        assert await watch.block() == [": still here"]
        setting.source.fault = None
        setting.source.number = 3
        assert await watch.number() == 3


async def test_a_watcher_that_does_not_read_delays_nobody_and_skips_states(setting: Setting) -> None:
    setting.source.size = 500_000
    async with setting.watching() as slow, setting.watching() as quick:
        for number in range(2, 30):
            setting.source.number = number
            await eventually(quick.number, within=10)
        seen = [await slow.number()]
        while seen[-1] != 29:
            seen.append(await slow.number())
        assert len(seen) < 29
        assert seen == sorted(seen)


async def test_stopping_ends_every_stream(setting: Setting) -> None:
    async with setting.watching() as watch:
        assert await watch.number() == 1
        setting.app.stopping.set()
        assert await watch.ended()


def test_line_ends_inside_the_data_cannot_break_the_event() -> None:
    encoded = encode_event(Snapshot("1", "e", b'{"a":\r\n1,\n"b":2}'))
    assert encoded == b'id: 1\nevent: e\ndata: {"a":\ndata: 1,\ndata: "b":2}\n\n'
