"""One assignment from two sides: what the source says and what migrations did, in whatever order it was read.

This is the meaning of the generated column `assignment.plan` and of the upserts around it, which tests compare.
"""

from typing import NamedTuple

NEVER = -1
"""The revision of a register in which nothing was written yet."""


class Source(NamedTuple):
    """The source's last word: plan (None: on no plan) and when the source decided."""

    revision: int = NEVER
    plan: str | None = None


class Moved(NamedTuple):
    """The last migration: destination, the revision that it built on, and its place in the shard."""

    revision: int = NEVER
    sequence: int = 0
    plan: str = ""


class Registers(NamedTuple):
    """All that is known of one user on one service; `removed` is the revision of the user's last removal."""

    source: Source = Source()
    moved: Moved = Moved()
    removed: int = NEVER


def merge(one: Registers, other: Registers) -> Registers:
    """Join two partial knowledges: commutative, associative, and merging twice changes nothing.

    Of two words of a source with one revision the greater plan wins, and any plan over none.
    """
    return Registers(
        max(one.source, other.source, key=_source_order),
        max(one.moved, other.moved),
        max(one.removed, other.removed),
    )


def _source_order(source: Source) -> tuple[int, str]:
    return source.revision, source.plan or ""


def visible_plan(known: Registers) -> str | None:
    """Give the plan that the user is on: the migration's if its revision is not older, else the source's.

    None where the source has never assigned, has unassigned, or has removed the user since: a migration alone makes
    nobody visible.
    """
    source, moved, removed = known
    if source.plan is None or source.revision <= removed:
        return None
    return moved.plan if moved.revision >= source.revision else source.plan
