"""Outcomes as one byte a user, and where the events behind them are, as packed runs."""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from contracts.statuses import Outcome

PENDING, MIGRATED, FAILED, SKIPPED, CANCELLED = range(5)

OUTCOMES = (Outcome.PENDING, Outcome.MIGRATED, Outcome.FAILED, Outcome.SKIPPED, Outcome.CANCELLED)
"""An outcome by its byte."""

CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}

_PACKED = struct.Struct(">iiqqi")


class Run(NamedTuple):
    """Consecutive positions whose events have consecutive sequences, one time and one attempt."""

    position: int
    n: int
    sequence: int
    time_us: int
    attempt: int

    def continues(self, other: "Run") -> bool:
        """Whether `self` goes on where `other` ends."""
        return (
            self.position == other.position + other.n
            and self.sequence == other.sequence + other.n
            and self.time_us == other.time_us
            and self.attempt == other.attempt
        )


def pack(runs: Iterable[Run]) -> bytes:
    """Runs as bytes, 28 each."""
    return b"".join([_PACKED.pack(*run) for run in runs])


def unpack(packed: bytes) -> list[Run]:
    """Runs from `pack`."""
    return [Run._make(fields) for fields in _PACKED.iter_unpack(packed)]


def joined(runs: list[Run], run: Run) -> None:
    """Append a run, or let the last one grow: the result doesn't depend on how the events were grouped."""
    if runs and run.continues(runs[-1]):
        runs[-1] = runs[-1]._replace(n=runs[-1].n + run.n)
    else:
        runs.append(run)


def run_of(runs: list[Run], position: int) -> Run | None:
    """The latest run that holds the position."""
    for run in reversed(runs):
        if run.position <= position < run.position + run.n:
            return run
    return None
