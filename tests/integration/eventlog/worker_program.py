"""A whole small service of its own process, to be killed and stopped: leases, workers, relays and a reader.

Its work lies in the table `work(shard, item, done)`: an item is done together with the event that says so.
"""

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from typing import Any

from eventlog.connections import AWAY_ERRORS, KafkaSettings
from eventlog.database import Connection, Pool, connect_pool
from eventlog.errors import LostLease
from eventlog.leases import Lease, Leases
from eventlog.ledger import append
from eventlog.reader import Reader, Subscription
from eventlog.record import OutgoingEvent
from eventlog.relay import Outlet, Relay
from tests.integration.eventlog.records import fold_ids

ITEMS_AT_ONCE = 20


class Program:
    """Works on every shard that it gets."""

    def __init__(self, pool: Pool, outlet: Outlet, *, stop_before_commit: bool) -> None:
        self._pool = pool
        self._outlet = outlet
        self._stop_before_commit = stop_before_commit
        self._tasks: dict[Lease, list[asyncio.Task[None]]] = {}

    async def acquired(self, lease: Lease) -> None:
        """Start a relay and a worker."""
        relay = Relay(self._pool, self._outlet, "log", lease)
        self._tasks[lease] = [
            asyncio.create_task(_until_fenced_out(relay.run())),
            asyncio.create_task(_until_fenced_out(self._work(lease, relay))),
        ]

    async def lost(self, lease: Lease) -> None:
        """Stop both."""
        tasks = self._tasks.pop(lease)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, lease: Lease, relay: Relay) -> None:
        await relay.verified()
        while True:
            async with self._pool.acquire() as conn:
                first, events = await self._step(conn, lease)
            if events:
                relay.offer(first, events)
            await asyncio.sleep(0.005 if events else 0.1)

    async def _step(self, conn: Connection, lease: Lease) -> tuple[int, list[OutgoingEvent]]:
        async with conn.transaction():
            rows = await conn.fetch(
                "UPDATE work SET done = true WHERE (shard, item) IN (SELECT shard, item FROM work"
                " WHERE shard = $1 AND NOT done ORDER BY item LIMIT $2) RETURNING item",
                lease.shard,
                ITEMS_AT_ONCE,
            )
            if not rows:
                return 0, []
            names = [f"{lease.shard}-{item}" for item in sorted(row["item"] for row in rows)]
            events = [OutgoingEvent("made.up.v1", name, name, b"{}") for name in names]
            first = await append(conn, lease.shard, len(events), lambda _first: events, lease=lease)
            if self._stop_before_commit and first > ITEMS_AT_ONCE:
                self._stop_before_commit = False
                os.kill(os.getpid(), signal.SIGSTOP)
        return first, events


async def _until_fenced_out(work: Coroutine[Any, Any, None]) -> None:
    """A shard's work ends quietly when another owner has come, or its connection was ended while we were stopped."""
    with contextlib.suppress(LostLease, *AWAY_ERRORS):
        await work


async def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser()
    for name in ("dsn", "bootstrap", "prefix", "owner"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--stop-before-commit", action="store_true")
    options = parser.parse_args()
    kafka = KafkaSettings(options.bootstrap, options.prefix)
    pool = await connect_pool(options.dsn, max_size=20)
    program = Program(pool, Outlet(kafka), stop_before_commit=options.stop_before_commit)
    leases = Leases(pool, options.owner, shards=options.shards)
    reader = Reader(pool, kafka, "reader", [Subscription("log", sequenced=True)], fold_ids("reader"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(leases.run(program.acquired, program.lost))
        tasks.create_task(reader.run())


if __name__ == "__main__":
    asyncio.run(main())
