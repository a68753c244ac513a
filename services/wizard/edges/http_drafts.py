"""The nine steps over HTTP: a draft on the server, each step a resource of its own, changes only to what was seen."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from starlette.requests import Request

from services.wizard import application, drafting
from services.wizard.application import Act
from services.wizard.domain.asked import Finish
from services.wizard.domain.checks import MappingWish
from services.wizard.domain.draft import Draft
from services.wizard.edges import draft_store
from services.wizard.edges.access import (
    OPERATE,
    READ,
    Cursor,
    Limit,
    Operator,
    Parts,
    new_draft_id,
    new_request_id,
    now,
)
from services.wizard.edges.draft_documents import (
    CustomersBody,
    DetailsBody,
    MappingsBody,
    OptionsBody,
    ServiceBody,
    UsersBody,
    document,
    summary,
)
from services.wizard.edges.http_directory import add_link
from services.wizard.edges.http_draft_lists import list_routes
from services.wizard.edges.http_migrations import accepted
from services.wizard.edges.request_events import occasion
from services.wizard.edges.users_csv import users_of_csv
from services.wizard.settings import UPLOAD_LIMIT_BYTES
from serving.cursors import decode_cursor, encode_cursor
from serving.etag import IfMatch
from serving.idempotency import Answer, Idempotent, idempotent
from serving.postgres import Connection

Change = Callable[[Connection, Draft], Awaitable[Draft]]


def opening_routes(parts: Parts) -> APIRouter:
    """Begin, see, give up and finish drafts."""
    routes = APIRouter(tags=["drafts"])

    @routes.post("/v1/drafts", status_code=201, summary="Begin a draft")
    async def begin(call: Idempotent, caller: Operator) -> Response:
        async with parts.pool.acquire() as conn, conn.transaction(), idempotent(conn, call) as claim:
            if claim.replay:
                return claim.replay.response()
            draft = await draft_store.insert(conn, new_draft_id(), caller.name)
            headers = {"Location": f"/v1/drafts/{draft.draft}", "ETag": drafting.etag(draft)}
            answer = await claim.store(Answer.json(201, document(await drafting.view(conn, draft)), headers))
        return answer.response()

    @routes.get("/v1/drafts", dependencies=[READ], summary="The caller's open drafts, the latest change first")
    async def drafts(request: Request, response: Response, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
        after = decode_cursor("drafts", cursor, tuple[datetime, str]) if cursor else None
        async with parts.pool.acquire() as conn:
            found = await draft_store.page(conn, request.scope["caller"].name, after, limit)
        following = None
        if len(found) == limit:
            following = encode_cursor("drafts", [found[-1].updated_at.isoformat(), found[-1].draft])
        add_link(request, response, following)
        return {"items": [summary(draft) for draft in found], "next": following}

    @routes.get("/v1/drafts/{draft_id}", dependencies=[READ], summary="A draft: its steps and what is wrong in each")
    async def draft(draft_id: str, response: Response) -> dict[str, Any]:
        async with _snapshot(parts) as conn:
            found = await drafting.found(conn, draft_id)
            response.headers["ETag"] = drafting.etag(found)
            return document(await drafting.view(conn, found))

    @routes.delete("/v1/drafts/{draft_id}", dependencies=[OPERATE], status_code=204, summary="Give a draft up")
    async def discard(draft_id: str, caller: Operator, if_match: IfMatch = None) -> None:  # noqa: ARG001 -- its scope
        async with parts.pool.acquire() as conn, conn.transaction():
            found = await drafting.editable(conn, draft_id, if_match)
            await draft_store.discard(conn, found.draft)

    @routes.post("/v1/drafts/{draft_id}/finish", status_code=202, summary="Step 9: the draft becomes a request")
    async def finish(
        draft_id: str, call: Idempotent, caller: Operator, wish: Annotated[Finish, Body()] = Finish()
    ) -> Response:
        moment = now()
        when = occasion(moment)
        async with parts.pool.acquire() as conn, conn.transaction(), idempotent(conn, call) as claim:
            if claim.replay:
                return claim.replay.response()
            act = Act(caller.name, new_request_id(moment), when)
            prepared = await application.prepare_finish(conn, draft_id, wish, act)
            answer = await claim.store(accepted(parts, prepared))
            await application.write(conn, prepared, when)
        parts.wake()
        return answer.response()

    return routes


@asynccontextmanager
async def _snapshot(parts: Parts) -> AsyncIterator[Connection]:
    """Give a connection on which all queries see one state, so that totals and lists agree."""
    async with parts.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn


def step_routes(parts: Parts) -> APIRouter:
    """Steps 2 to 5 and 8: each is put whole."""
    routes = APIRouter(tags=["drafts"], dependencies=[OPERATE])

    @routes.put("/v1/drafts/{draft_id}/options", summary="Step 2: whom to select, missing packages or not")
    async def options(draft_id: str, body: OptionsBody, if_match: IfMatch = None) -> Response:
        return await changed(
            parts, draft_id, if_match, lambda conn, draft: drafting.put_options(conn, draft, **body.model_dump())
        )

    @routes.put("/v1/drafts/{draft_id}/service", summary="Step 3: the service")
    async def service(draft_id: str, body: ServiceBody, if_match: IfMatch = None) -> Response:
        return await changed(
            parts, draft_id, if_match, lambda conn, draft: drafting.put_service(conn, draft, body.service)
        )

    @routes.put("/v1/drafts/{draft_id}/mappings", summary="Steps 4 and 5: source plans and their destinations")
    async def mappings(draft_id: str, body: MappingsBody, if_match: IfMatch = None) -> Response:
        wishes = [MappingWish(mapping.from_plan, mapping.to_plan) for mapping in body.mappings]
        return await changed(parts, draft_id, if_match, lambda conn, draft: drafting.put_mappings(conn, draft, wishes))

    @routes.put("/v1/drafts/{draft_id}/details", summary="Step 8: name and description")
    async def details(draft_id: str, body: DetailsBody, if_match: IfMatch = None) -> Response:
        return await changed(
            parts,
            draft_id,
            if_match,
            lambda conn, draft: drafting.put_details(conn, draft, body.name, body.description),
        )

    return routes


def selection_routes(parts: Parts) -> APIRouter:
    """Steps 6 and 7: check boxes change; nobody sends a million of them."""
    routes = APIRouter(tags=["drafts"], dependencies=[OPERATE])

    @routes.patch(
        "/v1/drafts/{draft_id}/customers", summary="Step 6: check boxes of customers", max_body_size=UPLOAD_LIMIT_BYTES
    )
    async def customers(draft_id: str, body: CustomersBody, if_match: IfMatch = None) -> Response:
        return await changed(
            parts, draft_id, if_match, lambda conn, draft: drafting.change_customers(conn, draft, body.changes())
        )

    @routes.patch(
        "/v1/drafts/{draft_id}/users", summary="Step 7: check boxes of users", max_body_size=UPLOAD_LIMIT_BYTES
    )
    async def users(draft_id: str, body: UsersBody, if_match: IfMatch = None) -> Response:
        return await changed(
            parts, draft_id, if_match, lambda conn, draft: drafting.change_users(conn, draft, body.changes())
        )

    @routes.put(
        "/v1/drafts/{draft_id}/users",
        summary="Step 7: these users and no others, from a CSV file (customer,user)",
        max_body_size=UPLOAD_LIMIT_BYTES,
        openapi_extra={"requestBody": {"content": {"text/csv": {"schema": {"type": "string"}}}, "required": True}},
    )
    async def users_by_csv(request: Request, draft_id: str, if_match: IfMatch = None) -> Response:
        rows = users_of_csv(request.headers.get("content-type", ""), await request.body())
        body = UsersBody.model_validate({"everyone": "none", "select": rows})
        return await changed(
            parts, draft_id, if_match, lambda conn, draft: drafting.change_users(conn, draft, body.changes())
        )

    return routes


async def changed(parts: Parts, draft_id: str, if_match: str | None, change: Change) -> Response:
    """Change a draft that the caller has seen as it is; gives all of it, with its new ETag."""
    async with parts.pool.acquire() as conn, conn.transaction():
        draft = await drafting.editable(conn, draft_id, if_match)
        after = await change(conn, draft)
        body = document(await drafting.view(conn, after))
    return Answer.json(200, body, {"ETag": drafting.etag(after)}).response()


def routes(parts: Parts) -> list[APIRouter]:
    """Give every router about drafts."""
    return [opening_routes(parts), step_routes(parts), selection_routes(parts), list_routes(parts)]
