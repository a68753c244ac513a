"""Alarms: what an operator has to look at, as a list for an API, as metrics and as one log line each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge

_log = structlog.get_logger("eventlog.alarms")

_raised = Counter("eventlog_alarms_raised_total", "Alarms raised since the start", ["kind"])
_standing = Gauge("eventlog_alarms_standing", "Alarms that stand now", ["kind"])


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong at one place. `since` is in seconds of the epoch."""

    kind: str
    place: str
    text: str
    since: float


class Alarms:
    """The alarms that stand now, at most one of a kind at a place."""

    def __init__(self) -> None:
        self._standing: dict[tuple[str, str], Alarm] = {}

    def raise_(self, kind: str, place: str, text: str, **details: object) -> None:
        """Let an alarm stand; logged and counted once, until it is cleared."""
        if (kind, place) in self._standing:
            return
        self._standing[kind, place] = Alarm(kind, place, text, time.time())
        _raised.labels(kind).inc()
        _standing.labels(kind).inc()
        _log.error("alarm", kind=kind, place=place, text=text, **details)

    def clear(self, kind: str, place: str) -> None:
        """End an alarm, if it stands."""
        if self._standing.pop((kind, place), None) is not None:
            _standing.labels(kind).dec()
            _log.info("alarm over", kind=kind, place=place)

    def clear_place(self, place: str) -> None:
        """End all alarms of a place."""
        for kind, standing_place in list(self._standing):
            if standing_place == place:
                self.clear(kind, place)

    @property
    def standing(self) -> list[Alarm]:
        """Alarms that stand now, the oldest first."""
        return list(self._standing.values())

    def as_dicts(self) -> list[Mapping[str, object]]:
        """Standing alarms as plain mappings: kind, place, text, since."""
        return [{"kind": a.kind, "place": a.place, "text": a.text, "since": a.since} for a in self.standing]
