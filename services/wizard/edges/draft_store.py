"""Drafts and requests in Postgres."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from eventlog.sqlfile import load_queries
from services.wizard.domain.asked import AskedSelection
from services.wizard.domain.checks import MappingWish
from services.wizard.domain.draft import Draft
from serving.postgres import Connection

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "drafts.sql")


def _draft(row: asyncpg.Record) -> Draft:
    values = dict(row)
    sources, destinations = values.pop("from_plans"), values.pop("to_plans")
    wishes = tuple(MappingWish(*pair) for pair in zip(sources, destinations, strict=True))
    return Draft(**values, mappings=wishes)


async def insert(conn: Connection, draft: str, caller: str) -> Draft:
    """Begin a draft."""
    return _draft(await _one(conn, "insert_draft", draft, caller))


async def insert_asked(
    conn: Connection,
    draft: str,
    caller: str,
    selection: AskedSelection,
    *,
    service: str,
    mappings: Sequence[MappingWish],
    generate_missing_packages: bool,
    name: str,
    description: str,
) -> Draft:
    """Begin a draft with everything chosen but the exceptions; without named customers any may be in scope."""
    row = await _one(
        conn,
        "insert_asked",
        draft,
        caller,
        selection.all_customers,
        selection.all_users,
        generate_missing_packages,
        service,
        [wish.from_plan for wish in mappings],
        [wish.to_plan for wish in mappings],
        selection.all_customers or not selection.customers,
        name,
        description,
    )
    return _draft(row)


async def _one(conn: Connection, query: str, *arguments: Any) -> asyncpg.Record:  # noqa: ANN401 -- what SQL takes
    row = await conn.fetchrow(_QUERIES[query], *arguments)
    if row is None:
        raise AssertionError(query)
    return row


async def read(conn: Connection, draft: str, *, lock: bool = False) -> Draft | None:
    """Give a draft, or None; with `lock`, nobody else changes it until the transaction ends."""
    row = await conn.fetchrow(_QUERIES["lock_draft" if lock else "draft"], draft)
    return _draft(row) if row else None


async def page(conn: Connection, caller: str, after: tuple[datetime, str] | None, limit: int) -> list[Draft]:
    """Give a caller's open drafts, the latest change first."""
    moment, draft = after or (None, None)
    return [_draft(row) for row in await conn.fetch(_QUERIES["drafts_page"], caller, moment, draft, limit)]


async def touch(conn: Connection, draft: str) -> Draft:
    """Make another version after exceptions were changed."""
    return _draft(await _one(conn, "touch", draft))


async def set_options(
    conn: Connection, draft: str, *, all_customers: bool, all_users: bool, generate_missing_packages: bool
) -> Draft:
    """Keep step 2."""
    return _draft(await _one(conn, "set_options", draft, all_customers, all_users, generate_missing_packages))


async def set_service(conn: Connection, draft: str, service: str) -> Draft:
    """Keep step 3."""
    return _draft(await _one(conn, "set_service", draft, service))


async def set_mappings(conn: Connection, draft: str, mappings: Sequence[MappingWish]) -> Draft:
    """Keep steps 4 and 5."""
    sources = [wish.from_plan for wish in mappings]
    return _draft(await _one(conn, "set_mappings", draft, sources, [wish.to_plan for wish in mappings]))


async def set_details(conn: Connection, draft: str, name: str, description: str) -> Draft:
    """Keep step 8."""
    return _draft(await _one(conn, "set_details", draft, name, description))


async def set_customers_base(conn: Connection, draft: str, *, selected: bool) -> None:
    """Keep whether customers without an exception are in."""
    await conn.execute(_QUERIES["set_customers_base"], draft, selected)


async def set_users_base(conn: Connection, draft: str, *, selected: bool) -> None:
    """Keep whether users without an exception are in."""
    await conn.execute(_QUERIES["set_users_base"], draft, selected)


async def end(conn: Connection, draft: str, request: str) -> None:
    """Let the draft become a request; its exceptions stay until the request's lists are written."""
    await _one(conn, "end_draft", draft, request)


async def forget_ended(conn: Connection) -> None:
    """Forget the exceptions of drafts that have ended, and drafts that nobody has touched for long."""
    await conn.execute(_QUERIES["forget_exceptions"])
    await conn.execute(_QUERIES["forget_old"])


async def discard(conn: Connection, draft: str) -> None:
    """Give the draft up."""
    await conn.execute(_QUERIES["discard_draft"], draft)


async def insert_request(
    conn: Connection,
    request: str,
    caller: str,
    reference: str | None,
    *,
    mode: str,
    draft: Draft,
    users: int,
    customers: int,
    requested_by: str,
    at: datetime,
) -> bool:
    """Keep what was asked; False if the caller has used the reference before."""
    return bool(
        await conn.fetchval(
            _QUERIES["insert_request"],
            request,
            caller,
            reference,
            mode,
            draft.name,
            draft.service,
            users,
            customers,
            requested_by,
            at,
        )
    )


async def request(conn: Connection, request_id: str) -> asyncpg.Record | None:
    """Give what was asked under an id."""
    return await conn.fetchrow(_QUERIES["request"], request_id)


async def request_by_reference(conn: Connection, caller: str, reference: str) -> asyncpg.Record | None:
    """Give what a caller asked under its own reference."""
    return await conn.fetchrow(_QUERIES["request_by_reference"], caller, reference)


async def requests_page(conn: Connection, caller: str, before: str | None, limit: int) -> list[asyncpg.Record]:
    """Give what a caller asked, the latest first."""
    return list(await conn.fetch(_QUERIES["requests_page"], caller, before, limit))
