"""A rebuild that the service starts: in a process of its own, so that answers stay quick meanwhile."""

import asyncio
import contextlib
import sys
from typing import Any

from services.request_tracker.edges import generations
from services.request_tracker.edges.projection import Projection
from services.request_tracker.edges.queries import GENERATIONS
from serving.logs import get_logger

_STATES = {"current": "done", "former": "done", "building": "running", "failed": "failed"}
_STOP_WITHIN_S = 2.0
_log = get_logger("tracker.rebuild")


class RebuildProcess:
    """Starts `… rebuild --into N` and knows how it goes."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._watching: set[asyncio.Task[None]] = set()
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> dict[str, Any]:
        """Start a rebuild unless one runs; gives its state."""
        async with self._projection.pool.acquire() as conn:
            number = await generations.begin(conn)
        if number is not None:
            arguments = ("-m", "services.request_tracker.main", "rebuild", "--into", str(number))
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL
            )
            task = asyncio.create_task(self._watch(self._process, number))
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)
        return await self.state()

    async def state(self) -> dict[str, Any]:
        """The last rebuild: state running, done or failed, records folded of how many."""
        async with self._projection.pool.acquire() as conn:
            row = await conn.fetchrow(GENERATIONS["latest"])
        if row is None:
            raise LookupError("the service runs without a generation")
        return {
            "generation": row["number"],
            "state": _STATES[row["state"]],
            "records": row["records"],
            "of": row["of_records"],
            "detail": row["detail"],
            "started_at": row["started_at"],
            "finished_at": row["finished_at"],
        }

    async def stop(self) -> None:
        """End a rebuild that still runs; its generation is dropped by the next one."""
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_WITHIN_S):
                    await process.wait()
            if process.returncode is None:
                process.kill()

    async def _watch(self, process: asyncio.subprocess.Process, number: int) -> None:
        """Say so when the process ends without having said so itself."""
        code = await process.wait()
        _log.info("rebuild ended", generation=number, exit_code=code)
        if code:
            async with self._projection.pool.acquire() as conn:
                await conn.execute(GENERATIONS["fail"], number, f"the rebuild ended with exit code {code}")
