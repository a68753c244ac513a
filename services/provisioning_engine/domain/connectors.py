"""What the engine asks of a connector: who does a service's work outside of the engine's own directory.

A worker's step is: intent (the batches are marked as applying) → calls → outcome and ledger in one transaction.
The idempotency key of a call is (request, user, attempt). After a takeover `read_back` comes first, because nobody
knows which calls were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from services.provisioning_engine.domain.outcomes import Generation
from services.provisioning_engine.domain.planner import PackageKey


class Move(NamedTuple):
    """One user to be moved; `request`, customer, user and `attempt` make the call's idempotency key."""

    request: str
    batch: int
    position: int
    attempt: int
    service: str
    customer: str
    user: str
    from_plan: str
    to_plan: str


class Connector(Protocol):
    """A way to an outside system. What it raises is an unknown outcome: the step is tried again after a read-back."""

    async def generate_packages(self, service: str, packages: Sequence[Generation]) -> Mapping[PackageKey, str]:
        """Make packages; gives those that were refused, with why."""
        ...

    async def move_users(self, moves: Sequence[Move]) -> Mapping[tuple[int, int], str]:
        """Move users; gives (batch, position) of those that were refused, with why."""
        ...

    async def read_back(self, moves: Sequence[Move]) -> set[tuple[int, int]]:
        """Give (batch, position) of those whose move was done already, so that it isn't asked for again."""
        ...
