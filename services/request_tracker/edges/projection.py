"""The projection that answers: its generation's pool, its readers, and the change to a rebuilt one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from eventlog.alarms import Alarms
from eventlog.database import Pool
from eventlog.reader import Reader
from services.request_tracker.edges import generations
from services.request_tracker.edges.behind import AsOf, Ends, Position
from services.request_tracker.edges.queries import REQUESTS as QUERIES
from services.request_tracker.edges.readers import make_readers
from services.request_tracker.edges.request_views import show
from services.request_tracker.edges.snapshot import Snapshot
from services.request_tracker.settings import DIRECTORY_READER, READER, TrackerSettings
from serving.logs import get_logger
from serving.outage import is_away
from serving.postgres import open_pool, retry_while_away
from serving.problems import unavailable

T = TypeVar("T")

_LOOK_EVERY_S = 1.0
_LOOK_OFTEN_S = 0.05
_log = get_logger("tracker.projection")


class Projection:
    """What answers at the moment."""

    def __init__(self, settings: TrackerSettings, ends: Ends) -> None:
        self._settings = settings
        self._ends = ends
        self.alarms = Alarms()
        self.generation: int | None = None
        self.readers: list[Reader] = []
        self._pool: Pool | None = None

    @property
    def pool(self) -> Pool:
        """Connections to the current generation; raises the 503 problem before there is one."""
        if self._pool is None:
            raise unavailable("The projection isn't open yet.")
        return self._pool

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """One consistent state of everything, with its positions."""
        async with (
            self.pool.acquire() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            rows = await conn.fetch(QUERIES["positions"])
            as_of: AsOf = self._ends.as_of([Position(*row) for row in rows])
            yield Snapshot(conn, as_of, self.generation or 0)

    async def show(self, request: str, *, timeline_limit: int = 0) -> tuple[str, dict[str, Any]]:
        """All about one request, with the position behind it as an id; raises the 404 problem."""
        pool, generation = self.pool, self.generation or 0
        async with pool.acquire() as conn:
            shown = await show(conn, self._ends, request, timeline_limit=timeline_limit)
        return f"{generation}-{shown.as_of.mark}", shown.document

    async def run(self) -> None:
        """Serve the current generation, and change over whenever another becomes current, until cancelled."""
        async with open_pool(self._settings, service="tracker", max_size=2) as outside, AsyncExitStack() as stack:

            async def prepare() -> int:
                async with outside.acquire() as conn:
                    return await generations.prepare(conn)

            number = await retry_while_away(prepare)
            while True:
                # The former pool stays open until the end: answers that began with it may still be streaming.
                pool = await stack.enter_async_context(self._open(number))
                async with self._reading(pool) as failing:
                    if self.generation is not None:
                        await self._until_level(outside, self.generation, number, failing)
                    self._pool, self.generation = pool, number
                    number = await _first(_changed(outside, number), failing)
                _log.info("the projection changes", former=self.generation, current=number)

    @contextlib.asynccontextmanager
    async def _reading(self, pool: Pool) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Let the readers fold into a generation."""
        self.readers = make_readers(
            pool,
            self._settings.kafka_settings,
            (READER, DIRECTORY_READER),
            max_records=self._settings.fold_records,
            alone=False,
            alarms=self.alarms,
        )
        tasks = [asyncio.create_task(reader.run()) for reader in self.readers]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _until_level(self, outside: Pool, former: int, number: int, failing: list[asyncio.Task[None]]) -> None:
        """Wait until the new generation is as far as the former, so that what people see never goes back."""

        async def level() -> None:
            while True:
                try:
                    async with outside.acquire() as conn:
                        wanted = await generations.positions(conn, former)
                        found = await generations.positions(conn, number)
                except Exception as error:
                    if not is_away(error):
                        raise
                    found, wanted = {}, {("", 0): 1}
                if all(found.get(key, 0) >= next_offset for key, next_offset in wanted.items()):
                    return
                await asyncio.sleep(_LOOK_OFTEN_S)

        await _first(level(), failing)

    def _open(self, number: int) -> contextlib.AbstractAsyncContextManager[Pool]:
        return open_pool(
            self._settings,
            service="tracker",
            max_size=self._settings.database_connections,
            schema=generations.schema_of(number),
        )


async def _changed(outside: Pool, number: int) -> int:
    """Wait until another generation is current."""
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        try:
            async with outside.acquire() as conn:
                found = await generations.current(conn)
        except Exception as error:
            if not is_away(error):
                raise
            continue
        if found is not None and found != number:
            return found


async def _first(waiting: Coroutine[Any, Any, T], failing: list[asyncio.Task[None]]) -> T:
    """Result of `waiting`, unless a reader ends before, which is for good."""
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait([task, *failing], return_when=asyncio.FIRST_COMPLETED)
        for ended in (one for one in failing if one.done()):
            ended.result()
            raise RuntimeError("a reader ended though the service runs on")
        return await task
    finally:
        task.cancel()
