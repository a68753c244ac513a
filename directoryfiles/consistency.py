"""What no row shows alone: duplicates, contradictions, and references to what isn't there."""

from collections.abc import Callable, Iterable
from typing import Final

from directoryfiles.bad_rows import BadRows
from directoryfiles.kinds import Kind
from directoryfiles.staging import BUCKETS, Definition, Staging

Known = Callable[[Iterable[str]], set[str]]
"""Gives those of the keys that the directory has already."""

_SMALL_KINDS = (Kind.RESELLER, Kind.CUSTOMER, Kind.SERVICE, Kind.PLAN)


class Consistency:
    """Looks at everything that was staged, kind by kind in the order of their references, and fails bad rows."""

    def __init__(self, staging: Staging, bad: BadRows, known: Known) -> None:
        """Take what was read, where bad rows are noted, and what the directory has."""
        self._staging: Final = staging
        self._bad: Final = bad
        self._known: Final = known
        self._unknown: set[str] = set()

    def check(self) -> None:
        """Find every bad row that is left."""
        self._check_resellers()
        for kind in (Kind.CUSTOMER, Kind.SERVICE, Kind.PLAN, Kind.PACKAGE):
            for bucket in range(BUCKETS):
                good = self._good(kind, bucket)
                if kind in _SMALL_KINDS:
                    self._find_unknown(kind, bucket, good.keys())
        for bucket in range(BUCKETS):
            users = self._good(Kind.USER, bucket)
            self._check_users_of_assignments(bucket, set(users))

    def _check_resellers(self) -> None:
        good: dict[str, Definition] = {}
        for bucket in range(BUCKETS):
            good |= self._good(Kind.RESELLER, bucket)
        for definition in _in_circles(good):
            self._blame(definition, Kind.RESELLER, "parent: the resellers above lead back to this one")
            del good[definition.key]
        asked = {key for bucket in range(BUCKETS) for key in self._staging.references(Kind.RESELLER, bucket)}
        known = self._known(asked)
        while orphans := [
            definition
            for definition in good.values()
            if any(parent not in good and parent not in known for parent in definition.references)
        ]:
            for definition in orphans:
                self._blame(definition, Kind.RESELLER, _dangling(definition.references[0]))
                del good[definition.key]
        self._unknown |= asked - good.keys() - known

    def _good(self, kind: Kind, bucket: int) -> dict[str, Definition]:
        """Give the first good definition of each entity, and fail the rows of the others where they are wrong."""
        good: dict[str, Definition] = {}
        contradicted: set[str] = set()
        for definition in self._staging.definitions(kind, bucket):
            if self._staging.failed[definition.row] <= kind:
                continue
            if self._unknown and kind != Kind.RESELLER and self._is_dangling(definition, kind):
                continue
            first = good.setdefault(definition.key, definition)
            if first is not definition:
                good[definition.key] = self._settled(kind, first, definition, contradicted)
        for key in contradicted:
            del good[key]
        return good

    def _is_dangling(self, definition: Definition, kind: Kind) -> bool:
        missing = [key for key in definition.references if key in self._unknown]
        for key in missing:
            self._blame(definition, kind, _dangling(key))
        return bool(missing)

    def _settled(self, kind: Kind, first: Definition, later: Definition, contradicted: set[str]) -> Definition:
        """Say which of two definitions of one entity counts, and blame whom it concerns."""
        if first.weak or later.weak:
            return later if first.weak else first
        if first.content == later.content:
            if not (first.implied or later.implied):
                self._blame(later, kind, f"{_shown(later.key)} is in {self._place(first, later)} already")
            return later if first.implied else first
        stated = f"{_shown(later.key)} is stated otherwise"
        if later.implied:
            self._blame(later, kind, f"{stated} in {self._place(first, later)}")
            return first
        if first.implied:
            self._blame(first, kind, f"{stated} in {self._place(later, first)}")
            return later
        if first.key not in contradicted:
            self._blame(first, kind, f"{stated} in {self._place(later, first)}")
            contradicted.add(first.key)
        self._blame(later, kind, f"{stated} in {self._place(first, later)}")
        return first

    def _find_unknown(self, kind: Kind, bucket: int, good: Iterable[str]) -> None:
        missing = self._staging.references(kind, bucket).difference(good)
        if missing:
            self._unknown |= missing - self._known(missing)

    def _check_users_of_assignments(self, bucket: int, users: set[str]) -> None:
        assignments = self._good(Kind.ASSIGNMENT, bucket)
        users_asked = {key: "user/" + key[11 : key.rindex("/")] for key in assignments}
        missing = set(users_asked.values()) - users
        if not missing:
            return
        missing -= self._known(missing)
        for key, user in users_asked.items():
            if user in missing:
                self._blame(assignments[key], Kind.ASSIGNMENT, _dangling(user))

    def _blame(self, definition: Definition, kind: Kind, reason: str) -> None:
        self._bad.add(definition.row, definition.line, reason)
        self._staging.fail(definition.row, kind)

    def _place(self, other: Definition, seen_from: Definition) -> str:
        return self._bad.place(other.row, other.line, seen_from.row)


def _shown(key: str) -> str:
    return key.replace("/", " ", 1)


def _dangling(key: str) -> str:
    return f"{_shown(key)} is neither in these files nor in the directory"


def _in_circles(resellers: dict[str, Definition]) -> list[Definition]:
    """Give every reseller whose parents lead back to itself."""
    found: list[Definition] = []
    for start in resellers.values():
        passed: set[str] = set()
        at: Definition | None = start
        while at is not None and at.references and at.key not in passed:
            passed.add(at.key)
            at = resellers.get(at.references[0])
        if at is not None and at.references and at.key == start.key:
            found.append(start)
    return found
