"""A batch's row unfolded into its users, one by one."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from contracts.statuses import Outcome
from services.request_tracker.domain.outcomes import OUTCOMES, PENDING, Run
from services.request_tracker.domain.texts import from_micros


class StoredBatch(NamedTuple):
    """What of a batch's row is needed to name its users."""

    request: str
    batch: int
    shard: int
    customer: str
    service: str
    from_plan: str
    to_plan: str
    users: str
    outcome: bytes
    runs: list[Run]
    exceptions: dict[str, Any]
    history: dict[str, Any]


class UserOutcome(NamedTuple):
    """What became of one user; attempt, sequence and time are None while the user is pending."""

    customer: str
    user: str
    service: str
    from_plan: str
    to_plan: str
    outcome: Outcome
    reason: str | None
    detail: str
    transient: bool | None
    attempt: int | None
    at: datetime | None
    batch: int
    position: int
    shard: int
    sequence: int | None


def users_of(
    batch: StoredBatch,
    *,
    codes: Collection[int] | None = None,
    reason: str | None = None,
    after: int = -1,
) -> Iterator[UserOutcome]:
    """Users of a batch by position from `after + 1` on, those with an outcome of `codes` and with this reason."""
    places = _places(batch.runs, len(batch.outcome))
    for position, user in enumerate(batch.users.split("\n")):
        if position <= after or (codes is not None and batch.outcome[position] not in codes):
            continue
        exception = batch.exceptions.get(str(position)) if batch.exceptions else None
        if reason is not None and (exception is None or exception["reason"] != reason):
            continue
        yield _unfolded(batch, position, user, exception, places[position])


def user_at(batch: StoredBatch, position: int) -> UserOutcome:
    """The user at a position."""
    place = _places(batch.runs, len(batch.outcome))[position]
    return _unfolded(batch, position, batch.users.split("\n")[position], batch.exceptions.get(str(position)), place)


def _places(runs: list[Run], n: int) -> list[Run | None]:
    """The latest run of each position."""
    places: list[Run | None] = [None] * n
    for run in runs:
        places[run.position : run.position + run.n] = [run] * run.n
    return places


def _unfolded(
    batch: StoredBatch, position: int, user: str, exception: dict[str, Any] | None, run: Run | None
) -> UserOutcome:
    code = batch.outcome[position]
    place = None if code == PENDING else run
    told = exception or {}
    return UserOutcome(
        batch.customer,
        user,
        batch.service,
        batch.from_plan,
        batch.to_plan,
        OUTCOMES[code],
        told.get("reason"),
        told.get("detail", ""),
        told.get("transient"),
        None if place is None else place.attempt,
        None if place is None else from_micros(place.time_us),
        batch.batch,
        position,
        batch.shard,
        None if place is None else place.sequence + position - place.position,
    )
