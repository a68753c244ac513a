"""The view of the directory, as it is read."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import asyncpg

from eventlog.sqlfile import load_queries
from services.wizard.domain.draft import Catalogue
from serving.postgres import Connection, Pool

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "directory.sql")
_EXPORT_ROWS = 5000
_EXPORT = ("resellers", "customers", "services", "plans", "packages", "users", "assignments")

DIRECTORY_READER = "wizard-directory"
PROVISIONING_READER = "wizard-provisioning"


class CustomerQuery(NamedTuple):
    """What a list of customers is narrowed to; None leaves a filter out."""

    search: str | None = None
    reseller: str | None = None
    active: bool | None = None
    service: str | None = None
    plan: str | None = None


class UserQuery(NamedTuple):
    """What a list of users is narrowed to; None leaves a filter out."""

    search: str | None = None
    service: str | None = None
    plan: str | None = None


async def services(conn: Connection) -> list[asyncpg.Record]:
    """Give every service with its totals."""
    return list(await conn.fetch(_QUERIES["services"]))


async def service_known(conn: Connection, service: str) -> bool:
    """Say whether there is such a service."""
    return bool(await conn.fetchval(_QUERIES["service_known"], service))


async def plans(conn: Connection, service: str) -> list[asyncpg.Record]:
    """Give a service's plans with their totals."""
    return list(await conn.fetch(_QUERIES["plans"], service))


async def catalogue(conn: Connection, service: str | None) -> Catalogue:
    """Give what checks need to know of a service."""
    if service is None:
        return Catalogue(service_known=False, plans={})
    rows = await conn.fetch(_QUERIES["plan_states"], service)
    known = bool(rows) or await service_known(conn, service)
    return Catalogue(service_known=known, plans={row["plan"]: row["active"] for row in rows})


async def customers_page(
    conn: Connection, wanted: CustomerQuery, after: str | None, limit: int
) -> list[asyncpg.Record]:
    """Give customers in order of their ids."""
    return list(await conn.fetch(_QUERIES["customers_page"], after, *wanted, limit))


async def customers_total(conn: Connection, wanted: CustomerQuery) -> int:
    """Give how many customers the filters leave."""
    return int(await conn.fetchval(_QUERIES["customers_total"], *wanted))


async def customer(conn: Connection, customer_id: str) -> asyncpg.Record | None:
    """Give one customer, or None if there is none or it was removed."""
    return await conn.fetchrow(_QUERIES["customer"], customer_id)


async def packages_of(conn: Connection, customer_id: str) -> list[asyncpg.Record]:
    """Give a customer's packages with limits and use."""
    return list(await conn.fetch(_QUERIES["packages_of"], customer_id))


async def users_page(
    conn: Connection, customer_id: str, wanted: UserQuery, after: str | None, limit: int
) -> list[asyncpg.Record]:
    """Give a customer's users in order of their ids, each with its plans by service."""
    return list(await conn.fetch(_QUERIES["users_page"], customer_id, after, *wanted, limit))


async def position(conn: Connection, reader: str, topic: str) -> dict[str, int]:
    """Give the next offset of each partition that the view has folded (keys are decimal texts)."""
    rows = await conn.fetch(_QUERIES["position"], reader, topic)
    return {str(row["partition"]): row["next_offset"] for row in rows}


async def totals(conn: Connection) -> dict[str, int]:
    """Give how much the view holds, by kind."""
    row = await conn.fetchrow(_QUERIES["totals"])
    return dict(row) if row else {}


async def export(pool: Pool) -> AsyncIterator[bytes]:
    """Stream the merged state, a JSON document per entity, in constant memory.

    In pages and not in one transaction: a client that reads slowly must not hold back Postgres' clean-up.
    """
    for kind in _EXPORT:
        place: list[str] | None = None
        while True:
            async with pool.acquire() as conn:
                rows = await conn.fetch(_QUERIES[f"export_{kind}"], place, _EXPORT_ROWS)
            for row in rows:
                yield row["line"].encode()
            if len(rows) < _EXPORT_ROWS:
                break
            place = rows[-1]["place"]
