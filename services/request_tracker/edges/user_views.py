"""Users as documents: of a request, page by page or as a stream of any length, and one user's history."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

from contracts.statuses import Outcome
from contracts.topics import PROVISIONING
from services.request_tracker.domain.outcomes import CODES, unpack
from services.request_tracker.domain.texts import from_micros, iso
from services.request_tracker.domain.users import StoredBatch, UserOutcome, user_at, users_of
from services.request_tracker.edges.queries import USERS
from services.request_tracker.edges.snapshot import Snapshot

Json = dict[str, Any]
OpenSnapshot = Callable[[], AbstractAsyncContextManager[Snapshot]]

_BATCHES_AT_ONCE = 8
"""At most 16,000 users in memory, whatever the request's size."""


class UserFilters(NamedTuple):
    """Which users of a request: None where it doesn't matter."""

    outcome: Outcome | None = None
    reason: str | None = None
    customer: str | None = None

    @property
    def codes(self) -> frozenset[int] | None:
        """Bytes of the wanted outcomes."""
        return None if self.outcome is None else frozenset({CODES[self.outcome]})

    @property
    def flags(self) -> list[bool]:
        """Whether migrated, failed, skipped, cancelled, pending ones are wanted."""
        order = (Outcome.MIGRATED, Outcome.FAILED, Outcome.SKIPPED, Outcome.CANCELLED, Outcome.PENDING)
        return [self.outcome is None or self.outcome is outcome for outcome in order]


class UserPage(NamedTuple):
    """A page, and the batch and position of its last user if more follow."""

    items: list[Json]
    last: tuple[int, int] | None


async def list_users(
    snapshot: Snapshot, request: str, filters: UserFilters, after: tuple[int, int] | None, limit: int
) -> UserPage:
    """Users of a request in the order of batch and position."""
    items: list[Json] = []
    batch, position = after or (0, -1)
    while True:
        stored = await _batches(snapshot, request, filters, batch, _BATCHES_AT_ONCE)
        for one in stored:
            skip_to = position if one.batch == batch else -1
            for user in users_of(one, codes=filters.codes, reason=filters.reason, after=skip_to):
                if len(items) == limit:
                    last = items[-1]
                    return UserPage(items, (last["batch"], last["position"]))
                items.append(user_document(user))
        if len(stored) < _BATCHES_AT_ONCE:
            return UserPage(items, None)
        batch, position = stored[-1].batch + 1, -1


async def stream_users(open_snapshot: OpenSnapshot, request: str, filters: UserFilters) -> AsyncIterator[UserOutcome]:
    """All users of a request; a few batches at a time, so that a slow reader holds neither memory nor a snapshot."""
    batch = 0
    while True:
        async with open_snapshot() as snapshot:
            stored = await _batches(snapshot, request, filters, batch, _BATCHES_AT_ONCE)
        for one in stored:
            for user in users_of(one, codes=filters.codes, reason=filters.reason):
                yield user
        if len(stored) < _BATCHES_AT_ONCE:
            return
        batch = stored[-1].batch + 1


async def _batches(snapshot: Snapshot, request: str, filters: UserFilters, first: int, limit: int) -> list[StoredBatch]:
    rows = await snapshot.conn.fetch(
        USERS["batches"], request, first, filters.customer, filters.reason, *filters.flags, limit
    )
    return [stored_batch(row) for row in rows]


def stored_batch(row: Mapping[str, Any]) -> StoredBatch:
    """A batch's row as the domain takes it."""
    values = {name: row[name] for name in StoredBatch._fields}
    return StoredBatch(**{**values, "runs": unpack(row["runs"])})


def user_document(user: UserOutcome) -> Json:
    """A user of a request as a document; `event` is where the outcome's event is."""
    return {
        "customer": user.customer,
        "user": user.user,
        "service": user.service,
        "from_plan": user.from_plan,
        "to_plan": user.to_plan,
        "outcome": str(user.outcome),
        "reason": user.reason,
        "detail": user.detail,
        "transient": user.transient,
        "attempt": user.attempt,
        "at": user.at,
        "batch": user.batch,
        "position": user.position,
        "event": _event(user.shard, user.sequence),
    }


def _event(shard: int, sequence: int | None) -> Json | None:
    if sequence is None:
        return None
    return {"topic": PROVISIONING.name, "partition": shard, "sequence": sequence}


