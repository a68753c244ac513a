"""The events of an execution step, in order: packages, then each batch's users and its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.provisioning import (
    BatchFinished,
    PackageGenerated,
    PackageGenerationFailed,
    UserEvent,
    UserMigrationCancelled,
    UserMigrationFailed,
    UserMigrationSkipped,
)
from contracts.reasons import USER_REASONS
from contracts.statuses import Outcome
from eventlog.record import OutgoingEvent
from services.provisioning_engine.domain import event_ids
from services.provisioning_engine.domain.outcomes import Batch, Ending, Plan, Result
from services.provisioning_engine.domain.planner import PackageKey
from services.provisioning_engine.edges.step import Job
from services.provisioning_engine.edges.wire import migrated_users, outgoing


def count_events(plan: Plan, results: Sequence[Result]) -> int:
    """Give the number of events that `encode_outcomes` will make."""
    users = sum(len(result.batch.users) for result in results)
    return len(plan.generations) + len(plan.failed_packages) + users + len(results)


def encode_outcomes(
    job: Job, plan: Plan, results: Sequence[Result], now: datetime, first_sequence: int
) -> list[OutgoingEvent]:
    """Give all events with sequences from `first_sequence` on; a user's migration is the hot path."""
    events = _packages(job, plan, now, first_sequence)
    for result in results:
        events += _users(job, result, now, first_sequence + len(events))
        events.append(_finished(job, result, now, first_sequence + len(events)))
    return events


def _packages(job: Job, plan: Plan, now: datetime, first: int) -> list[OutgoingEvent]:
    first_batch: dict[PackageKey, int] = {}
    for tried in plan.tries:
        first_batch.setdefault(tried.batch.package, tried.batch.no)
    said: list[tuple[PackageKey, PackageGenerated | PackageGenerationFailed]] = [
        (
            one.package,
            PackageGenerated(
                request=job.id,
                customer=one.package[0],
                service=job.request.service,
                plan=one.package[1],
                seat_limit=one.seat_limit,
                revision=one.revision,
            ),
        )
        for one in plan.generations
    ]
    for package, detail in plan.failed_packages.items():
        data = PackageGenerationFailed(
            request=job.id, customer=package[0], service=job.request.service, plan=package[1], detail=detail
        )
        said.append((package, data))
    return [
        outgoing(job.thread, event_ids.package(job.id, first_batch[package], package[1]), data, now, sequence)
        for sequence, (package, data) in enumerate(said, first)
    ]


def _users(job: Job, result: Result, now: datetime, first: int) -> list[OutgoingEvent]:
    batch, endings = result.batch, result.endings
    if not endings and not result.revisions:
        migrated = [(position, user, batch.revision) for position, user in enumerate(batch.users)]
    else:
        migrated = [
            (position, user, result.revisions.get(position, batch.revision))
            for position, user in enumerate(batch.users)
            if position not in endings
        ]
    events = migrated_users(job.thread, job.request.service, batch, now, first, migrated) if migrated else []
    for position, ending in sorted(endings.items()):
        event_id = event_ids.user_ended(job.id, batch.no, position, batch.attempt)
        data = _not_migrated(job, batch, position, ending)
        events.append(outgoing(job.thread, event_id, data, now, first + len(events)))
    return events


def _not_migrated(job: Job, batch: Batch, position: int, ending: Ending) -> UserEvent:
    user = {
        "request": job.id,
        "customer": batch.customer,
        "user": batch.users[position],
        "batch": batch.no,
        "position": position,
        "attempt": batch.attempt,
        "service": job.request.service,
        "from_plan": batch.from_plan,
        "to_plan": batch.to_plan,
        "reason": ending.reason,
    }
    if ending.outcome is Outcome.FAILED:
        transient = USER_REASONS[ending.reason].transient
        return UserMigrationFailed.model_validate({**user, "detail": ending.detail, "transient": transient})
    if ending.outcome is Outcome.SKIPPED:
        return UserMigrationSkipped.model_validate({**user, "detail": ending.detail})
    return UserMigrationCancelled.model_validate(user)


def _finished(job: Job, result: Result, now: datetime, sequence: int) -> OutgoingEvent:
    batch = result.batch
    # A reader knows the revisions of BatchPlanned; only what differs from them is said here.
    differing = {
        str(position): actual
        for position, actual in result.revisions.items()
        if batch.revisions.get(position, batch.revision) != actual
    }
    data = BatchFinished.model_construct(
        request=job.id,
        customer=batch.customer,
        batch=batch.no,
        attempt=batch.attempt,
        migrated=result.migrated,
        failed=result.count(Outcome.FAILED),
        skipped=result.count(Outcome.SKIPPED),
        cancelled=result.count(Outcome.CANCELLED),
        not_migrated=result.not_migrated(),
        revisions=differing,
    )
    event_id = event_ids.batch_finished(job.id, batch.no, batch.attempt)
    return outgoing(job.thread, event_id, data, now, sequence)
