"""How fast a request goes, by the times of its events, and when it may be done."""

from collections.abc import Iterable
from typing import Any

SLICE_S = 2
KEPT_SLICES = 30
WINDOW_S = 20
_MICROS = 1_000_000


def paced(pace: dict[str, Any], time_us: int, n: int) -> None:
    """Count `n` outcomes in the slice of time of their event, and drop slices that are long past."""
    start = time_us // (SLICE_S * _MICROS) * SLICE_S
    name = str(start)
    if name in pace:
        pace[name] += n
        return
    pace[name] = n
    oldest = max(map(int, pace)) - KEPT_SLICES * SLICE_S
    for slice_name in [found for found in pace if int(found) <= oldest]:
        del pace[slice_name]


def rate(paces: Iterable[dict[str, Any]], *, first_outcome_us: int | None, as_of_s: float) -> float:
    """Users per second over the last 20 seconds before `as_of_s` (or since the first outcome, at least 2 s)."""
    if first_outcome_us is None:
        return 0.0
    since = as_of_s - WINDOW_S
    found = sum(n for pace in paces for start, n in pace.items() if int(start) + SLICE_S > since)
    span_s = min(float(WINDOW_S + SLICE_S), max(float(SLICE_S), as_of_s - first_outcome_us / _MICROS))
    return round(float(found) / span_s, 1)


def eta_s(pending: int, users_per_s: float) -> float | None:
    """Seconds until nobody is pending at this rate; None where the rate doesn't tell."""
    if not pending:
        return 0.0
    return round(pending / users_per_s, 1) if users_per_s else None
