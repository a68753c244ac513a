"""The right to write a shard, as everything that writes holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """Shard `shard` belongs to `owner` until somebody takes it with a higher epoch."""

    shard: int
    epoch: int
    owner: str
