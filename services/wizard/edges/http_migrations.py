"""A whole request in one call, later words about it, and finding it again after an unknown answer."""

from datetime import datetime
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from contracts.identifiers import Identifier
from services.wizard import application
from services.wizard.application import Act, Word
from services.wizard.domain.asked import Caller as CallerName
from services.wizard.domain.asked import MigrationAsked, Mode
from services.wizard.edges import draft_store
from services.wizard.edges.access import READ, Asker, Cursor, Limit, Operator, Parts, new_request_id, now
from services.wizard.edges.http_directory import add_link, not_found
from services.wizard.edges.request_events import occasion
from services.wizard.edges.users_csv import users_of_csv
from services.wizard.settings import UPLOAD_LIMIT_BYTES
from serving.cursors import decode_cursor, encode_cursor
from serving.idempotency import Answer, Idempotent, IdempotentCall, idempotent
from serving.problems import FieldError, Problem, pointer_of


class WordBody(BaseModel):
    """Who says it (left out: the token's name) and why; confirming names the hash of the manifest agreed to."""

    model_config = ConfigDict(extra="forbid")
    by: CallerName | None = None
    why: Annotated[str, Field(max_length=2000)] = ""


class ConfirmBody(WordBody):
    """A confirmation names the hash of the manifest that it agrees to."""

    manifest_hash: Annotated[str, Field(min_length=1, max_length=200)]


def asking_routes(parts: Parts) -> APIRouter:
    """Ask for a migration in one call."""
    routes = APIRouter(tags=["migrations"])

    @routes.post(
        "/v1/migrations",
        status_code=202,
        summary="Ask for a migration: the nine steps in one call",
        max_body_size=UPLOAD_LIMIT_BYTES,
    )
    async def ask(asked: MigrationAsked, call: Idempotent, caller: Asker) -> Response:
        return await take(parts, asked, call, caller.name)

    @routes.post(
        "/v1/migrations/csv",
        status_code=202,
        summary="Ask for a migration of the users in a CSV file (customer,user); the rest is in the query",
        max_body_size=UPLOAD_LIMIT_BYTES,
        openapi_extra={"requestBody": {"content": {"text/csv": {"schema": {"type": "string"}}}, "required": True}},
    )
    async def ask_by_csv(
        *,
        request: Request,
        call: Idempotent,
        caller: Asker,
        service: Annotated[str, Query(max_length=128)],
        mappings: Annotated[list[str], Query(alias="map", max_length=100, description="SOURCE=DESTINATION")],
        name: Annotated[str | None, Query(max_length=20_000)] = None,
        description: Annotated[str, Query(max_length=20_000)] = "",
        generate_missing_packages: bool = False,
        mode: Mode = "execute",
        reference: Identifier | None = None,
        start_at: datetime | None = None,
    ) -> Response:
        users = users_of_csv(request.headers.get("content-type", ""), await request.body())
        document = {
            "service": service,
            "mappings": [_mapping_of(number, text) for number, text in enumerate(mappings)],
            "selection": {"users": users},
            "name": name,
            "description": description,
            "generate_missing_packages": generate_missing_packages,
            "mode": mode,
            "reference": reference,
            "start_at": start_at,
        }
        return await take(parts, _asked(document), call, caller.name)

    return routes


def _mapping_of(number: int, text: str) -> dict[str, str]:
    source, found, destination = text.partition("=")
    if not found:
        errors = [FieldError(f"?map/{number}", "mapping-malformed", "Write it as SOURCE=DESTINATION.")]
        raise Problem("invalid", "The request isn't valid", 422, errors=errors)
    return {"from_plan": source, "to_plan": destination}


def _asked(document: dict[str, Any]) -> MigrationAsked:
    try:
        return MigrationAsked.model_validate(document)
    except ValidationError as error:
        errors = [FieldError(pointer_of(found["loc"]), found["type"], found["msg"]) for found in error.errors()]
        raise Problem("invalid", "The request isn't valid", 422, errors=errors) from None


