"""The `simulated` connector: an outside system that refuses a seeded share of users and packages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from services.provisioning_engine.domain.connectors import Move
from services.provisioning_engine.domain.outcomes import Generation
from services.provisioning_engine.domain.planner import PackageKey

_HUNDREDTHS = 10_000


class SimulatedConnector:
    """Refuses by a hash of seed and name, so the same users each time; does nothing else.

    `options`: `refuse_percent` and `refuse_packages_percent` (0 to 100; what isn't a number counts as 0), `seed`.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._seed = options.get("seed", "")
        self._refuse_users = _share(options.get("refuse_percent", "0"))
        self._refuse_packages = _share(options.get("refuse_packages_percent", "0"))

    async def generate_packages(self, service: str, packages: Sequence[Generation]) -> Mapping[PackageKey, str]:
        """Make packages; gives those that were refused."""
        return {
            one.package: f"The simulated system refused the package {one.package[1]} of {service}."
            for one in packages
            if self._draw("package", *one.package) < self._refuse_packages
        }

    async def move_users(self, moves: Sequence[Move]) -> Mapping[tuple[int, int], str]:
        """Move users; gives those that were refused."""
        if not self._refuse_users:
            return {}
        return {
            (move.batch, move.position): "The simulated system refused the change."
            for move in moves
            if self._draw(move.customer, move.user) < self._refuse_users
        }

    async def read_back(self, moves: Sequence[Move]) -> set[tuple[int, int]]:  # noqa: ARG002 - the protocol's
        """Give nobody: asking again does the same, and no harm."""
        return set()

    def _draw(self, *names: str) -> int:
        digest = hashlib.blake2b("/".join(names).encode(), digest_size=8, key=self._seed.encode()[:64]).digest()
        return int.from_bytes(digest, "big") % _HUNDREDTHS


def _share(percent: str) -> int:
    try:
        return round(min(100.0, max(0.0, float(percent))) * _HUNDREDTHS / 100)
    except ValueError:
        return 0
