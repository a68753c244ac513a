"""Named places at which a test can let the process die, as a power cut would.

`PLANSHIFT_FAILPOINT="name"` kills the process the first time it reaches that place, `"name:3"` the third time.
"""

from __future__ import annotations

import os
import signal
from typing import Final, Literal, get_args

Failpoint = Literal["after-commit-before-publish", "after-publish-before-cursor", "in-fold", "before-commit"]

NAMES: Final[tuple[str, ...]] = get_args(Failpoint)


class _Armed:
    """The failpoint that the environment names, and how many times it may still be passed."""

    def __init__(self, setting: str) -> None:
        self.name, _, count = setting.partition(":")
        if self.name and self.name not in NAMES:
            raise ValueError(f"PLANSHIFT_FAILPOINT names {self.name!r}; known are {', '.join(NAMES)}")
        self.passes_left = int(count or 1)

    def reached(self) -> None:
        self.passes_left -= 1
        if self.passes_left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


_armed = _Armed(os.environ.get("PLANSHIFT_FAILPOINT", ""))


async def reach(name: Failpoint) -> None:
    """Die here if the environment says so; else nothing happens."""
    if _armed.name == name:
        _armed.reached()
