"""A shard whose relay has failed stands still and says so."""

import asyncio
from typing import Any, cast

from eventlog.alarms import Alarms
from eventlog.errors import EventLogError, LedgerHole, LostLease
from eventlog.lease import Lease
from eventlog.relay import Relay
from services.provisioning_engine.edges.shard import ShardWork
from tests.waiting import eventually


class Breaking:
    """Stands for a relay that passes its takeover check and then ends."""

    def __init__(self, error: EventLogError) -> None:
        self.unsent = 0
        self.breaks = asyncio.Event()
        self._error = error

    async def verified(self) -> None:
        """Pass."""

    async def run(self) -> None:
        """End when told to."""
        await self.breaks.wait()
        raise self._error


async def broken(error: EventLogError) -> tuple[ShardWork, Alarms]:
    """Give a shard that worked until its relay ended so."""
    relay, alarms = Breaking(error), Alarms()
    shard = ShardWork(Lease(3, 1, "me"), cast("Relay", cast("Any", relay)), lambda: None, alarms)
    await eventually(lambda: shard.works)
    relay.breaks.set()
    await eventually(lambda: not shard.works)
    return shard, alarms


async def test_a_relay_that_fails_stops_the_shard_with_an_alarm() -> None:
    shard, alarms = await broken(LedgerHole(3, 5, 9))
    assert [(one.kind, one.place) for one in alarms.standing] == [("relay-failed", "shard 3")]
    await shard.stop()
    assert alarms.standing == []


async def test_the_end_of_a_lease_is_no_alarm() -> None:
    shard, alarms = await broken(LostLease(3, 1))
    assert alarms.standing == []
    await shard.stop()
