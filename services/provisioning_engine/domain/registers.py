"""What is effective when a source and migrations both speak of a thing: registers that converge in any order.

The SQL of `queries/directory.sql` and `queries/execution.sql` does the same for many rows at once; tests compare both.
"""

from __future__ import annotations

from typing import NamedTuple


class AssignmentRegisters(NamedTuple):
    """All that is known of one user on one service; `source_revision` -1: no source has spoken yet.

    `source_plan` none: the source says that the user is on no plan. `moved_*`: the last migration and the source's
    revision that it built on. `removed_revision`: the user's last removal.
    """

    source_revision: int = -1
    source_plan: str | None = None
    moved_revision: int = -1
    moved_plan: str | None = None
    removed_revision: int = -1


def effective_plan(known: AssignmentRegisters) -> str | None:
    """Give the plan that the user is on: the migration's if it is not older than the source's word."""
    if known.source_revision < 0 or known.removed_revision >= known.source_revision:
        return None
    return known.moved_plan if known.moved_revision >= known.source_revision else known.source_plan


def with_source(known: AssignmentRegisters, revision: int, plan: str | None) -> AssignmentRegisters:
    """Take the source's word if it is newer; of two with one revision the greater plan wins, so order is no matter."""
    if (revision, plan or "") <= (known.source_revision, known.source_plan or ""):
        return known
    return known._replace(source_revision=revision, source_plan=plan)


def with_move(known: AssignmentRegisters, revision: int, plan: str) -> AssignmentRegisters:
    """Take a migration's word; migrations of a user are in order among themselves."""
    if revision < known.moved_revision:
        return known
    return known._replace(moved_revision=revision, moved_plan=plan)


def with_removal(known: AssignmentRegisters, revision: int) -> AssignmentRegisters:
    """Take the removal of the user."""
    return known._replace(removed_revision=max(known.removed_revision, revision))


class PackageRegisters(NamedTuple):
    """All that is known of one customer's package; `generated_*`: made by a migration, on the source's revision."""

    source_revision: int = -1
    source_provisioned: bool = False
    source_seat_limit: int | None = None
    generated_revision: int = -1
    generated_seat_limit: int | None = None


class EffectivePackage(NamedTuple):
    """Whether the customer has the package, and for how many users (none: any number)."""

    provisioned: bool
    seat_limit: int | None


def effective_package(known: PackageRegisters) -> EffectivePackage:
    """Give what holds: the generated package if it is not older than the source's word."""
    if known.generated_revision >= max(known.source_revision, 0):
        return EffectivePackage(provisioned=True, seat_limit=known.generated_seat_limit)
    return EffectivePackage(known.source_provisioned, known.source_seat_limit)


def with_package_source(
    known: PackageRegisters, revision: int, *, provisioned: bool, seat_limit: int | None
) -> PackageRegisters:
    """Take the source's word if it is newer; of two with one revision the one that gives more wins."""
    old = (known.source_revision, known.source_provisioned, _ranked(known.source_seat_limit))
    if (revision, provisioned, _ranked(seat_limit)) <= old:
        return known
    return known._replace(source_revision=revision, source_provisioned=provisioned, source_seat_limit=seat_limit)


def with_generated(known: PackageRegisters, revision: int, seat_limit: int | None) -> PackageRegisters:
    """Take a generated package."""
    if revision < known.generated_revision:
        return known
    return known._replace(generated_revision=revision, generated_seat_limit=seat_limit)


def _ranked(seat_limit: int | None) -> int:
    return -1 if seat_limit is None else seat_limit
