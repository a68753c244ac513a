"""The life of a request as a whole: which state follows, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, assert_never

from contracts.provisioning import (
    EngineEvent,
    MigrationCommandRefused,
    MigrationConfirmationRequired,
    MigrationEndedByDecline,
    MigrationFinished,
    MigrationPending,
    MigrationPlanned,
    MigrationPlanningStarted,
    MigrationRejected,
    MigrationStarted,
    PackagePlanned,
)
from contracts.reasons import UserReason
from contracts.requests import (
    MigrationApproved,
    MigrationCancelRequested,
    MigrationConfirmed,
    MigrationDeclined,
    MigrationPauseRequested,
    MigrationRequested,
    MigrationResumeRequested,
    MigrationRetryRequested,
    MigrationSettingsChanged,
    RequestCommand,
)
from contracts.statuses import final_status
from services.provisioning_engine.domain.validation import Verdict

PREVIEW_LIFE = timedelta(hours=24)


class RequestState(StrEnum):
    """Where a request stands inside the engine."""

    RECEIVED = "received"
    PLANNING = "planning"
    PENDING_CONFIRMATION = "pending-confirmation"
    PENDING_START = "pending-start"
    RUNNING = "running"
    PREVIEWED = "previewed"
    FINISHED = "finished"
    REJECTED = "rejected"
    DECLINED = "declined"


ENDED = frozenset({RequestState.PREVIEWED, RequestState.FINISHED, RequestState.REJECTED, RequestState.DECLINED})


class Said(NamedTuple):
    """An event to append: its id, which is the same however often the step is tried, and its data."""

    id: str
    data: EngineEvent


@dataclass(frozen=True)
class Decision:
    """What follows: events of the request in order, the new state, and when it starts if that is later."""

    events: tuple[Said, ...]
    state: RequestState
    start_at: datetime | None = None


@dataclass(frozen=True)
class Totals:
    """The whole manifest, added up over the shards."""

    planned: int = 0
    excluded: int = 0
    excluded_by_reason: Mapping[str, int] = field(default_factory=dict)
    customers: int = 0
    batches: int = 0
    packages: Mapping[str, int] = field(default_factory=dict)
    hash: str = ""
    last_sequence: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcomes:
    """What became of a request's users, added up over the shards, and the last sequence of each shard."""

    planned: int
    migrated: int
    failed: int
    skipped: int
    cancelled: int
    packages_generated: int
    last_sequence: Mapping[int, int]


def after_validation(request: MigrationRequested, verdict: Verdict) -> Decision:
    """Reject the request with every problem, or let its planning start."""
    if verdict.problem_count:
        rejected = MigrationRejected(
            request=request.request, problems=verdict.problems, problem_count=verdict.problem_count
        )
        return Decision((Said(f"{request.request}/rejected", rejected),), RequestState.REJECTED)
    started = MigrationPlanningStarted(
        request=request.request,
        mode=request.mode,
        service=request.service,
        mappings=request.mappings,
        generate_missing_packages=request.generate_missing_packages,
    )
    return Decision((Said(f"{request.request}/planning-started", started),), RequestState.PLANNING)


def after_planning(request: MigrationRequested, totals: Totals, now: datetime) -> Decision:
    """Freeze the manifest; then a preview ends, a request with nobody ends, and others wait or start."""
    planned = Said(f"{request.request}/planned", _manifest(request, totals, now))
    if request.mode == "preview":
        return Decision((planned,), RequestState.PREVIEWED)
    if not totals.planned:
        nobody = Outcomes(0, 0, 0, 0, 0, 0, totals.last_sequence)
        return Decision((planned, finished(request.request, nobody)), RequestState.FINISHED)
    if _needs_confirmation(request, totals):
        return Decision((planned, _confirmation(request, totals)), RequestState.PENDING_CONFIRMATION)
    following = start_or_wait(request, totals.planned, now)
    return Decision((planned, *following.events), following.state, following.start_at)


def start_or_wait(request: MigrationRequested, planned: int, now: datetime) -> Decision:
    """Start now, or wait for the start that the request names."""
    if request.start_at is not None and request.start_at > now:
        pending = MigrationPending(request=request.request, start_at=request.start_at)
        said = Said(f"{request.request}/pending", pending)
        return Decision((said,), RequestState.PENDING_START, request.start_at)
    started = MigrationStarted(request=request.request, planned=planned)
    return Decision((Said(f"{request.request}/started", started),), RequestState.RUNNING)


