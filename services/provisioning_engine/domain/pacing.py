"""How far the engine may run ahead of its readers (decision 13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

STANDS_STILL_S = 2.0
SMALL_REQUEST_USERS = 2_000
"""A request of so few users doesn't wait for the readers: it adds next to nothing to what they have before them."""

WINDOW_S = 2.0


class Reading(NamedTuple):
    """A reader's place, added up over the partitions: records read and records there are, at a time in seconds."""

    at_s: float
    read: int
    there: int


@dataclass
class ReaderPace:
    """What is known of one reader: it allows half a second of its own work, and at least `least` records.

    A reader that stands still is not waited for: the engine doesn't depend on anyone being alive.
    """

    least: int
    ahead_s: float
    readings: list[Reading] = field(default_factory=list)
    moved_at_s: float = float("-inf")

    def note(self, reading: Reading) -> None:
        """Take a new place."""
        if self.readings and reading.read > self.readings[-1].read:
            self.moved_at_s = reading.at_s
        self.readings = [one for one in self.readings if reading.at_s - one.at_s <= WINDOW_S] + [reading]

    def allows(self, now_s: float) -> bool:
        """Whether the reader is near enough to add more, or stands still."""
        if not self.readings:
            return True
        last = self.readings[-1]
        if last.there - last.read <= self.allowance():
            return True
        return now_s - self.moved_at_s > STANDS_STILL_S

    def allowance(self) -> int:
        """Give the records that may be unread."""
        return max(self.least, round(self.records_per_s() * self.ahead_s))

    def records_per_s(self) -> float:
        """Give the reader's rate over the window."""
        first, last = self.readings[0], self.readings[-1]
        spent_s = last.at_s - first.at_s
        return (last.read - first.read) / spent_s if spent_s > 0 else 0.0