async def list_excluded(
    snapshot: Snapshot, request: str, filters: UserFilters, after: tuple[int, int, int] | None, limit: int
) -> tuple[list[Json], tuple[int, int, int] | None]:
    """Users that the manifest leaves out; the place is (shard, sequence, index) of the last one if more follow."""
    items: list[Json] = []
    place = shard, sequence, index = after or (0, 0, -1)
    while True:
        groups = await snapshot.conn.fetch(
            USERS["exclusions"], request, shard, sequence, filters.customer, filters.reason, _BATCHES_AT_ONCE
        )
        for group in groups:
            skip_to = index if (group["shard"], group["sequence"]) == (shard, sequence) else -1
            for number, user in enumerate(group["users"].split("\n")):
                if number <= skip_to:
                    continue
                if len(items) == limit:
                    return items, place
                items.append(excluded_document(group, user))
                place = (group["shard"], group["sequence"], number)
        if len(groups) < _BATCHES_AT_ONCE:
            return items, None
        shard, sequence, index = groups[-1]["shard"], groups[-1]["sequence"] + 1, -1


async def stream_excluded(open_snapshot: OpenSnapshot, request: str, filters: UserFilters) -> AsyncIterator[Json]:
    """All users that the manifest leaves out."""
    shard, sequence = 0, 0
    while True:
        async with open_snapshot() as snapshot:
            groups = await snapshot.conn.fetch(
                USERS["exclusions"], request, shard, sequence, filters.customer, filters.reason, _BATCHES_AT_ONCE
            )
        for group in groups:
            for user in group["users"].split("\n"):
                yield excluded_document(group, user)
        if len(groups) < _BATCHES_AT_ONCE:
            return
        shard, sequence = groups[-1]["shard"], groups[-1]["sequence"] + 1


def excluded_document(group: Mapping[str, Any], user: str) -> Json:
    """A user who was left out as a document."""
    return {
        "customer": group["customer"],
        "user": user,
        "outcome": "excluded",
        "reason": group["reason"],
        "at": iso(group["at"]),
        "event": _event(group["shard"], group["sequence"]),
    }


async def history(
    snapshot: Snapshot, customer: str, user: str, before: int | None, limit: int
) -> tuple[list[Json], int | None]:
    """What requests did with a user, the newest first; the number is the sequence after which more may follow."""
    conn = snapshot.conn
    batches = await conn.fetch(USERS["batches_of_user"], customer, user, before, limit)
    exclusions = await conn.fetch(USERS["exclusions_of_user"], customer, user, before, limit)
    found = {row["planned_sequence"]: _planned(row, user) for row in batches}
    found |= {row["sequence"]: _left_out(row, user) for row in exclusions}
    ordered = sorted(found, reverse=True)[:limit]
    more = len(batches) == limit or len(exclusions) == limit
    return [found[sequence] for sequence in ordered if found[sequence]], ordered[-1] if more else None


def _planned(row: Mapping[str, Any], user: str) -> Json:
    """The user's part in a batch with every attempt; empty when the user only falls into the batch's range."""
    users = row["users"].split("\n")
    if user not in users:
        return {}
    batch = stored_batch(row)
    position = users.index(user)
    present = user_document(user_at(batch, position))
    former = [_former(attempt, batch.shard) for attempt in batch.history.get(str(position), [])]
    names = ("outcome", "reason", "detail", "transient", "attempt", "at", "event")
    return {
        "request": row["request"],
        "name": row["name"],
        "mode": row["mode"],
        "planned_at": iso(row["planned_at"]),
        **present,
        "attempts": [*former, {name: present[name] for name in names}],
    }


def _former(told: Mapping[str, Any], shard: int) -> Json:
    return {
        "outcome": told["outcome"],
        "reason": told.get("reason"),
        "detail": told.get("detail", ""),
        "transient": told.get("transient"),
        "attempt": told.get("attempt"),
        "at": iso(from_micros(told["time_us"])) if "time_us" in told else None,
        "event": _event(shard, told.get("sequence")),
    }


def _left_out(row: Mapping[str, Any], user: str) -> Json:
    if user not in row["users"].split("\n"):
        return {}
    return {
        "request": row["request"],
        "name": row["name"],
        "mode": row["mode"],
        "planned_at": iso(row["at"]),
        **excluded_document(row, user),
        "attempts": [],
    }
