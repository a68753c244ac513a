"""The check boxes of a draft, and what they amount to, in Postgres."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import asyncpg

from contracts.requests import UserRef
from eventlog.sqlfile import load_queries
from services.wizard.domain.asked import AskedSelection
from services.wizard.domain.draft import MappingTotals, Totals
from serving.postgres import Connection

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "selection.sql")
_PREFETCH_ROWS = 5000
CustomerProblem = Literal["package-missing", "seat-limit"]


class UserPlace(NamedTuple):
    """A customer's users on a source plan, perhaps narrowed by a search."""

    customer: str
    plan: str
    search: str | None = None


class CustomerFilter(NamedTuple):
    """What the list of matching customers is narrowed to; None leaves a filter out."""

    search: str | None = None
    selected: bool | None = None
    problem: CustomerProblem | None = None
    plan: str | None = None


async def totals(conn: Connection, draft: str) -> Totals:
    """Give what the selection amounts to, users named one by one who are on no source plan included."""
    row = await conn.fetchrow(_QUERIES["totals"], draft)
    if row is None:
        raise AssertionError(draft)
    listed_users = listed_customers = 0
    if not await has_whole_customers(conn, draft):
        listed_users, listed_customers = await conn.fetchrow(_QUERIES["listed_elsewhere"], draft) or (0, 0)
    mappings = tuple(MappingTotals(**mapping) for mapping in row["mappings"])
    return Totals(
        customers_in_scope=row["in_scope"] + listed_customers,
        customers=row["customers"] + listed_customers,
        matching_customers=row["matching_customers"],
        users=sum(mapping.users for mapping in mappings) + listed_users,
        matching_users=sum(mapping.matching_users for mapping in mappings),
        mappings=mappings,
    )


async def has_whole_customers(conn: Connection, draft: str) -> bool:
    """Say whether any customer in scope has its users in unless excepted."""
    return bool(await conn.fetchval(_QUERIES["has_whole_customers"], draft))


async def customers_page(
    conn: Connection, draft: str, wanted: CustomerFilter, after: str | None, limit: int
) -> list[asyncpg.Record]:
    """Give matching customers in order of their ids, with sources and destinations."""
    search, selected, problem, plan = wanted
    return list(await conn.fetch(_QUERIES["customers_page"], draft, after, search, selected, problem, plan, limit))


async def customers_total(conn: Connection, draft: str, wanted: CustomerFilter) -> asyncpg.Record:
    """Give how many customers (and users) the filter leaves."""
    row = await conn.fetchrow(_QUERIES["customers_total"], draft, *wanted)
    if row is None:
        raise AssertionError(draft)
    return row


async def capacity(conn: Connection, draft: str) -> list[asyncpg.Record]:
    """Give missing packages and packages without enough room, per destination."""
    return list(await conn.fetch(_QUERIES["capacity"], draft))


async def inactive_customers(conn: Connection, draft: str) -> asyncpg.Record:
    """Give how many selected customers are not active, and how many users they have selected."""
    row = await conn.fetchrow(_QUERIES["inactive_customers"], draft)
    if row is None:
        raise AssertionError(draft)
    return row


async def clear(conn: Connection, draft: str) -> None:
    """Forget every check box."""
    await clear_customers(conn, draft)
    await clear_users(conn, draft)


async def clear_customers(conn: Connection, draft: str) -> None:
    """Forget every customer's check box."""
    await conn.execute(_QUERIES["clear_customers"], draft)


async def clear_users(conn: Connection, draft: str) -> None:
    """Forget every check box of users, whole customers' included."""
    await conn.execute(_QUERIES["clear_users"], draft)


async def check_customers(conn: Connection, draft: str, customers: Sequence[str], *, selected: bool) -> None:
    """Set single customers' check boxes."""
    await conn.execute(_QUERIES["check_customers"], draft, customers, [selected] * len(customers))


async def check_matching_customers(conn: Connection, draft: str, search: str, *, selected: bool) -> None:
    """Set the check boxes of every matching customer that a search finds, on whatever page."""
    await conn.execute(_QUERIES["select_matching_customers"], draft, search, selected)


