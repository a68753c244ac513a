"""Publishes the ledger of `migration.requests`: whichever process holds a shard's lease runs its relay."""

import asyncio
import contextlib

from contracts.envelope import WIZARD_SOURCE
from contracts.topics import REQUEST_PARTITIONS, REQUESTS
from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings
from eventlog.database import Pool
from eventlog.errors import LostLease
from eventlog.leases import Lease, Leases
from eventlog.relay import Outlet, Relay

_MARK = f'"source":"{WIZARD_SOURCE}"'.encode()


class Relaying:
    """The relays of this process, one for each shard that it holds."""

    def __init__(self, pool: Pool, kafka: KafkaSettings, owner: str, alarms: Alarms) -> None:
        self._pool = pool
        self._outlet = Outlet(kafka)
        self._alarms = alarms
        self._leases = Leases(pool, owner, shards=REQUEST_PARTITIONS, alarms=alarms)
        self._relays: dict[int, Relay] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Hold leases and relay until cancelled."""
        try:
            await self._leases.run(self._begin, self._end)
        finally:
            await self._outlet.close()

    def wake(self) -> None:
        """Let every relay look at the ledger now."""
        for relay in self._relays.values():
            relay.wake()

    @property
    def unsent(self) -> int:
        """Events in the ledgers of this process' shards that Kafka has not acknowledged."""
        return sum(relay.unsent for relay in self._relays.values())

    async def _begin(self, lease: Lease) -> None:
        relay = Relay(self._pool, self._outlet, REQUESTS.name, lease, mark=_MARK, alarms=self._alarms)
        self._relays[lease.shard] = relay
        self._tasks[lease.shard] = asyncio.create_task(_until_lost(relay), name=f"relay of shard {lease.shard}")

    async def _end(self, lease: Lease) -> None:
        self._relays.pop(lease.shard, None)
        task = self._tasks.pop(lease.shard, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _until_lost(relay: Relay) -> None:
    """Relay; an end of the lease is no error, and what the relay refuses stands as an alarm."""
    with contextlib.suppress(LostLease):
        await relay.run()
