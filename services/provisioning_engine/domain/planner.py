"""The manifest: who of the selected users goes into which batch, who is left out and why, which packages are made.

Pure, and the same for a preview and an execution. selected = planned + excluded, whatever comes in.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.provisioning import BATCH_LIMIT
from contracts.reasons import UserReason

PackageKey = tuple[str, str]
"""Customer and plan."""


class UserGroup(NamedTuple):
    """Selected users of one customer who are on the same plan (none: on none), in order, with their revisions."""

    customer: str
    plan: str | None
    removed: bool
    users: Sequence[str]
    revisions: Sequence[int]


class Room(NamedTuple):
    """A destination package: whether the customer has it, its limit, and the seats that are used or promised."""

    provisioned: bool = False
    seat_limit: int | None = None
    taken: int = 0


class Wish(NamedTuple):
    """What of a request matters to the planner: source plan to destination, and whether to generate packages."""

    service: str
    mappings: Mapping[str, str]
    generate_missing_packages: bool


class PlannedBatch(NamedTuple):
    """Users of one customer and one mapping, at most BATCH_LIMIT; `revisions` by position where not `revision`."""

    customer: str
    from_plan: str
    to_plan: str
    users: Sequence[str]
    revision: int
    revisions: dict[int, int]
    hash: str


class Exclusion(NamedTuple):
    """Users of one customer left out for one reason, at most BATCH_LIMIT."""

    customer: str
    reason: UserReason
    users: Sequence[str]


@dataclass
class Planned:
    """A part of the manifest, in order. `generates`: packages that no earlier part of this request has named."""

    batches: list[PlannedBatch] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)
    generates: list[PackageKey] = field(default_factory=list)
    reserves: dict[PackageKey, int] = field(default_factory=dict)
    customers: set[str] = field(default_factory=set)

    @property
    def planned(self) -> int:
        """Users in batches."""
        return sum(len(batch.users) for batch in self.batches)

    @property
    def excluded(self) -> int:
        """Users left out."""
        return sum(len(exclusion.users) for exclusion in self.exclusions)

    def excluded_by_reason(self) -> dict[str, int]:
        """Users left out, by reason."""
        counts: Counter[str] = Counter()
        for exclusion in self.exclusions:
            counts[exclusion.reason.value] += len(exclusion.users)
        return dict(counts)


def plan(
    wish: Wish,
    groups: Iterable[UserGroup],
    *,
    active_customers: frozenset[str] | set[str],
    rooms: Mapping[PackageKey, Room],
    planned_before: Mapping[PackageKey, int],
) -> Planned:
    """Plan some customers' groups. `planned_before`: users that this request's earlier parts put into packages."""
    result = Planned()
    for group in groups:
        reason = _whole_group_excluded(wish, group, active_customers, rooms)
        if reason is not None:
            _exclude(result, group.customer, reason, group.users)
            continue
        to_plan = wish.mappings[group.plan or ""]
        room = _free_seats(
            rooms.get((group.customer, to_plan), Room()), result.reserves.get((group.customer, to_plan), 0)
        )
        fitting = len(group.users) if room is None else min(room, len(group.users))
        _exclude(result, group.customer, UserReason.SEAT_LIMIT_REACHED, group.users[fitting:])
        if fitting:
            _note_package(result, (group.customer, to_plan), fitting, rooms, planned_before)
            _add_batches(result, wish, group, to_plan, fitting)
    return result


def _whole_group_excluded(
    wish: Wish, group: UserGroup, active: frozenset[str] | set[str], rooms: Mapping[PackageKey, Room]
) -> UserReason | None:
    if group.removed:
        return UserReason.USER_REMOVED
    to_plan = wish.mappings.get(group.plan) if group.plan is not None else None
    if to_plan is None:
        return UserReason.NOT_ON_SOURCE_PLAN
    if group.customer not in active:
        return UserReason.CUSTOMER_INACTIVE
    provisioned = rooms.get((group.customer, to_plan), Room()).provisioned
    if not provisioned and not wish.generate_missing_packages:
        return UserReason.DESTINATION_PACKAGE_MISSING
    return None


def _free_seats(room: Room, reserved_now: int) -> int | None:
    """Seats that are left; none means that any number fits. A package that is to be generated is made large enough."""
    if not room.provisioned or room.seat_limit is None:
        return None
    return max(0, room.seat_limit - room.taken - reserved_now)


def _exclude(result: Planned, customer: str, reason: UserReason, users: Sequence[str]) -> None:
    for start in range(0, len(users), BATCH_LIMIT):
        result.exclusions.append(Exclusion(customer, reason, users[start : start + BATCH_LIMIT]))


def _note_package(
    result: Planned, package: PackageKey, users: int, rooms: Mapping[PackageKey, Room], before: Mapping[PackageKey, int]
) -> None:
    is_new = package not in result.reserves and not before.get(package)
    if is_new and not rooms.get(package, Room()).provisioned:
        result.generates.append(package)
    result.reserves[package] = result.reserves.get(package, 0) + users
    if not any(customer == package[0] for customer, _ in before):
        result.customers.add(package[0])


def _add_batches(result: Planned, wish: Wish, group: UserGroup, to_plan: str, fitting: int) -> None:
    for start in range(0, fitting, BATCH_LIMIT):
        end = min(start + BATCH_LIMIT, fitting)
        result.batches.append(_batch(wish, group, to_plan, group.users[start:end], group.revisions[start:end]))


def _batch(wish: Wish, group: UserGroup, to_plan: str, users: Sequence[str], revisions: Sequence[int]) -> PlannedBatch:
    if len(set(revisions)) == 1:
        revision, others = revisions[0], {}
    else:
        revision = Counter(revisions).most_common(1)[0][0]
        others = {position: other for position, other in enumerate(revisions) if other != revision}
    from_plan = group.plan or ""
    digest = batch_hash(wish.service, group.customer, from_plan, to_plan, users, revisions)
    return PlannedBatch(group.customer, from_plan, to_plan, users, revision, others, digest)


def batch_hash(
    service: str, customer: str, from_plan: str, to_plan: str, users: Sequence[str], revisions: Sequence[int]
) -> str:
    """Give the hex SHA-256 over what the batch will do: one line each for its place, its users and their revisions."""
    lines = (service, customer, from_plan, to_plan, " ".join(users), " ".join(map(str, revisions)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def chained(hash_so_far: bytes, hashes: Iterable[str]) -> bytes:
    """Chain batches' hashes onto a shard's hash: each link is SHA-256 over the last link and the batch's hash."""
    for one in hashes:
        hash_so_far = hashlib.sha256(hash_so_far + bytes.fromhex(one)).digest()
    return hash_so_far


def manifest_hash(shard_hashes: Mapping[int, bytes]) -> str:
    """Give the hex SHA-256 over the shards' hashes in order of the shards; shards without batches don't count."""
    whole = hashlib.sha256()
    for shard in sorted(shard_hashes):
        if shard_hashes[shard]:
            whole.update(shard.to_bytes(2, "big") + shard_hashes[shard])
    return whole.hexdigest()