async def check_users_of(conn: Connection, draft: str, customers: Sequence[str], *, selected: bool) -> None:
    """Set all users of customers at once; their single check boxes are forgotten."""
    await conn.execute(_QUERIES["clear_users_of"], draft, customers)
    await conn.execute(_QUERIES["check_users_of"], draft, customers, [selected] * len(customers))


async def check_users(conn: Connection, draft: str, users: Sequence[UserRef], *, selected: bool) -> None:
    """Set single users' check boxes."""
    customers, ids = [user.customer for user in users], [user.user for user in users]
    await conn.execute(_QUERIES["check_users"], draft, customers, ids, [selected] * len(users))


async def store_asked(conn: Connection, draft: str, selection: AskedSelection) -> None:
    """Keep the lists of a whole request as exceptions."""
    await check_customers(conn, draft, selection.customers, selected=True)
    await check_customers(conn, draft, selection.excluded_customers, selected=False)
    await check_users(conn, draft, selection.users, selected=True)
    await check_users(conn, draft, selection.excluded_users, selected=False)


async def customer_choice(conn: Connection, draft: str, customer: str) -> tuple[bool, bool]:
    """Give whether a customer is in scope, and whether its users are in unless excepted."""
    row = await conn.fetchrow(_QUERIES["customer_choice"], draft, customer)
    if row is None:
        raise AssertionError(draft)
    return row["in_scope"], row["whole"]


async def users_page(
    conn: Connection, draft: str, place: UserPlace, after: str | None, limit: int
) -> list[asyncpg.Record]:
    """Give a customer's users on a source plan in order of their ids, with each one's own check box."""
    customer, plan, search = place
    return list(await conn.fetch(_QUERIES["users_page"], draft, customer, plan, after, search, limit))


async def users_total(conn: Connection, draft: str, place: UserPlace) -> int:
    """Give how many users the search leaves."""
    return int(await conn.fetchval(_QUERIES["users_total"], draft, *place))


async def unknown_customers(conn: Connection, customers: Sequence[str]) -> set[str]:
    """Give those customers that the view doesn't know."""
    return {row["customer"] for row in await conn.fetch(_QUERIES["unknown_customers"], customers)}


async def unknown_users(conn: Connection, users: Sequence[UserRef]) -> dict[UserRef, str | None]:
    """Give those users that their customers don't have, each with another customer that has one of that id."""
    customers, ids = [user.customer for user in users], [user.user for user in users]
    unnamed = [users[row["number"]] for row in await conn.fetch(_QUERIES["unknown_users"], customers, ids)]
    if not unnamed:
        return {}
    services = [row["service"] for row in await conn.fetch("SELECT service FROM service")]
    customers, ids = [user.customer for user in unnamed], [user.user for user in unnamed]
    assigned = {row["number"] for row in await conn.fetch(_QUERIES["assigned_users"], customers, ids, services)}
    unknown = [user for number, user in enumerate(unnamed) if number not in assigned]
    owners = await conn.fetch(_QUERIES["owners_of"], list({user.user for user in unknown})) if unknown else []
    owner_of = {row["user_id"]: row["customer"] for row in owners}
    return {user: owner_of.get(user.user) for user in unknown}


async def customers_in_event(conn: Connection, draft: str, *, selected: bool) -> AsyncIterator[str]:
    """Stream excepted customers that have anybody selected (or nobody), in order."""
    async for row in conn.cursor(_QUERIES["listed_customers"], draft, selected, prefetch=_PREFETCH_ROWS):
        yield row["customer"]


async def users_in_event(conn: Connection, draft: str, *, selected: bool) -> AsyncIterator[UserRef]:
    """Stream users selected one by one, or users to leave out where all are meant, in order."""
    query = _QUERIES["listed_users" if selected else "excluded_users"]
    async for customer, user in conn.cursor(query, draft, prefetch=_PREFETCH_ROWS):
        yield UserRef.model_construct(customer=customer, user=user)
