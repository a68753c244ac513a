"""A piece of work as the schedule knows it: what, for whom, where, and not before when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


@dataclass
class Work:
    """Something to do for one request in one shard.

    `users` are those of the whole request, where they are known; batches up to number `after_batch` are done.
    """

    kind: str
    request: str
    shard: int
    users: int = 0
    after_batch: int = -1
    not_before_s: float = 0.0
    pause_s: float = field(default=0.0, repr=False)

    @property
    def place(self) -> str:
        """Say which it is."""
        return f"{self.kind} {self.request} shard {self.shard}"

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes it the same work when it is found again."""
        return (self.kind, self.request, self.shard)

    def pause(self, pause_s: float) -> None:
        """Not again before a moment has passed."""
        self.not_before_s = time.monotonic() + pause_s

    def failed(self) -> None:
        """Wait longer with each failure."""
        self.pause_s = min(_LONGEST_PAUSE_S, self.pause_s * 2 or _FIRST_PAUSE_S)
        self.pause(self.pause_s)
