"""Editing a draft, step by step: each change is checked, and a change that makes no sense is not saved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.requests import UserRef
from services.wizard.domain.checks import (
    Found,
    MappingWish,
    check_description,
    check_mappings,
    check_name,
    check_service,
)
from services.wizard.domain.draft import Draft, Step, Totals, steps_of
from services.wizard.edges import directory_store, draft_store, selection_store
from serving.etag import etag_of, require_match
from serving.postgres import Connection
from serving.problems import FieldError, Problem

PROBLEMS_SHOWN = 1000


@dataclass(frozen=True)
class DraftView:
    """A draft with its steps and what its selection amounts to now."""

    draft: Draft
    steps: list[Step]
    totals: Totals


def invalid(found: Sequence[Found]) -> Problem:
    """Give the answer to what can't be: every problem (of very many, the first thousand and their number)."""
    errors = [FieldError(problem.pointer, problem.code, problem.detail) for problem in found[:PROBLEMS_SHOWN]]
    detail = "1 thing is wrong" if len(found) == 1 else f"{len(found):,} things are wrong"
    extra = {"problem_count": len(found)}
    return Problem("invalid", "The request isn't valid", 422, detail=detail, errors=errors, extra=extra)


def etag(draft: Draft) -> str:
    """Give the ETag of a draft's version."""
    return etag_of(draft.draft, draft.version)


async def found(conn: Connection, draft_id: str, *, lock: bool = False) -> Draft:
    """Give a draft; raises 404."""
    draft = await draft_store.read(conn, draft_id, lock=lock)
    if draft is None or draft.state == "discarded":
        raise Problem("not-found", "Nothing is here", 404, detail=f"There is no draft {draft_id}.")
    return draft


async def editable(conn: Connection, draft_id: str, if_match: str | None) -> Draft:
    """Lock a draft for a change by someone who saw its current version; raises 404, 409, 412 and 428."""
    draft = await found(conn, draft_id, lock=True)
    if draft.state != "open":
        detail = f"It became the request {draft.request}; begin another draft."
        raise Problem("draft-finished", "The draft is finished", 409, detail=detail, extra={"request": draft.request})
    require_match(if_match, etag(draft))
    return draft


async def view(conn: Connection, draft: Draft) -> DraftView:
    """Give a draft with its steps and totals; those of a finished one are what was asked for."""
    catalogue = await directory_store.catalogue(conn, draft.service)
    if draft.request is None:
        totals = await selection_store.totals(conn, draft.draft)
    else:
        totals = await _asked_totals(conn, draft.request)
    return DraftView(draft, steps_of(draft, catalogue, totals), totals)


async def _asked_totals(conn: Connection, request: str) -> Totals:
    row = await draft_store.request(conn, request)
    customers, users = (row["customers"], row["users"]) if row else (0, 0)
    return Totals(customers, customers, customers, users, users)


async def put_options(
    conn: Connection, draft: Draft, *, all_customers: bool, all_users: bool, generate_missing_packages: bool
) -> Draft:
    """Step 2. Another choice of whom to select begins the selection anew."""
    if (all_customers, all_users) != (draft.customers_base, draft.users_base):
        await selection_store.clear(conn, draft.draft)
    return await draft_store.set_options(
        conn,
        draft.draft,
        all_customers=all_customers,
        all_users=all_users,
        generate_missing_packages=generate_missing_packages,
    )


async def put_service(conn: Connection, draft: Draft, service: str) -> Draft:
    """Step 3."""
    _refuse(check_service(service, known=await directory_store.service_known(conn, service)))
    return await draft_store.set_service(conn, draft.draft, service)


async def put_mappings(conn: Connection, draft: Draft, mappings: Sequence[MappingWish]) -> Draft:
    """Steps 4 and 5; destinations may come later."""
    if draft.service is None:
        _refuse([Found("service-missing", "/service", "Choose a service first.")])
    catalogue = await directory_store.catalogue(conn, draft.service)
    _refuse(check_mappings(draft.service or "", mappings, catalogue.plans, complete=False))
    return await draft_store.set_mappings(conn, draft.draft, mappings)


async def put_details(conn: Connection, draft: Draft, name: str, description: str) -> Draft:
    """Step 8."""
    _refuse(check_name(name) + check_description(description))
    return await draft_store.set_details(conn, draft.draft, name, description)


@dataclass(frozen=True)
class CustomerChanges:
    """Check boxes of step 6, in the order in which they apply: all or none, then those that a search finds, then some.

    `everyone` forgets every exception before.
    """

    everyone: bool | None
    matching: tuple[str, bool] | None
    select: Sequence[str]
    deselect: Sequence[str]


async def change_customers(conn: Connection, draft: Draft, changes: CustomerChanges) -> Draft:
    """Step 6."""
    unknown = await selection_store.unknown_customers(conn, [*changes.select, *changes.deselect])
    _refuse(
        Found("customer-unknown", f"/{name}/{number}", f"There is no customer {customer}.")
        for name, customers in (("select", changes.select), ("deselect", changes.deselect))
        for number, customer in enumerate(customers)
        if customer in unknown
    )
    if changes.everyone is not None:
        await selection_store.clear_customers(conn, draft.draft)
        await draft_store.set_customers_base(conn, draft.draft, selected=changes.everyone)
    if changes.matching is not None:
        search, selected = changes.matching
        await selection_store.check_matching_customers(conn, draft.draft, search, selected=selected)
    await selection_store.check_customers(conn, draft.draft, changes.deselect, selected=False)
    await selection_store.check_customers(conn, draft.draft, changes.select, selected=True)
    return await draft_store.touch(conn, draft.draft)


@dataclass(frozen=True)
class UserChanges:
    """Check boxes of step 7, in the order in which they apply: all or none, then whole customers, then single users."""

    everyone: bool | None
    customers: Sequence[tuple[str, bool]]
    select: Sequence[UserRef]
    deselect: Sequence[UserRef]


async def change_users(conn: Connection, draft: Draft, changes: UserChanges) -> Draft:
    """Step 7."""
    _refuse(await _unknown(conn, changes))
    if changes.everyone is not None:
        await selection_store.clear_users(conn, draft.draft)
        await draft_store.set_users_base(conn, draft.draft, selected=changes.everyone)
    for selected in (False, True):
        customers = [customer for customer, wanted in changes.customers if wanted is selected]
        await selection_store.check_users_of(conn, draft.draft, customers, selected=selected)
    await selection_store.check_users(conn, draft.draft, changes.deselect, selected=False)
    await selection_store.check_users(conn, draft.draft, changes.select, selected=True)
    return await draft_store.touch(conn, draft.draft)


async def _unknown(conn: Connection, changes: UserChanges) -> list[Found]:
    customers = await selection_store.unknown_customers(conn, [customer for customer, _ in changes.customers])
    users = await selection_store.unknown_users(conn, [*changes.select, *changes.deselect])
    problems = [
        Found("customer-unknown", f"/customers/{number}/customer", f"There is no customer {customer}.")
        for number, (customer, _) in enumerate(changes.customers)
        if customer in customers
    ]
    for name, listed in (("select", changes.select), ("deselect", changes.deselect)):
        problems += [
            Found("user-unknown", f"/{name}/{number}", f"{user.customer} has no user {user.user}.")
            for number, user in enumerate(listed)
            if user in users
        ]
    return problems


def _refuse(problems: Iterable[Found]) -> None:
    if listed := list(problems):
        raise invalid(listed)