def finished(request: str, outcomes: Outcomes) -> Said:
    """Say that everything has come to its end."""
    data = MigrationFinished(
        request=request,
        status=final_status(
            migrated=outcomes.migrated,
            failed=outcomes.failed,
            skipped=outcomes.skipped,
            cancelled=outcomes.cancelled,
        ),
        planned=outcomes.planned,
        migrated=outcomes.migrated,
        failed=outcomes.failed,
        skipped=outcomes.skipped,
        cancelled=outcomes.cancelled,
        packages_generated=outcomes.packages_generated,
        last_sequence=_by_shard(outcomes.last_sequence),
    )
    return Said(f"{request}/finished", data)


def with_own_sequence(data: EngineEvent, shard: int, sequence: int) -> EngineEvent:
    """Let MigrationFinished count itself: its own sequence is the last of its shard."""
    if not isinstance(data, MigrationFinished):
        return data
    own = {int(at): last for at, last in data.last_sequence.items()} | {shard: sequence}
    return data.model_copy(update={"last_sequence": _by_shard(own)})


def after_word(  # noqa: PLR0911 - one return for each word and state, which a table would only hide
    request: MigrationRequested | None,
    state: RequestState | None,
    manifest: tuple[str, int],
    word: RequestCommand,
    word_no: int,
    now: datetime,
) -> Decision | Said:
    """Answer a later word: a decision, or the refusal that says why nothing changes.

    `request` and `state` are none for a request that never came; `manifest` is the hash and the planned users,
    `word_no` the word's number at the engine, which is never given twice.
    """
    if request is None or state is None:
        return _refused(word, word_no, "unknown", "No request of this id is known.")
    match word:
        case MigrationConfirmed():
            if state is not RequestState.PENDING_CONFIRMATION:
                return _refused(word, word_no, state, "The request doesn't wait for a confirmation.")
            if word.manifest_hash != manifest[0]:
                return _refused(word, word_no, state, f"The hash isn't this manifest's, which is {manifest[0]}.")
            return start_or_wait(request, manifest[1], now)
        case MigrationDeclined():
            if state is not RequestState.PENDING_CONFIRMATION:
                return _refused(word, word_no, state, "The request doesn't wait for a word that could be a no.")
            declined = MigrationEndedByDecline(request=word.request, by=word.by, why=word.why)
            return Decision((Said(f"{word.request}/declined", declined),), RequestState.DECLINED)
        case MigrationApproved():
            return _refused(word, word_no, state, "The request doesn't need an approval.")
        case (
            MigrationPauseRequested()
            | MigrationResumeRequested()
            | MigrationCancelRequested()
            | MigrationRetryRequested()
            | MigrationSettingsChanged()
        ):
            return _refused(word, word_no, state, "This engine doesn't support this word yet.")
        case _ as impossible:
            assert_never(impossible)


def _refused(word: RequestCommand, word_no: int, state: str, detail: str) -> Said:
    refused = MigrationCommandRefused(
        request=word.request, command=word.TYPE, by=word.by, state=str(state), detail=detail
    )
    return Said(f"{word.request}/refused/{word_no}", refused)


def _manifest(request: MigrationRequested, totals: Totals, now: datetime) -> MigrationPlanned:
    return MigrationPlanned(
        request=request.request,
        mode=request.mode,
        selected=totals.planned + totals.excluded,
        planned=totals.planned,
        excluded=totals.excluded,
        excluded_by_reason={UserReason(reason): n for reason, n in sorted(totals.excluded_by_reason.items())},
        customers=totals.customers,
        batches=totals.batches,
        packages=tuple(PackagePlanned(plan=plan, customers=n) for plan, n in sorted(totals.packages.items())),
        hash=totals.hash,
        planned_last_sequence=_by_shard(totals.last_sequence),
        expires_at=now + PREVIEW_LIFE if request.mode == "preview" else None,
    )


def _by_shard(sequences: Mapping[int, int]) -> dict[str, int]:
    return {str(shard): sequence for shard, sequence in sorted(sequences.items()) if sequence}


def _needs_confirmation(request: MigrationRequested, totals: Totals) -> bool:
    if request.seen is None:
        return False
    found = totals.planned + totals.excluded
    return abs(found - request.seen.users) > request.seen.users * request.seen.tolerance_percent / 100


def _confirmation(request: MigrationRequested, totals: Totals) -> Said:
    seen = request.seen
    assert seen is not None  # noqa: S101 - _needs_confirmation has looked
    data = MigrationConfirmationRequired(
        request=request.request,
        seen_users=seen.users,
        found_users=totals.planned + totals.excluded,
        tolerance_percent=seen.tolerance_percent,
        manifest_hash=totals.hash,
    )
    return Said(f"{request.request}/confirmation-required", data)