async def take(parts: Parts, asked: MigrationAsked, call: IdempotentCall, caller: str) -> Response:
    """Take a whole request: checks, tables, answer and events in one transaction."""
    moment = now()
    when = occasion(moment)
    async with parts.pool.acquire() as conn, conn.transaction(), idempotent(conn, call) as claim:
        if claim.replay:
            return claim.replay.response()
        prepared = await application.prepare_asked(conn, asked, Act(caller, new_request_id(moment), when))
        answer = await claim.store(accepted(parts, prepared))
        await application.write(conn, prepared, when)
    parts.wake()
    return answer.response()


def accepted(parts: Parts, prepared: application.Prepared) -> Answer:
    """Give the answer to a request that is going to be published: its id, and where to follow it."""
    follow = parts.follow(prepared.request)
    body = {
        "request": prepared.request,
        "users": prepared.users,
        "customers": prepared.customers,
        "status": "Requested",
        "follow": follow,
    }
    return Answer.json(202, body, {"Location": follow})


def found_routes(parts: Parts) -> APIRouter:
    """Find what was asked through this service."""
    routes = APIRouter(tags=["migrations"], dependencies=[READ])

    @routes.get("/v1/migrations", summary="What the caller has asked, the latest first; or by its own reference")
    async def asked(
        request: Request,
        response: Response,
        reference: Annotated[str | None, Query(max_length=128)] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        caller = request.scope["caller"].name
        async with parts.pool.acquire() as conn:
            if reference is not None:
                row = await draft_store.request_by_reference(conn, caller, reference)
                return {"items": [_shown(parts, row)] if row else [], "next": None}
            before = decode_cursor("migrations", cursor, tuple[str])[0] if cursor else None
            rows = await draft_store.requests_page(conn, caller, before, limit)
        following = encode_cursor("migrations", [rows[-1]["request"]]) if len(rows) == limit else None
        add_link(request, response, following)
        return {"items": [_shown(parts, row) for row in rows], "next": following}

    @routes.get("/v1/migrations/{request_id}", summary="What was asked under an id")
    async def one(request_id: str) -> dict[str, Any]:
        async with parts.pool.acquire() as conn:
            row = await draft_store.request(conn, request_id)
        if row is None:
            raise not_found(f"request {request_id} that was asked here")
        return _shown(parts, row)

    return routes


def _shown(parts: Parts, row: asyncpg.Record) -> dict[str, Any]:
    return {**row, "requested_at": row["requested_at"].isoformat(), "follow": parts.follow(row["request"])}


def word_routes(parts: Parts) -> APIRouter:
    """Later words about a request."""
    routes = APIRouter(tags=["migrations"])

    @routes.post("/v1/migrations/{request_id}/confirm", status_code=202, summary="Agree to what the engine found")
    async def confirm(request_id: Identifier, body: ConfirmBody, call: Idempotent, caller: Operator) -> Response:
        return await _say(parts, "confirm", request_id, (body.by or caller.name, body.why, body.manifest_hash), call)

    @routes.post("/v1/migrations/{request_id}/decline", status_code=202, summary="Don't agree; the request ends")
    async def decline(
        request_id: Identifier, call: Idempotent, caller: Operator, body: Annotated[WordBody, Body()] = WordBody()
    ) -> Response:
        return await _say(parts, "decline", request_id, (body.by or caller.name, body.why, ""), call)

    return routes


async def _say(parts: Parts, word: Word, request: str, said: tuple[str, str, str], call: IdempotentCall) -> Response:
    moment = now()
    by, why, manifest_hash = said
    async with parts.pool.acquire() as conn, conn.transaction(), idempotent(conn, call) as claim:
        if claim.replay:
            return claim.replay.response()
        follow = parts.follow(request)
        answer = await claim.store(Answer.json(202, {"request": request, "follow": follow}, {"Location": follow}))
        mark = new_request_id(moment).removeprefix("mr-")
        await application.say(
            conn, word, request, by=by, why=why, manifest_hash=manifest_hash, mark=mark, when=occasion(moment)
        )
    parts.wake()
    return answer.response()


def routes(parts: Parts) -> list[APIRouter]:
    """Give every router about migrations."""
    return [asking_routes(parts), found_routes(parts), word_routes(parts)]
