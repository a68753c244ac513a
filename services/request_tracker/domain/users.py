"""A batch's row unfolded into its users, one by one."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from contracts.statuses import Outcome
from services.request_tracker.domain.outcomes import OUTCOMES, PENDING, Run
from services.request_tracker.domain.texts import from_micros, iso


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
    """What became of one user; attempt, sequence and `at` (RFC 3339) are None while the user is pending."""

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
    at: str | None
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


class _Place(NamedTuple):
    """A run with its time as text, made once for all its users."""

    run: Run
    at: str


def _places(runs: list[Run], n: int) -> list[_Place | None]:
    """The latest run of each position."""
    places: list[_Place | None] = [None] * n
    for run in runs:
        place = _Place(run, iso(from_micros(run.time_us)))
        places[run.position : run.position + run.n] = [place] * run.n
    return places


def _unfolded(
    batch: StoredBatch, position: int, user: str, exception: dict[str, Any] | None, place: _Place | None
) -> UserOutcome:
    code = batch.outcome[position]
    told = exception or {}
    run = place.run if place is not None and code != PENDING else None
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
        None if run is None else run.attempt,
        None if run is None or place is None else place.at,
        batch.batch,
        position,
        batch.shard,
        None if run is None else run.sequence + position - run.position,
    )
