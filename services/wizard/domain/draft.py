"""A draft: a person's choices on the way through the nine steps, and what is still missing or wrong in each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from services.wizard.domain.checks import (
    Found,
    MappingWish,
    check_counts,
    check_description,
    check_mappings,
    check_name,
    check_service,
)

StepName = Literal["open", "options", "service", "sources", "destinations", "customers", "users", "details", "finish"]
State = Literal["open", "finished", "discarded"]


@dataclass(frozen=True)
class Draft:
    """What is saved of a draft, but for the exceptions of its selection, which may be many."""

    draft: str
    caller: str
    state: State
    version: int
    options_chosen: bool
    all_customers: bool
    all_users: bool
    generate_missing_packages: bool
    service: str | None
    mappings: tuple[MappingWish, ...]
    customers_base: bool
    users_base: bool
    name: str
    description: str
    created_at: datetime
    updated_at: datetime
    request: str | None


class MappingTotals(NamedTuple):
    """Customers and users on a source plan, and those of them that are selected."""

    from_plan: str
    to_plan: str | None
    matching_customers: int
    matching_users: int
    customers: int
    users: int


class Totals(NamedTuple):
    """What the draft's selection amounts to, by the view at this moment.

    `customers_in_scope` are checked, `customers` have a selected user besides; matching ones are on a source plan.
    """

    customers_in_scope: int
    customers: int
    matching_customers: int
    users: int
    matching_users: int
    mappings: tuple[MappingTotals, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """What the view knows of the draft's service: whether it exists, and its plans (True: active)."""

    service_known: bool
    plans: Mapping[str, bool]


@dataclass(frozen=True)
class Step:
    """One step: its number from 1, whether it is done, and every problem that keeps it from being so."""

    number: int
    name: StepName
    complete: bool
    problems: tuple[Found, ...]


def steps_of(draft: Draft, catalogue: Catalogue, totals: Totals) -> list[Step]:
    """Give the nine steps of a draft, as they stand now; nothing is wrong any more with one that has ended."""
    ended = draft.state == "finished"
    problems = {} if ended else problems_by_step(draft, catalogue, totals)
    done = _touched(draft, totals)
    steps = [
        Step(number, name, complete=done[name] and not problems.get(name), problems=tuple(problems.get(name, ())))
        for number, name in enumerate(done, 1)
    ]
    return [*steps, Step(len(steps) + 1, "finish", complete=ended, problems=())]


def _touched(draft: Draft, totals: Totals) -> dict[StepName, bool]:
    return {
        "open": True,
        "options": draft.options_chosen,
        "service": draft.service is not None,
        "sources": bool(draft.mappings),
        "destinations": bool(draft.mappings) and all(wish.to_plan for wish in draft.mappings),
        "customers": totals.customers_in_scope > 0,
        "users": totals.users > 0,
        "details": bool(draft.name),
    }


def problems_by_step(draft: Draft, catalogue: Catalogue, totals: Totals) -> dict[StepName, list[Found]]:
    """Find every problem of a draft, by the step in which it can be mended; steps without one are left out."""
    found: dict[StepName, list[Found]] = {}
    if not draft.options_chosen:
        found["options"] = [Found("options-missing", "/options", "Choose the options.")]
    if draft.service is None:
        found["service"] = [Found("service-missing", "/service", "Choose a service.")]
        return found | _details(draft)
    found["service"] = check_service(draft.service, known=catalogue.service_known)
    mappings = check_mappings(draft.service, draft.mappings, catalogue.plans)
    found["sources"] = [problem for problem in mappings if not problem.pointer.endswith("/to_plan")]
    found["destinations"] = [problem for problem in mappings if problem.pointer.endswith("/to_plan")]
    if not found["sources"]:
        found |= _selection(totals)
    return {name: problems for name, problems in (found | _details(draft)).items() if problems}


def _selection(totals: Totals) -> dict[StepName, list[Found]]:
    problems = check_counts(totals.customers_in_scope, totals.users)
    return {"customers" if totals.customers_in_scope == 0 else "users": problems}


def _details(draft: Draft) -> dict[StepName, list[Found]]:
    problems = check_name(draft.name) + check_description(draft.description)
    return {"details": problems} if problems else {}


def all_problems(draft: Draft, catalogue: Catalogue, totals: Totals) -> list[Found]:
    """Find every problem that keeps a draft from being finished."""
    return [problem for problems in problems_by_step(draft, catalogue, totals).values() for problem in problems]
