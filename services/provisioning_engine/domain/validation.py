"""What can be wrong with a request that is readable: every problem at once, each at its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from contracts.identifiers import NAME_PATTERN
from contracts.provisioning import Problem
from contracts.reasons import ProblemCode
from contracts.requests import MigrationRequested, Selection

PROBLEMS_OF_A_KIND = 100
NAME_CHARACTERS = 200
DESCRIPTION_CHARACTERS = 2000
CONNECTORS = frozenset({"internal", "simulated"})
EARLIEST_START = timedelta(days=1)
LATEST_START = timedelta(days=366)
EARLIEST_TIME = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_TIME = timedelta(days=1)

_NAME = re.compile(NAME_PATTERN)
_DESCRIPTION = re.compile(r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")


class Listed(NamedTuple):
    """An entry of a list: `part` 0 is the request itself, else the number of the MigrationSelectionPart."""

    part: int
    position: int
    excluded: bool
    customer: str
    user: str | None = None


class Sample(NamedTuple):
    """The first entries (at most PROBLEMS_OF_A_KIND) with a problem, and how many there are."""

    first: tuple[Listed, ...] = ()
    total: int = 0


NO_SAMPLE = Sample()


@dataclass(frozen=True)
class Facts:
    """What the engine knows when it judges a request. `plans`: those named, that are known, with their activity."""

    now: datetime
    said_at: datetime | None
    connector: str | None
    plans: Mapping[str, bool]
    customers_listed: int = 0
    users_listed: int = 0
    missing_parts: int = 0
    surplus_parts: int = 0
    directory_behind: tuple[str, ...] = ()
    unknown_customers: Sample = NO_SAMPLE
    unknown_users: Sample = NO_SAMPLE
    repeated_customers: Sample = NO_SAMPLE
    repeated_users: Sample = NO_SAMPLE
    contradictory_customers: Sample = NO_SAMPLE
    contradictory_users: Sample = NO_SAMPLE


class Verdict(NamedTuple):
    """The problems (at most PROBLEMS_OF_A_KIND of each kind) and how many there are; none: the request makes sense."""

    problems: tuple[Problem, ...]
    problem_count: int


def judge(request: MigrationRequested, facts: Facts) -> Verdict:
    """Give every problem of the request."""
    single = [
        *_texts(request),
        *_times(request, facts),
        *_mappings(request),
        *_catalogue(request, facts),
        *_selection(request.selection, facts),
        *_position(facts),
    ]
    problems, count = single, len(single)
    for code, what, sample in _samples(facts):
        problems += [_listed_problem(code, what, entry) for entry in sample.first]
        count += sample.total
    return Verdict(tuple(problems), count)


def _problem(code: ProblemCode, pointer: str, detail: str) -> Problem:
    return Problem(code=code, pointer=pointer, detail=detail)


def _texts(request: MigrationRequested) -> Iterator[Problem]:
    if not 0 < len(request.name) <= NAME_CHARACTERS:
        detail = f"A name has 1 to {NAME_CHARACTERS} characters; this one has {len(request.name):,}."
        yield _problem(ProblemCode.NAME_INVALID, "/name", detail)
    if not _NAME.fullmatch(request.name):
        yield _problem(ProblemCode.NAME_INVALID, "/name", "A name has no control characters and no line breaks.")
    if len(request.description) > DESCRIPTION_CHARACTERS:
        detail = f"A description has at most {DESCRIPTION_CHARACTERS:,} characters, not {len(request.description):,}."
        yield _problem(ProblemCode.DESCRIPTION_INVALID, "/description", detail)
    if not _DESCRIPTION.fullmatch(request.description):
        detail = "A description has no control characters but tabs and line breaks."
        yield _problem(ProblemCode.DESCRIPTION_INVALID, "/description", detail)


def _times(request: MigrationRequested, facts: Facts) -> Iterator[Problem]:
    if facts.said_at is None or not EARLIEST_TIME <= facts.said_at <= facts.now + LATEST_TIME:
        detail = f"The event's time must lie between 2000-01-01 and a day after {facts.now:%Y-%m-%dT%H:%M:%SZ}."
        yield _problem(ProblemCode.TIME_OUT_OF_RANGE, "/time", detail)
    if request.start_at is not None:
        distance = _distance(request.start_at, facts.now)
        if distance is None or not -EARLIEST_START <= distance <= LATEST_START:
            detail = f"A start lies at most a day before and {LATEST_START.days} days after the request."
            yield _problem(ProblemCode.START_OUT_OF_RANGE, "/start_at", detail)


def _distance(moment: datetime, now: datetime) -> timedelta | None:
    try:
        return moment - now
    except OverflowError:
        return None


def _mappings(request: MigrationRequested) -> Iterator[Problem]:
    if not request.mappings:
        yield _problem(ProblemCode.MAPPINGS_EMPTY, "/mappings", "Name at least one source plan and its destination.")
    first_place: dict[str, int] = {}
    for index, mapping in enumerate(request.mappings):
        if mapping.from_plan == mapping.to_plan:
            detail = f"{mapping.from_plan} can't be its own destination."
            yield _problem(ProblemCode.MAPPING_TO_ITSELF, f"/mappings/{index}", detail)
        if mapping.from_plan in first_place:
            detail = f"{mapping.from_plan} is a source already in mapping {first_place[mapping.from_plan]}."
            yield _problem(ProblemCode.SOURCE_MAPPED_TWICE, f"/mappings/{index}/from_plan", detail)
        first_place.setdefault(mapping.from_plan, index)
    for circle in _circles({mapping.from_plan: mapping.to_plan for mapping in reversed(request.mappings)}):
        first = min(circle, key=first_place.__getitem__)
        way = [*circle[circle.index(first) :], *circle[: circle.index(first)], first]
        detail = f"The mappings go in a circle: {' → '.join(way)}."
        yield _problem(ProblemCode.MAPPING_IN_A_CIRCLE, f"/mappings/{first_place[first]}", detail)


def _circles(destination: Mapping[str, str]) -> Iterator[list[str]]:
    """Give each circle of two and more plans once."""
    done: set[str] = set()
    for start in destination:
        path: list[str] = []
        plan: str | None = start
        while plan is not None and plan not in done and plan not in path:
            path.append(plan)
            plan = destination.get(plan)
        if plan is not None and plan in path and len(path) - path.index(plan) > 1:
            yield path[path.index(plan) :]
        done.update(path)


def _catalogue(request: MigrationRequested, facts: Facts) -> Iterator[Problem]:
    if facts.connector is None:
        yield _problem(ProblemCode.SERVICE_UNKNOWN, "/service", f"No service {request.service} is known.")
        return  # its plans can't be known either; naming them adds nothing
    if facts.connector not in CONNECTORS:
        detail = f"The service's connector {facts.connector} is not known to this engine."
        yield _problem(ProblemCode.CONNECTOR_UNKNOWN, "/service", detail)
    for index, mapping in enumerate(request.mappings):
        for name, plan in (("from_plan", mapping.from_plan), ("to_plan", mapping.to_plan)):
            if plan not in facts.plans:
                detail = f"{request.service} has no plan {plan}."
                yield _problem(ProblemCode.PLAN_UNKNOWN, f"/mappings/{index}/{name}", detail)
        if not facts.plans.get(mapping.to_plan, True):
            detail = f"The plan {mapping.to_plan} is not active; nobody can be moved to it."
            yield _problem(ProblemCode.PLAN_INACTIVE, f"/mappings/{index}/to_plan", detail)


def _selection(selection: Selection, facts: Facts) -> Iterator[Problem]:
    if facts.missing_parts:
        detail = f"{facts.missing_parts:,} of {selection.parts:,} selection parts never came."
        yield _problem(ProblemCode.SELECTION_INCOMPLETE, "/selection/parts", detail)
    elif not selection.all_users and not facts.users_listed:
        detail = "No user is selected: choose all users, or list some."
        yield _problem(ProblemCode.SELECTION_EMPTY, "/selection", detail)
    elif selection.all_users and not selection.all_customers and not facts.customers_listed:
        detail = "No customer is selected: choose all customers, or list some."
        yield _problem(ProblemCode.SELECTION_EMPTY, "/selection", detail)
    if facts.surplus_parts:
        detail = f"{facts.surplus_parts:,} selection parts came beyond the {selection.parts:,} that the request names."
        yield _problem(ProblemCode.SELECTION_CONTRADICTORY, "/selection/parts", detail)
    if selection.all_customers and facts.customers_listed:
        detail = "All customers are chosen, and some are listed; choose one of both."
        yield _problem(ProblemCode.SELECTION_CONTRADICTORY, "/selection/customers", detail)
    if selection.all_users and facts.users_listed:
        detail = "All users are chosen, and some are listed; choose one of both."
        yield _problem(ProblemCode.SELECTION_CONTRADICTORY, "/selection/users", detail)


def _position(facts: Facts) -> Iterator[Problem]:
    if facts.directory_behind:
        detail = (
            f"The directory has not been read as far as the person had seen it: {', '.join(facts.directory_behind)}."
        )
        yield _problem(ProblemCode.DIRECTORY_TOO_OLD, "/seen/directory_position", detail)


def _samples(facts: Facts) -> Iterable[tuple[ProblemCode, str, Sample]]:
    return (
        (ProblemCode.CUSTOMER_UNKNOWN, "No customer {name} is known.", facts.unknown_customers),
        (ProblemCode.USER_UNKNOWN, "No user {name} with a plan is known.", facts.unknown_users),
        (ProblemCode.CUSTOMER_LISTED_TWICE, "The customer {name} is listed more than once.", facts.repeated_customers),
        (ProblemCode.USER_LISTED_TWICE, "The user {name} is listed more than once.", facts.repeated_users),
        (
            ProblemCode.SELECTION_CONTRADICTORY,
            "The customer {name} is both listed and excluded.",
            facts.contradictory_customers,
        ),
        (
            ProblemCode.SELECTION_CONTRADICTORY,
            "The user {name} is listed, and is excluded or of a customer that isn't in scope.",
            facts.contradictory_users,
        ),
    )


def _listed_problem(code: ProblemCode, what: str, entry: Listed) -> Problem:
    kind = "customers" if entry.user is None else "users"
    list_name = f"excluded_{kind}" if entry.excluded else kind
    name = entry.customer if entry.user is None else f"{entry.user} of customer {entry.customer}"
    if not entry.part:
        return _problem(code, f"/selection/{list_name}/{entry.position}", what.format(name=name))
    place = f" (part {entry.part}, {list_name}, entry {entry.position})"
    return _problem(code, "/selection/parts", what.format(name=name) + place)
