"""What becomes of batches when their turn comes: what is tried, and each user's end.

The world may have changed since the manifest: whoever changed is skipped with a reason, never overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from contracts.provisioning import NotMigrated
from contracts.reasons import UserReason
from contracts.statuses import Outcome
from services.provisioning_engine.domain.planner import PackageKey


class Batch(NamedTuple):
    """A batch as it was planned; `revision` is its assignments', `revisions` by position where another."""

    no: int
    customer: str
    from_plan: str
    to_plan: str
    attempt: int
    users: Sequence[str]
    revision: int
    revisions: Mapping[int, int]
    reserved: int
    applying: bool = False

    @property
    def package(self) -> PackageKey:
        """The destination."""
        return (self.customer, self.to_plan)


class PackageNow(NamedTuple):
    """A batch's destination when its turn has come, and whether its customer is active."""

    customer_active: bool
    provisioned: bool
    seat_limit: int | None
    used: int
    reserved: int
    source_revision: int


class Generation(NamedTuple):
    """A package to make: its limit (none: no limit) and the source's revision that it builds on."""

    package: PackageKey
    seat_limit: int | None
    revision: int


class Ending(NamedTuple):
    """Why a user does not migrate."""

    outcome: Literal[Outcome.FAILED, Outcome.SKIPPED, Outcome.CANCELLED]
    reason: UserReason
    detail: str = ""


@dataclass(frozen=True)
class Refusals:
    """What a connector refused: users by batch and position, and packages, with what it said."""

    users: Mapping[tuple[int, int], str] = field(default_factory=dict)
    packages: Mapping[PackageKey, str] = field(default_factory=dict)


NO_REFUSALS = Refusals()


class Try(NamedTuple):
    """What to try of a batch: all users, but for those in `endings` (by position)."""

    batch: Batch
    endings: dict[int, Ending]


@dataclass(frozen=True)
class Plan:
    """What one transaction does: packages first, then tries."""

    generations: tuple[Generation, ...]
    failed_packages: Mapping[PackageKey, str]
    tries: tuple[Try, ...]


class Result(NamedTuple):
    """A batch's end: positions that did not migrate, and revisions of migrated ones that aren't the planned."""

    batch: Batch
    endings: dict[int, Ending]
    revisions: dict[int, int]

    @property
    def migrated(self) -> int:
        """Users who migrated."""
        return len(self.batch.users) - len(self.endings)

    def count(self, outcome: Outcome) -> int:
        """Users who ended so."""
        return sum(ending.outcome is outcome for ending in self.endings.values())

    def not_migrated(self) -> tuple[NotMigrated, ...]:
        """Those who did not migrate, as BatchFinished names them."""
        return tuple(
            NotMigrated.model_construct(position=position, outcome=ending.outcome, reason=ending.reason)
            for position, ending in sorted(self.endings.items())
        )


def needed_packages(
    batches: Iterable[Batch],
    packages: Mapping[PackageKey, PackageNow],
    *,
    generate: bool,
    default_limits: Mapping[str, int | None],
) -> dict[PackageKey, Generation]:
    """Give the packages that have to be made for these batches; a limit is raised to what is used and promised."""
    needed: dict[PackageKey, Generation] = {}
    for batch in batches:
        now = packages[batch.package]
        if generate and now.customer_active and not now.provisioned and batch.package not in needed:
            limit = default_limits.get(batch.to_plan)
            seats = None if limit is None else max(limit, now.used + now.reserved)
            needed[batch.package] = Generation(batch.package, seats, max(now.source_revision, 0))
    return needed


