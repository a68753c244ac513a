"""A request as a whole under the engine's words, and the status that people see."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from contracts.provisioning import (
    MigrationCommandRefused,
    MigrationConfirmationRequired,
    MigrationEndedByDecline,
    MigrationFinished,
    MigrationPaused,
    MigrationPending,
    MigrationPlanned,
    MigrationPlanningStarted,
    MigrationRejected,
    MigrationResumed,
    MigrationStarted,
    WaveOpened,
)
from contracts.statuses import RequestStatus
from services.request_tracker.domain.facts import StateOp
from services.request_tracker.domain.rows import Rows, StateRow
from services.request_tracker.domain.summaries import summary_of
from services.request_tracker.domain.texts import iso

PHASES: Mapping[type[Any], tuple[str, str]] = {
    MigrationPlanningStarted: ("planning", "planning"),
    MigrationRejected: ("rejected", "rejected"),
    MigrationPlanned: ("planned", "manifest"),
    MigrationConfirmationRequired: ("confirmation", "confirmation"),
    MigrationPending: ("waiting", "waiting"),
    MigrationStarted: ("running", "started"),
    MigrationEndedByDecline: ("declined", "declined"),
    MigrationFinished: ("finished", "finished"),
}
"""Event: the phase that begins with it, and its name in the state's document."""

_STATUS_BY_PHASE = {
    "unknown": RequestStatus.REQUESTED,
    "planning": RequestStatus.PLANNING,
    "rejected": RequestStatus.REJECTED,
    "planned": RequestStatus.PENDING,
    "previewed": RequestStatus.PREVIEWED,
    "confirmation": RequestStatus.PENDING,
    "waiting": RequestStatus.PENDING,
    "running": RequestStatus.IN_PROGRESS,
    "declined": RequestStatus.DECLINED,
}

WAITS_FOR = {"planned": "start", "waiting": "start-time", "confirmation": "confirmation"}
"""What a pending request waits for."""


class Standing(NamedTuple):
    """What a request's status is derived from."""

    phase: str | None
    paused: bool
    final_status: str | None
    caught_up: bool
    cancelled: int


def apply(rows: Rows, request: str, op: StateOp) -> None:
    """Let the request's state follow a word of the engine."""
    row = rows.states.get(request)
    if row is None:
        row = rows.states[request] = StateRow(request, op.shard)
    data = op.data
    told = {**summary_of(data), "at": iso(op.time)}
    if type(data) in PHASES:
        row.phase, name = PHASES[type(data)]
        row.phase_at = op.time
        row.document[name] = told
    match data:
        case MigrationPlanned(mode="preview"):
            row.phase = "previewed"
        case MigrationFinished():
            row.final_status = str(data.status)
        case MigrationPaused() | MigrationResumed():
            row.paused = isinstance(data, MigrationPaused)
            row.document["pause"] = told
        case WaveOpened():
            row.document["wave"] = told
        case MigrationCommandRefused():
            row.document["refused"] = told
        case _:
            pass


def status_of(standing: Standing) -> RequestStatus:
    """The status in people's words; Finishing until everything up to the last sequence has been folded."""
    phase = standing.phase or "unknown"
    if phase == "finished" and standing.final_status is not None:
        return RequestStatus(standing.final_status) if standing.caught_up else RequestStatus.FINISHING
    if phase == "running" and standing.cancelled:
        return RequestStatus.CANCELLING
    if standing.paused and phase not in {"rejected", "previewed", "declined"}:
        return RequestStatus.PAUSED
    return _STATUS_BY_PHASE[phase]


def is_caught_up(last_sequence: Mapping[str, int], folded: Mapping[int, int]) -> bool:
    """Whether each shard has been folded as far as `last_sequence` (shard as text: sequence) says."""
    return all(folded.get(int(shard), 0) >= sequence for shard, sequence in last_sequence.items())


def phases_of(status: RequestStatus) -> list[str]:
    """Phases in which a request can have this status: a coarse filter, `status_of` decides."""
    if status in {RequestStatus.PAUSED, RequestStatus.CANCELLING}:
        return ["planning", "planned", "confirmation", "waiting", "running"]
    found = [phase for phase, named in _STATUS_BY_PHASE.items() if named is status]
    return found or ["finished"]
