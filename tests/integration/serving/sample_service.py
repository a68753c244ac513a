"""A service as small as can be, started as a process of its own by the tests."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from serving.app import create_api
from serving.auth import require
from serving.metrics import Metrics
from serving.postgres import open_pool, probe, until_reachable
from serving.process import Service, run
from serving.settings import ServiceSettings
from serving.sse import Snapshot, SnapshotHub

FAULT = os.environ.get("SAMPLE_FAULT", "")


async def _background() -> None:
    if FAULT == "raise":
        await asyncio.sleep(0.3)
        raise ValueError("the topic is gone; token ps_" + "Z" * 43)
    if FAULT == "return":
        return
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if FAULT != "stubborn":
                raise


async def _forever() -> AsyncIterator[bytes]:
    while True:
        yield b"x\n"
        await asyncio.sleep(0.05)


async def build(settings: ServiceSettings, stack: AsyncExitStack) -> Service:
    """Build the sample."""
    metrics = Metrics("sample")
    pool = await stack.enter_async_context(open_pool(settings, service="sample"))

    async def readiness() -> list[str]:
        return await probe(pool)

    if FAULT == "build":
        raise RuntimeError("can't be built")
    if FAULT == "wait":
        await until_reachable(pool)
    app = create_api("Sample", "1.0.0", settings, metrics=metrics, readiness=readiness)
    app.include_router(_router())
    if FAULT == "lifespan":
        app.get("/forgotten")(lambda: None)
    return Service(app, tasks={"background": _background})


def _router() -> APIRouter:
    async def load(key: str) -> Snapshot:
        return Snapshot("1", "state", f'"{key}"'.encode())

    hub = SnapshotHub(load, tick_s=0.1)
    router = APIRouter(dependencies=[require("read")])

    @router.get("/watch")
    async def watch(request: Request) -> Response:
        return await hub.respond(request, "k")

    @router.get("/forever")
    async def forever() -> StreamingResponse:
        return StreamingResponse(_forever())

    @router.get("/collector")
    async def collector() -> list[str]:
        return [type(asyncio.get_running_loop()).__module__, *map(str, gc.get_threshold())]

    return router


if __name__ == "__main__":
    raise SystemExit(run("sample", ServiceSettings, build))
