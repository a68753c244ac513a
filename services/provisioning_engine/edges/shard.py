"""One shard that this process owns: its relay, and the step that runs in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from eventlog.alarms import Alarms
from eventlog.connections import describe
from eventlog.errors import LostLease, TopicAhead
from eventlog.lease import Lease
from eventlog.relay import Relay

_STEP_ENDS_S = 2.0
_RELAY_ENDS_S = 1.0
_LOOK_S = 0.02


class ShardWork:
    """A shard works when its relay has compared ledger and topic; at most one step runs in it at a time."""

    def __init__(self, lease: Lease, relay: Relay, became_able: Callable[[], None], alarms: Alarms) -> None:
        self.lease = lease
        self.relay = relay
        self.task: asyncio.Task[None] | None = None
        self._became_able = became_able
        self._alarms = alarms
        self._verified = False
        self._lost = False
        self._relaying = asyncio.create_task(self._relay(), name=f"relay of shard {lease.shard}")
        self._verifying = asyncio.create_task(self._verify(), name=f"takeover of shard {lease.shard}")

    @property
    def _place(self) -> str:
        return f"shard {self.lease.shard}"

    @property
    def works(self) -> bool:
        """Whether steps may run."""
        return self._verified and not self._lost

    @property
    def is_free(self) -> bool:
        """Whether a step may begin now."""
        return self.works and (self.task is None or self.task.done())

    def lose(self) -> None:
        """Begin nothing more: the database says that somebody else owns the shard."""
        self._lost = True

    async def stop(self) -> None:
        """Let the running step and the relay come to an end, then make sure that nothing runs."""
        self._lost = True
        if self.task is not None and not self.task.done():
            await asyncio.wait([self.task], timeout=_STEP_ENDS_S)
            await _cancelled(self.task)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RELAY_ENDS_S):
                while self._verified and self.relay.unsent and not self._relaying.done():  # noqa: ASYNC110 - bounded
                    await asyncio.sleep(_LOOK_S)
        self._alarms.clear("relay-failed", self._place)
        await _cancelled(self._verifying)
        await _cancelled(self._relaying)

    async def _relay(self) -> None:
        """Relay; the end of a lease is no error, and what the takeover refuses stands as an alarm.

        Whatever else ends the relay is an alarm, too: the shard stands, or it would fill up without a word.
        """
        try:
            await self.relay.run()
        except (LostLease, TopicAhead):
            pass
        except Exception as error:  # noqa: BLE001 - a shard that can't be published must not look well
            self._alarms.raise_("relay-failed", self._place, describe(error))
        self._lost = True

    async def _verify(self) -> None:
        with contextlib.suppress(Exception):  # the relay says what it is
            await self.relay.verified()
            self._verified = True
            self._became_able()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
