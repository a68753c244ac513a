"""The lists inside a draft: matching customers, their users, and the review before the end."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from starlette.requests import Request

from services.wizard import drafting
from services.wizard.domain.selection import user_selected
from services.wizard.edges import selection_store
from services.wizard.edges.access import READ, Cursor, Limit, Parts, Search
from services.wizard.edges.draft_documents import customer_row, totals
from services.wizard.edges.http_directory import add_link, age, not_found
from services.wizard.edges.selection_store import CustomerFilter, CustomerProblem, UserPlace
from serving.cursors import decode_cursor, encode_cursor


def list_routes(parts: Parts) -> APIRouter:
    """Pages of what a draft is about."""
    routes = APIRouter(tags=["drafts"], dependencies=[READ])

    @routes.get("/v1/drafts/{draft_id}/customers", summary="Step 6: matching customers, with packages and room")
    async def customers(
        *,
        request: Request,
        response: Response,
        draft_id: str,
        q: Search = None,
        selected: bool | None = None,
        problem: CustomerProblem | None = None,
        plan: Annotated[str | None, Query(max_length=128)] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        wanted = CustomerFilter(q, selected, problem, plan)
        listing = f"customers of {draft_id} {wanted!r}"
        after = decode_cursor(listing, cursor, tuple[str])[0] if cursor else None
        async with parts.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            draft = await drafting.found(conn, draft_id)
            rows = await selection_store.customers_page(conn, draft_id, wanted, after, limit)
            total = await selection_store.customers_total(conn, draft_id, wanted)
            view = await drafting.view(conn, draft)
        following = encode_cursor(listing, [rows[-1]["customer"]]) if len(rows) == limit else None
        add_link(request, response, following)
        items = [customer_row(row) for row in rows]
        return {"items": items, "filtered": dict(total), "totals": totals(view), "next": following}

    @routes.get(
        "/v1/drafts/{draft_id}/users/{plan}/{customer}",
        summary="Step 7: a customer's users on a source plan, each selected or not",
    )
    async def users(
        *,
        request: Request,
        response: Response,
        draft_id: str,
        plan: str,
        customer: str,
        q: Search = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        place = UserPlace(customer, plan, q)
        listing = f"users of {draft_id} {place!r}"
        after = decode_cursor(listing, cursor, tuple[str])[0] if cursor else None
        async with parts.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            draft = await drafting.found(conn, draft_id)
            if plan not in {wish.from_plan for wish in draft.mappings}:
                raise not_found(f"source plan {plan} in the draft")
            in_scope, whole = await selection_store.customer_choice(conn, draft_id, customer)
            rows = await selection_store.users_page(conn, draft_id, place, after, limit)
            total = await selection_store.users_total(conn, draft_id, place)
        following = encode_cursor(listing, [rows[-1]["user_id"]]) if len(rows) == limit else None
        add_link(request, response, following)
        items = [
            {
                "user": row["user_id"],
                "name": row["name"],
                "email": row["email"],
                "selected": user_selected(in_scope=in_scope, whole=whole, exception=row["exception"]),
            }
            for row in rows
        ]
        return {"items": items, "total": total, "customer_selected": in_scope, "next": following}

    @routes.get(
        "/v1/drafts/{draft_id}/review", summary="What would be asked for, what stands in its way, how old this is"
    )
    async def review(draft_id: str, response: Response) -> dict[str, Any]:
        async with parts.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            draft = await drafting.found(conn, draft_id)
            view = await drafting.view(conn, draft)
            capacity = await selection_store.capacity(conn, draft_id)
            inactive = await selection_store.inactive_customers(conn, draft_id)
            how_old = await age(parts, conn)
        response.headers["ETag"] = drafting.etag(draft)
        return {
            "draft": draft_id,
            "ready": not any(step.problems for step in view.steps),
            "problems": [problem._asdict() for step in view.steps for problem in step.problems],
            "totals": totals(view),
            "generate_missing_packages": draft.generate_missing_packages,
            "capacity": [dict(row) for row in capacity],
            "inactive_customers": dict(inactive),
            "view": how_old,
        }

    return routes
