"""The view of the directory over HTTP: services, plans, customers, users, and the merged state as a file."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from starlette.requests import Request
from starlette.responses import StreamingResponse

from contracts.topics import DIRECTORY, PROVISIONING
from services.wizard.edges import directory_store
from services.wizard.edges.access import READ, Cursor, Limit, Parts, Search
from services.wizard.edges.directory_store import CustomerQuery, UserQuery
from serving.cursors import decode_cursor, encode_cursor, link_header
from serving.postgres import Connection
from serving.problems import Problem
from serving.streaming import jsonl_response

Name = Annotated[str | None, Query(max_length=128)]


def not_found(what: str) -> Problem:
    """Give the 404 problem about something by its id."""
    return Problem("not-found", "Nothing is here", 404, detail=f"There is no {what}.")


def add_link(request: Request, response: Response, next_cursor: str | None) -> None:
    """Lead to the next page, if there is one."""
    if header := link_header(request.url, next_cursor=next_cursor):
        response.headers["Link"] = header


def catalogue_routes(parts: Parts) -> APIRouter:
    """Services, plans, the view's age, and the export."""
    routes = APIRouter(dependencies=[READ], tags=["directory"])

    @routes.get("/v1/services", summary="Services with their totals")
    async def services() -> dict[str, Any]:
        async with parts.pool.acquire() as conn:
            return {"items": [dict(row) for row in await directory_store.services(conn)]}

    @routes.get("/v1/services/{service}/plans", summary="Plans of a service: users, customers and packages of each")
    async def plans(service: str) -> dict[str, Any]:
        async with parts.pool.acquire() as conn:
            if not await directory_store.service_known(conn, service):
                raise not_found(f"service {service}")
            return {"items": [dict(row) for row in await directory_store.plans(conn, service)]}

    @routes.get("/v1/directory/positions", summary="How far the view is, and how old")
    async def positions() -> dict[str, Any]:
        async with parts.pool.acquire() as conn:
            return await age(parts, conn) | {"totals": await directory_store.totals(conn)}

    @routes.get("/v1/directory/export", summary="The merged state, a JSON document a line")
    async def export() -> StreamingResponse:
        return jsonl_response(directory_store.export(parts.pool), "directory.jsonl")

    return routes


async def age(parts: Parts, conn: Connection) -> dict[str, Any]:
    """Give how far the view is in both topics, and how far behind them."""
    directory = await directory_store.position(conn, directory_store.DIRECTORY_READER, DIRECTORY.name)
    engine = await directory_store.position(conn, directory_store.PROVISIONING_READER, PROVISIONING.name)
    return {
        "positions": directory,
        "provisioning_positions": engine,
        "records_behind": parts.lag(),
        "seconds_behind": round(parts.seconds_behind(), 3),
    }


def customer_routes(parts: Parts) -> APIRouter:
    """Customers and their users."""
    routes = APIRouter(dependencies=[READ], tags=["directory"])

    @routes.get("/v1/customers", summary="Customers in order of their ids")
    async def customers(
        *,
        request: Request,
        response: Response,
        q: Search = None,
        reseller: Name = None,
        active: bool | None = None,
        service: Name = None,
        plan: Name = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        wanted = CustomerQuery(q, reseller, active, service, plan)
        listing = f"customers {wanted!r}"
        after = decode_cursor(listing, cursor, tuple[str])[0] if cursor else None
        async with parts.pool.acquire() as conn:
            rows = await directory_store.customers_page(conn, wanted, after, limit)
            total = await directory_store.customers_total(conn, wanted)
        following = encode_cursor(listing, [rows[-1]["customer"]]) if len(rows) == limit else None
        add_link(request, response, following)
        return {"items": [dict(row) for row in rows], "total": total, "next": following}

    @routes.get("/v1/customers/{customer}", summary="A customer with its packages: limits and seats in use")
    async def customer(customer: str) -> dict[str, Any]:
        async with parts.pool.acquire() as conn:
            row = await directory_store.customer(conn, customer)
            if row is None:
                raise not_found(f"customer {customer}")
            packages = await directory_store.packages_of(conn, customer)
        return {**row, "packages": [dict(package) for package in packages]}

    @routes.get("/v1/customers/{customer}/users", summary="A customer's users with their plans, in order of their ids")
    async def users(
        *,
        request: Request,
        response: Response,
        customer: str,
        q: Search = None,
        service: Name = None,
        plan: Name = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        wanted = UserQuery(q, service, plan)
        listing = f"users of {customer} {wanted!r}"
        after = decode_cursor(listing, cursor, tuple[str])[0] if cursor else None
        async with parts.pool.acquire() as conn:
            if await directory_store.customer(conn, customer) is None:
                raise not_found(f"customer {customer}")
            rows = await directory_store.users_page(conn, customer, wanted, after, limit)
        following = encode_cursor(listing, [rows[-1]["user_id"]]) if len(rows) == limit else None
        add_link(request, response, following)
        items = [{"user": r["user_id"], "name": r["name"], "email": r["email"], "plans": r["plans"]} for r in rows]
        return {"items": items, "next": following}

    return routes
