"""Ending a draft, taking a whole request at once, and saying later words: each is one transaction with its events."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, assert_never

from contracts.requests import (
    Mapping,
    MigrationConfirmed,
    MigrationDeclined,
    MigrationRequested,
    Seen,
)
from contracts.topics import DIRECTORY
from services.wizard.domain.asked import Finish, MigrationAsked
from services.wizard.domain.checks import (
    Found,
    MappingWish,
    check_counts,
    check_description,
    check_mappings,
    check_name,
    check_service,
    check_start,
)
from services.wizard.domain.draft import Draft, Totals, all_problems
from services.wizard.domain.selection_checks import check_known, check_selection
from services.wizard.drafting import found, invalid
from services.wizard.edges import directory_store, draft_store, request_events, selection_store
from services.wizard.edges.request_events import Occasion
from serving.postgres import Connection
from serving.problems import Problem


class Act(NamedTuple):
    """Who asks, when, and the id that the request is going to have."""

    caller: str
    request: str
    when: Occasion


@dataclass(frozen=True)
class Prepared:
    """A request that is in the tables and not yet in the ledger; `draft` is None if it was there before."""

    request: str
    users: int
    customers: int
    draft: Draft | None = None
    wish: Finish | None = None
    seen: Seen | None = None
    requested_by: str = ""


async def prepare_finish(conn: Connection, draft_id: str, wish: Finish, act: Act) -> Prepared:
    """End a draft; a draft that has ended gives the request that it became. Raises every problem at once (422)."""
    draft = await found(conn, draft_id, lock=True)
    if draft.request is not None:
        row = await draft_store.request(conn, draft.request)
        return Prepared(draft.request, row["users"] if row else 0, row["customers"] if row else 0)
    catalogue = await directory_store.catalogue(conn, draft.service)
    totals = await selection_store.totals(conn, draft.draft)
    if problems := all_problems(draft, catalogue, totals) + check_start(wish.start_at, act.when.time):
        raise invalid(problems)
    return await _prepare(conn, draft, wish, totals, act)


async def prepare_asked(conn: Connection, asked: MigrationAsked, act: Act) -> Prepared:
    """Take a whole request: the same checks as the steps', all of them at once. Raises every problem (422)."""
    mappings = [MappingWish(mapping.from_plan, mapping.to_plan) for mapping in asked.mappings]
    name = asked.name if asked.name is not None else _default_name(asked.service, mappings)
    problems = await _problems(conn, asked, mappings, name)
    if problems := problems + check_start(asked.start_at, act.when.time):
        raise invalid(problems)
    draft = await draft_store.insert_asked(
        conn,
        f"draft-of-{act.request}",
        act.caller,
        asked.selection,
        service=asked.service,
        mappings=mappings,
        generate_missing_packages=asked.generate_missing_packages,
        name=name,
        description=asked.description,
    )
    await selection_store.store_asked(conn, draft.draft, asked.selection)
    totals = await selection_store.totals(conn, draft.draft)
    if empty := check_counts(totals.customers_in_scope, totals.users):
        raise invalid(empty)
    return await _prepare(conn, draft, asked, totals, act)


def _default_name(service: str, mappings: list[MappingWish]) -> str:
    ways = ", ".join(f"{wish.from_plan} to {wish.to_plan}" for wish in mappings[:3])
    return f"{service}: {ways}{' and more' if len(mappings) > 3 else ''}"[:200]  # noqa: PLR2004 -- as many as fit a line


async def _problems(conn: Connection, asked: MigrationAsked, mappings: list[MappingWish], name: str) -> list[Found]:
    catalogue = await directory_store.catalogue(conn, asked.service)
    service = check_service(asked.service, known=catalogue.service_known)
    # Without the service every plan would be unknown too, which is the same mistake named again.
    of_plans = [] if service else check_mappings(asked.service, mappings, catalogue.plans)
    selection = asked.selection
    users = [*selection.users, *selection.excluded_users]
    named = {*selection.customers, *selection.excluded_customers, *(user.customer for user in users)}
    unknown_customers = await selection_store.unknown_customers(conn, list(named))
    unknown_users = await selection_store.unknown_users(conn, users) if users else {}
    return [
        *service,
        *of_plans,
        *check_selection(selection),
        *check_known(selection, unknown_customers, unknown_users),
        *check_name(name),
        *check_description(asked.description),
    ]


async def _prepare(conn: Connection, draft: Draft, wish: Finish, totals: Totals, act: Act) -> Prepared:
    requested_by = wish.requested_by or act.caller
    kept = await draft_store.insert_request(
        conn,
        act.request,
        act.caller,
        wish.reference,
        mode=wish.mode,
        draft=draft,
        users=totals.users,
        customers=totals.customers,
        requested_by=requested_by,
        at=act.when.time,
    )
    if not kept:
        raise await _reference_taken(conn, act.caller, wish.reference or "")
    await draft_store.end(conn, draft.draft, act.request)
    seen = await _seen(conn, wish, totals)
    return Prepared(act.request, totals.users, totals.customers, draft, wish, seen, requested_by)


async def _reference_taken(conn: Connection, caller: str, reference: str) -> Problem:
    row = await draft_store.request_by_reference(conn, caller, reference)
    request = row["request"] if row else ""
    detail = f"Your reference {reference} belongs to the request {request}."
    title = "The reference was used before"
    return Problem("reference-taken", title, 409, detail=detail, extra={"request": request})


async def _seen(conn: Connection, wish: Finish, totals: Totals) -> Seen:
    """Give what binds: what the caller says it saw, else what the view says in this very transaction."""
    given = wish.seen
    position = given.directory_position if given else None
    if position is None:
        position = await directory_store.position(conn, directory_store.DIRECTORY_READER, DIRECTORY.name)
    if given is None:
        return Seen(users=totals.users, customers=totals.customers, directory_position=position)
    return Seen(
        users=given.users,
        customers=totals.customers if given.customers is None else given.customers,
        directory_position=position,
        tolerance_percent=given.tolerance_percent,
    )


async def write(conn: Connection, prepared: Prepared, when: Occasion) -> None:
    """Put a prepared request into the ledger, parts of long lists first: the last thing in the transaction."""
    draft, wish = prepared.draft, prepared.wish
    if draft is None or wish is None:
        return
    whole = await selection_store.has_whole_customers(conn, draft.draft)
    selection = await request_events.selection(
        conn, draft.draft, prepared.request, whole=whole, base=draft.customers_base and draft.users_base, when=when
    )
    event = MigrationRequested(
        request=prepared.request,
        mode=wish.mode,
        name=draft.name,
        description=draft.description,
        service=draft.service or "",
        mappings=tuple(Mapping(from_plan=way.from_plan, to_plan=way.to_plan or "") for way in draft.mappings),
        selection=selection,
        generate_missing_packages=draft.generate_missing_packages,
        requested_by=prepared.requested_by,
        reference=wish.reference,
        seen=prepared.seen,
        start_at=wish.start_at,
    )
    await request_events.requested(conn, event, when)


Word = Literal["confirm", "decline"]


async def say(
    conn: Connection, word: Word, request: str, *, by: str, why: str, manifest_hash: str, mark: str, when: Occasion
) -> None:
    """Say a later word about a request; the engine answers a word that makes no sense in the topic."""
    event: MigrationConfirmed | MigrationDeclined
    match word:
        case "confirm":
            event = MigrationConfirmed(request=request, by=by, why=why, manifest_hash=manifest_hash)
        case "decline":
            event = MigrationDeclined(request=request, by=by, why=why)
        case _:
            assert_never(word)
    await request_events.command(conn, event, mark, when)
