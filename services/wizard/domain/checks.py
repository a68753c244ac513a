"""What can be wrong with a request, step by step: every problem is named, with a JSON pointer to its place."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from contracts.reasons import ProblemCode

NAME_LIMIT = 200
DESCRIPTION_LIMIT = 2000
LATEST_START = timedelta(days=366)
EARLIEST_START = timedelta(minutes=5)

DESTINATION_MISSING = "destination-missing"
"""A source plan has no destination yet: possible in a draft only."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Found(NamedTuple):
    """One thing wrong: a stable code, a JSON pointer, and words for people."""

    code: str
    pointer: str
    detail: str


class MappingWish(NamedTuple):
    """Source plan to destination plan; None where none is chosen yet."""

    from_plan: str
    to_plan: str | None


def check_service(service: str, *, known: bool) -> list[Found]:
    """Find what is wrong with the choice of a service."""
    if known:
        return []
    return [Found(ProblemCode.SERVICE_UNKNOWN, "/service", f"There is no service {service}.")]


def check_mappings(
    service: str, mappings: Sequence[MappingWish], plans: Mapping[str, bool], *, complete: bool = True
) -> list[Found]:
    """Find what is wrong with the mappings; `plans` are the service's, and whether each is active.

    With `complete` false, no mapping at all and missing destinations are no problem yet.
    """
    if not mappings:
        problem = Found(ProblemCode.MAPPINGS_EMPTY, "/mappings", "Choose at least one source plan.")
        return [problem] if complete else []
    found = [problem for number, wish in enumerate(mappings) for problem in _of_mapping(service, number, wish, plans)]
    if not complete:
        found = [problem for problem in found if problem.code != DESTINATION_MISSING]
    return found + _repeated_sources(mappings) + _circles(mappings)


def _of_mapping(service: str, number: int, wish: MappingWish, plans: Mapping[str, bool]) -> Iterable[Found]:
    at = f"/mappings/{number}"
    if wish.from_plan not in plans:
        yield Found(ProblemCode.PLAN_UNKNOWN, f"{at}/from_plan", f"{wish.from_plan} is not a plan of {service}.")
    if wish.to_plan is None:
        yield Found(DESTINATION_MISSING, f"{at}/to_plan", f"Choose where the users of {wish.from_plan} go.")
    elif wish.to_plan == wish.from_plan:
        yield Found(ProblemCode.MAPPING_TO_ITSELF, f"{at}/to_plan", f"{wish.from_plan} is mapped to itself.")
    elif wish.to_plan not in plans:
        yield Found(ProblemCode.PLAN_UNKNOWN, f"{at}/to_plan", f"{wish.to_plan} is not a plan of {service}.")
    elif not plans[wish.to_plan]:
        yield Found(ProblemCode.PLAN_INACTIVE, f"{at}/to_plan", f"{wish.to_plan} is not active.")


def _repeated_sources(mappings: Sequence[MappingWish]) -> list[Found]:
    times = Counter(wish.from_plan for wish in mappings)
    seen: set[str] = set()
    found = []
    for number, wish in enumerate(mappings):
        if times[wish.from_plan] > 1 and wish.from_plan in seen:
            detail = f"{wish.from_plan} is a source already."
            found.append(Found(ProblemCode.SOURCE_MAPPED_TWICE, f"/mappings/{number}/from_plan", detail))
        seen.add(wish.from_plan)
    return found


def _circles(mappings: Sequence[MappingWish]) -> list[Found]:
    """Find mappings that lead back to their own source by way of others."""
    leads_to = {wish.from_plan: wish.to_plan for wish in mappings if wish.to_plan != wish.from_plan}
    found = []
    for number, wish in enumerate(mappings):
        if way := _way_back(wish, leads_to):
            detail = f"Users would go round in a circle: {' → '.join(way)}."
            found.append(Found(ProblemCode.MAPPING_IN_A_CIRCLE, f"/mappings/{number}", detail))
    return found


def _way_back(wish: MappingWish, leads_to: Mapping[str, str | None]) -> list[str]:
    way, at = [wish.from_plan], wish.to_plan
    if at == wish.from_plan:
        return []
    while at is not None and at not in way:
        way.append(at)
        at = leads_to.get(at)
    return [*way, at] if at is not None and at == wish.from_plan else []


def check_name(name: str) -> list[Found]:
    """Find what is wrong with a name."""
    if not name.strip():
        return [Found(ProblemCode.NAME_INVALID, "/name", "Give the request a name.")]
    found = []
    if len(name) > NAME_LIMIT:
        detail = f"The name has {len(name):,} characters; at most {NAME_LIMIT} are taken."
        found.append(Found(ProblemCode.NAME_INVALID, "/name", detail))
    if _CONTROL.search(name):
        detail = "The name contains control characters or line breaks."
        found.append(Found(ProblemCode.NAME_INVALID, "/name", detail))
    return found


def check_description(description: str) -> list[Found]:
    """Find what is wrong with a description."""
    found = []
    if len(description) > DESCRIPTION_LIMIT:
        detail = f"The description has {len(description):,} characters; at most {DESCRIPTION_LIMIT:,} are taken."
        found.append(Found(ProblemCode.DESCRIPTION_INVALID, "/description", detail))
    if _CONTROL_IN_TEXT.search(description):
        detail = "The description contains control characters."
        found.append(Found(ProblemCode.DESCRIPTION_INVALID, "/description", detail))
    return found


def check_start(start_at: datetime | None, now: datetime) -> list[Found]:
    """Find what is wrong with a start time."""
    if start_at is None or now - EARLIEST_START <= start_at <= now + LATEST_START:
        return []
    detail = f"Start between now and {LATEST_START.days} days from now."
    return [Found(ProblemCode.START_OUT_OF_RANGE, "/start_at", detail)]


def check_counts(customers: int, users: int) -> list[Found]:
    """Find that nobody is selected."""
    if users > 0:
        return []
    detail = "No customer is selected." if customers == 0 else "No user is selected."
    return [Found(ProblemCode.SELECTION_EMPTY, "/selection", detail)]
