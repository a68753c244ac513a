"""Leases: which process writes which shard, shared fairly among the processes that live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from eventlog.alarms import Alarms
from eventlog.database import Pool
from eventlog.lease import Lease

__all__ = ["Lease", "Leases"]

Callback = Callable[[Lease], Awaitable[None]]


class Leases:
    """Keeps this process a member, takes its fair part of the shards, and gives up what is too much.

    `owner` must be different for every start of a process (host, pid and a random part). `ttl_s` counts from the
    last renewal, which is tried every 0.3 x ttl_s, by the database's clock; this process also stops by its own
    monotonic clock when it could not renew for as long.
    """

    def __init__(
        self, pool: Pool, owner: str, *, shards: int = 16, ttl_s: float = 5.0, alarms: Alarms | None = None
    ) -> None: ...

    async def run(self, on_acquired: Callback, on_lost: Callback) -> None:
        """Work until cancelled; then every shard is released (see `release_all`).

        `on_acquired` starts the work on a shard and returns soon. `on_lost` stops it and returns when nothing of
        it runs any more; it is called before a surplus shard is given up, and after a shard was lost. Both are
        called at most once per lease, for one shard in turn. A shard whose `on_acquired` raises is given up again.
        """

    async def release_all(self) -> None:
        """Stop the work on every shard, give all of them up and leave; others take them over at once."""

    def holds(self, lease: Lease) -> bool:
        """Whether the lease is held and its time isn't over by this process's own monotonic clock.

        Good enough to stop early and before calls to outside systems; what fences writes is the epoch in the
        database.
        """

    def remaining_s(self) -> float:
        """Seconds until the leases end unless they are renewed; 0 when it is over."""

    @property
    def held(self) -> list[Lease]:
        """Leases held now, in order of shards."""