def decide(
    batches: Sequence[Batch],
    packages: Mapping[PackageKey, PackageNow],
    generations: Mapping[PackageKey, Generation],
    refusals: Refusals,
) -> Plan:
    """Decide what one transaction tries."""
    made = {package: one for package, one in generations.items() if package not in refusals.packages}
    seats = {package: _free_seats(now, made.get(package)) for package, now in packages.items()}
    tries = []
    for batch in batches:
        endings = _endings(batch, packages[batch.package], made, refusals, seats[batch.package])
        free = seats[batch.package]
        if free is not None:
            seats[batch.package] = free - (len(batch.users) - len(endings))
        tries.append(Try(batch, endings))
    failed = {package: why for package, why in refusals.packages.items() if package in generations}
    return Plan(tuple(made.values()), failed, tuple(tries))


def _free_seats(now: PackageNow, generation: Generation | None) -> int | None:
    limit = generation.seat_limit if generation else now.seat_limit
    return None if limit is None else max(0, limit - now.used)


def _endings(
    batch: Batch,
    now: PackageNow,
    made: Mapping[PackageKey, Generation],
    refusals: Refusals,
    free: int | None,
) -> dict[int, Ending]:
    whole = _whole_batch_ending(batch, now, made, refusals)
    if whole is not None:
        return dict.fromkeys(range(len(batch.users)), whole)
    endings = {
        position: Ending(Outcome.FAILED, UserReason.REFUSED_BY_CONNECTOR, detail)
        for (no, position), detail in refusals.users.items()
        if no == batch.no
    }
    if free is not None and len(batch.users) - len(endings) > free:
        full = Ending(Outcome.SKIPPED, UserReason.SEAT_LIMIT_REACHED)
        rest = [position for position in range(len(batch.users)) if position not in endings]
        endings.update(dict.fromkeys(rest[free:], full))
    return endings


def _whole_batch_ending(
    batch: Batch, now: PackageNow, made: Mapping[PackageKey, Generation], refusals: Refusals
) -> Ending | None:
    if not now.customer_active:
        return Ending(Outcome.SKIPPED, UserReason.CUSTOMER_INACTIVE)
    if now.provisioned or batch.package in made:
        return None
    if batch.package in refusals.packages:
        detail = refusals.packages[batch.package]
        return Ending(Outcome.FAILED, UserReason.PACKAGE_GENERATION_FAILED, detail)
    return Ending(Outcome.SKIPPED, UserReason.DESTINATION_PACKAGE_MISSING)


def result_of(
    tried: Try, moved: Sequence[int], revisions: Mapping[int, int], removed: frozenset[int] | set[int]
) -> Result:
    """Give the batch's end: who was tried and not `moved` had changed, or was `removed` (positions)."""
    batch, endings = tried
    if len(moved) + len(endings) == len(batch.users):
        return Result(batch, endings, dict(revisions))
    all_endings = dict(endings)
    for position in set(range(len(batch.users))).difference(moved, endings):
        reason = UserReason.USER_REMOVED if position in removed else UserReason.PLAN_CHANGED
        all_endings[position] = Ending(Outcome.SKIPPED, reason)
    return Result(batch, all_endings, dict(revisions))


@dataclass
class Deltas:
    """What a transaction changes of packages: used and reserved, by customer and plan."""

    used: dict[PackageKey, int] = field(default_factory=dict)
    reserved: dict[PackageKey, int] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str, int, int]]:
        """Customer, plan, change of used, change of reserved: in the order in which rows are locked."""
        keys = sorted(self.used.keys() | self.reserved.keys())
        return [(*key, self.used.get(key, 0), self.reserved.get(key, 0)) for key in keys]


def deltas_of(results: Iterable[Result]) -> Deltas:
    """Add up what the batches' ends change; a batch's reservation ends with it."""
    deltas = Deltas()
    for result in results:
        batch, source = result.batch, (result.batch.customer, result.batch.from_plan)
        deltas.used[source] = deltas.used.get(source, 0) - result.migrated
        deltas.used[batch.package] = deltas.used.get(batch.package, 0) + result.migrated
        deltas.reserved[batch.package] = deltas.reserved.get(batch.package, 0) - batch.reserved
    return deltas
