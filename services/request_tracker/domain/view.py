"""What people see of a request, from the rows of one snapshot: counts that always add up, status, pace and reasons."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from contracts.reasons import USER_REASONS, UserReason
from contracts.statuses import ENDED, RequestStatus, roll_up
from services.request_tracker.domain.pace import eta_s, rate
from services.request_tracker.domain.rows import Counts
from services.request_tracker.domain.states import WAITS_FOR, Standing, is_caught_up, status_of

Json = dict[str, Any]


class EngineView(NamedTuple):
    """What the engine has said of the whole request; phase None when nothing yet."""

    phase: str | None
    paused: bool
    final_status: str | None
    document: Mapping[str, Any]


SILENT = EngineView(None, paused=False, final_status=None, document={})


def counts_of(sums: Counts, document: Mapping[str, Any]) -> Json:
    """The counts, in which planned is always the sum of what became of the planned users and of who is pending.

    As soon as the manifest is known, its totals count: parts of it may not have been read yet in other shards.
    """
    manifest = document.get("manifest", {})
    planned = max(sums.planned, manifest.get("planned", 0))
    excluded = max(sums.excluded, manifest.get("excluded", 0))
    return {
        "selected": planned + excluded,
        "planned": planned,
        "migrated": sums.migrated,
        "failed": sums.failed,
        "skipped": sums.skipped,
        "cancelled": sums.cancelled,
        "pending": planned - sums.settled,
        "excluded": excluded,
    }


def status_view(engine: EngineView, sums: Counts, folded: Mapping[int, int]) -> Json:
    """Status, its colour, what it waits for, and whether the request has ended."""
    ends = engine.document.get("finished", {}).get("last_sequence", {})
    if engine.phase == "previewed":
        ends = engine.document.get("manifest", {}).get("planned_last_sequence", {})
    caught_up = is_caught_up(ends, folded)
    status = status_of(Standing(engine.phase, engine.paused, engine.final_status, caught_up, sums.cancelled))
    if engine.phase == "previewed" and not caught_up:
        status = RequestStatus.FINISHING
    return {
        "status": str(status),
        "roll_up": str(roll_up(status)),
        "waits_for": WAITS_FOR.get(engine.phase or "") if status is RequestStatus.PENDING else None,
        "ended": status in ENDED,
    }


def times_view(document: Mapping[str, Any]) -> Json:
    """When the request was planned, started and ended (RFC 3339), None where it has not been."""
    ended = [document[name]["at"] for name in ("finished", "rejected", "declined") if name in document]
    if document.get("manifest", {}).get("mode") == "preview":
        ended.append(document["manifest"]["at"])
    return {
        "planned_at": document.get("manifest", {}).get("at"),
        "started_at": document.get("started", {}).get("at"),
        "finished_at": ended[0] if ended else None,
    }


def reasons_view(counted: Mapping[str, int]) -> list[Json]:
    """Reasons with their counts and texts, the most frequent first; names like "failed/refused-by-connector"."""
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"outcome": name.partition("/")[0], "count": n, **reason_text(name.partition("/")[2])} for name, n in ordered
    ]


def reason_text(reason: str) -> Json:
    """A reason with its text and what to do about it; one of a newer version has its code only."""
    try:
        told = USER_REASONS[UserReason(reason)]
    except (KeyError, ValueError):
        return {"reason": reason}
    return {"reason": reason, "text": told.text, "transient": told.transient, "advice": told.advice}


def pace_view(
    paces: Sequence[Mapping[str, int]], first_outcomes_us: Iterable[int | None], pending: int, *, as_of_s: float
) -> Json:
    """Users per second lately, and how many seconds it may take until nobody is pending."""
    known = [time_us for time_us in first_outcomes_us if time_us is not None]
    users_per_s = rate(map(dict, paces), first_outcome_us=min(known, default=None), as_of_s=as_of_s)
    return {"rate_users_per_s": users_per_s, "eta_s": eta_s(pending, users_per_s)}


def added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by name, added up."""
    total: dict[str, int] = {}
    for part in parts:
        for name, n in part.items():
            total[name] = total.get(name, 0) + n
    return total
