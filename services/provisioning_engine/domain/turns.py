"""Whose turn it is: fair sharing among requests, so that a small one is never queued behind a large one.

Each request has a clock of its own that the users of its steps move on; the request whose clock is furthest behind
is next. A new request starts at the slowest clock, so it neither waits nor makes up for a time when it wasn't there.
"""

from __future__ import annotations

from collections.abc import Collection

LEAST_COST_USERS = 50
"""What the smallest step counts: even a step of one user is a transaction."""


class Turns:
    """The clocks, in users."""

    def __init__(self) -> None:
        self._clocks: dict[str, int] = {}

    def keep(self, requests: Collection[str]) -> None:
        """Forget requests that have nothing to do, and let new ones begin."""
        self._clocks = {request: clock for request, clock in self._clocks.items() if request in requests}
        start = min(self._clocks.values(), default=0)
        for request in requests:
            self._clocks.setdefault(request, start)

    def charge(self, request: str, users: int) -> None:
        """Move a request's clock on by a step."""
        if request in self._clocks:
            self._clocks[request] += max(users, LEAST_COST_USERS)

    def clock(self, request: str) -> int:
        """Give a request's clock; less is earlier."""
        return self._clocks.get(request, 0)
