"""Leases: which process writes which shard, shared fairly among the processes that live."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from eventlog.alarms import Alarms
from eventlog.connections import AWAY_ERRORS, Patience, describe, keep_trying
from eventlog.database import Connection, Pool
from eventlog.fairness import fair_share
from eventlog.lease import Lease
from eventlog.ledger import ensure_shards
from eventlog.sqlfile import load_queries

__all__ = ["Lease", "Leases"]

_QUERIES = load_queries(Path(__file__).parent / "sql" / "leases.sql")
_log = structlog.get_logger("eventlog.leases")

_RENEW_PART = 0.3
_BALANCE_PART = 0.2
_WATCH_PART = 0.05
_AVOID_S = 5.0

Callback = Callable[[Lease], Awaitable[None]]


async def _nothing(_lease: Lease) -> None:
    """Stand in for callbacks until `run` has them."""


class Leases:
    """Keeps this process a member, takes its fair part of the shards, and gives up what is too much.

    `owner` must be different for every start of a process (host, pid and a random part). `ttl_s` counts from the
    last renewal, which is tried every 0.3 x ttl_s, by the database's clock; this process also stops by its own
    monotonic clock when it could not renew for as long. One connection of the pool is kept for renewing.
    """

    def __init__(
        self, pool: Pool, owner: str, *, shards: int = 16, ttl_s: float = 5.0, alarms: Alarms | None = None
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._shards = shards
        self._ttl_s = ttl_s
        self._alarms = alarms or Alarms()
        self._deadline = 0.0
        self._held: dict[int, Lease] = {}
        self._started: set[Lease] = set()
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._refused: list[Lease] = []
        self._avoid_until: dict[int, float] = {}
        self._on_acquired: Callback = _nothing
        self._on_lost: Callback = _nothing

    async def run(self, on_acquired: Callback, on_lost: Callback) -> None:
        """Work until cancelled; then every shard is released (see `release_all`).

        `on_acquired` starts the work on a shard and returns soon. `on_lost` stops it and returns when nothing of
        it runs any more; it is called before a surplus shard is given up, and after a shard was lost. Both are
        called at most once per lease, for one shard in turn. A shard whose `on_acquired` raises is given up again
        and tried later.
        """
        self._on_acquired, self._on_lost = on_acquired, on_lost
        await keep_trying("shards", self._ensure_shards)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew_forever())
                tasks.create_task(self._watch_forever())
                tasks.create_task(self._balance_forever())
        finally:
            await self.release_all()

    async def release_all(self) -> None:
        """Stop the work on every shard, give all of them up and leave; others take them over at once."""
        leases = self.held
        await asyncio.gather(*(self._stop(lease) for lease in leases))
        try:
            async with asyncio.timeout(self._ttl_s), self._pool.acquire() as conn:
                await self._free(conn, leases)
                await conn.execute(_QUERIES["leave"], self._owner)
        except AWAY_ERRORS as error:
            _log.warning("could not give leases back; they run out", error=describe(error))

    def holds(self, lease: Lease) -> bool:
        """Whether the lease is held and its time isn't over by this process's own monotonic clock.

        Good enough to stop early and before calls to outside systems; what fences writes is the epoch in the
        database.
        """
        return self._held.get(lease.shard) == lease and self.remaining_s() > 0

    def remaining_s(self) -> float:
        """Seconds until the leases end unless they are renewed; 0 when it is over."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def held(self) -> list[Lease]:
        """Leases held now, in order of shards."""
        return [self._held[shard] for shard in sorted(self._held)]

    async def _ensure_shards(self) -> None:
        async with self._pool.acquire() as conn:
            await ensure_shards(conn, self._shards)

    async def _renew_forever(self) -> None:
        """Renew on a connection of its own, so that a pool that workers have emptied can't cost the leases."""
        patience = Patience("Postgres, for renewing leases", longest_s=self._ttl_s * _RENEW_PART)
        while True:
            try:
                async with self._pool.acquire() as conn:
                    while True:
                        await self._renew(conn)
                        patience.succeeded()
                        await asyncio.sleep(self._ttl_s * _RENEW_PART)
            except AWAY_ERRORS as error:
                await patience.failed(error)

    async def _renew(self, conn: Connection) -> None:
        began = time.monotonic()
        await conn.execute(_QUERIES["renew"], self._owner, self._ttl_s, timeout=self._ttl_s / 2)
        # From before the statement: the database's clock started its count later than ours.
        self._deadline = began + self._ttl_s

    async def _watch_forever(self) -> None:
        """Stop all work when the own clock says that the leases are over, whatever else hangs."""
        while True:
            await asyncio.sleep(self._ttl_s * _WATCH_PART)
            if self._held and self.remaining_s() <= 0:
                _log.error("leases ran out", shards=sorted(self._held))
                await asyncio.gather(*(self._stop(lease) for lease in self.held))

    async def _balance_forever(self) -> None:
        patience = Patience("Postgres, for balancing leases")
        while True:
            await asyncio.sleep(self._ttl_s * _BALANCE_PART if self.remaining_s() else 0.02)
            if not self.remaining_s():
                continue
            try:
                surplus = await self._survey()
                await asyncio.gather(*(self._stop(lease) for lease in surplus))
                await self._give_up(surplus)
            except AWAY_ERRORS as error:
                await patience.failed(error)
            else:
                patience.succeeded()
            waiting = [lease for lease in self.held if lease not in self._started]
            await asyncio.gather(*(self._start(lease) for lease in waiting))

    async def _survey(self) -> list[Lease]:
        """Claim what is missing to the fair share; returns leases whose work has to stop: lost or too many."""
        async with asyncio.timeout(self._ttl_s), self._pool.acquire() as conn:
            await conn.execute(_QUERIES["forget_dead"])
            owned = {row["shard"]: row["epoch"] for row in await conn.fetch(_QUERIES["owned"], self._owner)}
            lost = [lease for lease in self.held if owned.get(lease.shard) != lease.epoch]
            if lost:
                _log.warning("leases lost", shards=[lease.shard for lease in lost])
                return lost
            members = [row["owner"] for row in await conn.fetch(_QUERIES["live_members"])]
            if self._owner not in members:
                return self._refused
            share = fair_share(self._shards, members, self._owner)
            if len(self._held) < share:
                await self._claim(conn, share - len(self._held))
            await self._disown(conn)
            return self.held[share:] + self._refused

    async def _claim(self, conn: Connection, missing: int) -> None:
        now = time.monotonic()
        avoid = [shard for shard, until in self._avoid_until.items() if until > now]
        rows = await conn.fetch(_QUERIES["claim"], self._owner, missing, list(self._held), avoid)
        for row in rows:
            self._held[row["shard"]] = Lease(row["shard"], row["epoch"], self._owner)
        if rows:
            _log.info("leases acquired", shards=sorted(row["shard"] for row in rows))

    async def _disown(self, conn: Connection) -> None:
        """Free shards that the database still counts as this process's though it let go of them.

        Its own clock may have ended them while Postgres was away, or the answer to a claim was lost. Nobody else may
        take a live owner's shard, so they would lie idle for ever. The next owner's epoch fences what is left.
        """
        kept = [*self._held, *(lease.shard for lease in self._refused)]
        rows = await conn.fetch(_QUERIES["disown"], self._owner, kept)
        if rows:
            _log.warning("shards freed that were let go of before", shards=sorted(row["shard"] for row in rows))

    async def _give_up(self, leases: list[Lease]) -> None:
        if not leases:
            return
        async with self._pool.acquire() as conn:
            await self._free(conn, leases)
        self._refused = [lease for lease in self._refused if lease not in leases]
        _log.info("leases given up", shards=[lease.shard for lease in leases])

    async def _free(self, conn: Connection, leases: Iterable[Lease]) -> None:
        await conn.executemany(_QUERIES["give_up"], [(lease.shard, lease.owner, lease.epoch) for lease in leases])

    async def _start(self, lease: Lease) -> None:
        async with self._turns[lease.shard]:
            if self._held.get(lease.shard) != lease:
                return
            self._started.add(lease)
            try:
                await self._on_acquired(lease)
            except Exception as error:  # noqa: BLE001 - the callback is foreign; the shard goes to somebody else
                refusal = describe(error)
            else:
                self._alarms.clear("shard-refused", f"shard {lease.shard}")
                return
        self._alarms.raise_("shard-refused", f"shard {lease.shard}", refusal)
        self._avoid_until[lease.shard] = time.monotonic() + _AVOID_S
        self._refused.append(lease)
        await self._stop(lease)

    async def _stop(self, lease: Lease) -> None:
        """Forget a lease at once, then stop its work; waits for an `on_acquired` that still runs."""
        if self._held.get(lease.shard) == lease:
            del self._held[lease.shard]
        async with self._turns[lease.shard]:
            if lease not in self._started:
                return
            self._started.remove(lease)
            try:
                await self._on_lost(lease)
            except Exception as error:  # noqa: BLE001 - the callback is foreign; the epoch fences what it left
                _log.error("stopping a shard's work failed", shard=lease.shard, error=describe(error))
