"""Users over HTTP: of a request (page by page, or all as a file), left out of it, and one user's history."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from contracts.statuses import Outcome
from services.request_tracker.domain.texts import clipped
from services.request_tracker.domain.users import UserOutcome
from services.request_tracker.edges.http_requests import Cursor, Limit, Text, clean, with_link
from services.request_tracker.edges.projection import Projection
from services.request_tracker.edges.queries import REQUESTS
from services.request_tracker.edges.snapshot import Snapshot, unknown_request
from services.request_tracker.edges.user_views import (
    UserFilters,
    history,
    list_excluded,
    list_users,
    stream_excluded,
    stream_users,
    user_document,
)
from serving.auth import require
from serving.cursors import decode_cursor, encode_cursor
from serving.streaming import Cell, csv_response, jsonl_response

Json = dict[str, Any]

RESULT_COLUMNS = (
    "customer",
    "user",
    "service",
    "from_plan",
    "to_plan",
    "outcome",
    "reason",
    "detail",
    "attempt",
    "at",
    "batch",
    "position",
    "shard",
    "sequence",
)
"""Columns of the CSV; the first two are what a list of users for a new request needs."""


def routes(projection: Projection) -> APIRouter:
    """Give the routes that read users."""
    router = APIRouter(prefix="/v1", tags=["users"], dependencies=[require("read")])
    _add_lists(router, projection)
    _add_results(router, projection)
    _add_history(router, projection)
    return router


def _add_lists(router: APIRouter, projection: Projection) -> None:
    @router.get("/requests/{request}/users", summary="The request's users, pending ones too")
    async def read_users(
        http_request: Request,
        response: Response,
        request: str,
        outcome: Outcome | None = None,
        reason: Text = None,
        customer: Text = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Json:
        filters = UserFilters(outcome, clean(reason), clean(customer))
        listing = f"users:{request}:{filters!r}"
        after = decode_cursor(listing, cursor, tuple[int, int]) if cursor else None
        async with projection.snapshot() as snapshot:
            await _check_known(snapshot, request)
            items, last = await list_users(snapshot, clipped(request), filters, after, limit)
        following = encode_cursor(listing, last) if last else None
        with_link(http_request, response, following)
        return snapshot.page(items, following)

    @router.get("/requests/{request}/excluded", summary="Users that the manifest leaves out, with the reason")
    async def read_excluded(
        http_request: Request,
        response: Response,
        request: str,
        reason: Text = None,
        customer: Text = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Json:
        filters = UserFilters(None, clean(reason), clean(customer))
        listing = f"excluded:{request}:{filters!r}"
        after = decode_cursor(listing, cursor, tuple[int, int, int]) if cursor else None
        async with projection.snapshot() as snapshot:
            await _check_known(snapshot, request)
            items, last = await list_excluded(snapshot, clipped(request), filters, after, limit)
        following = encode_cursor(listing, last) if last else None
        with_link(http_request, response, following)
        return snapshot.page(items, following)


def _add_results(router: APIRouter, projection: Projection) -> None:
    @router.get(
        "/requests/{request}/results",
        summary="Every user's outcome as CSV or JSON Lines, as long as it may be",
        description="Planned users, or with outcome=excluded those whom the manifest leaves out. A request that "
        "still runs changes while it is read; the headers Planshift-Behind-Events and Planshift-Status say how old "
        "the beginning is.",
        response_class=Response,
    )
    async def read_results(
        http_request: Request,
        request: str,
        outcome: Outcome | Literal["excluded"] | None = None,
        reason: Text = None,
        customer: Text = None,
        wanted: Annotated[Literal["csv", "jsonl"] | None, Query(alias="format")] = None,
    ) -> Response:
        async with projection.snapshot() as snapshot:
            await _check_known(snapshot, request)
        chosen = wanted or _accepted(http_request)
        rows = _rows(projection, clipped(request), outcome, UserFilters(None, clean(reason), clean(customer)))
        response = (
            jsonl_response((document async for document in rows), f"{request}.jsonl")
            if chosen == "jsonl"
            else csv_response(RESULT_COLUMNS, (_cells(document) async for document in rows), f"{request}.csv")
        )
        response.headers["Planshift-Behind-Events"] = str(snapshot.as_of.behind.events)
        response.headers["Planshift-Position"] = snapshot.id
        return response


async def _rows(
    projection: Projection, request: str, outcome: Outcome | str | None, filters: UserFilters
) -> AsyncIterator[Json]:
    if outcome == "excluded":
        async for document in stream_excluded(projection.snapshot, request, filters):
            yield document
        return
    wanted = None if outcome is None else Outcome(outcome)
    async for user in stream_users(projection.snapshot, request, filters._replace(outcome=wanted)):
        yield _result(user)


def _result(user: UserOutcome) -> Json:
    return user_document(user)


def _cells(document: Json) -> list[Cell]:
    event = document["event"] or {}
    place = {"shard": event.get("partition"), "sequence": event.get("sequence")}
    return [place.get(name, document.get(name)) for name in RESULT_COLUMNS]


def _accepted(request: Request) -> str:
    """The format by the Accept header: CSV unless JSON Lines is asked for."""
    accepted = request.headers.get("accept", "")
    return "jsonl" if any(kind in accepted for kind in ("ndjson", "jsonl", "json-seq", "application/json")) else "csv"


def _add_history(router: APIRouter, projection: Projection) -> None:
    @router.get("/users/{customer}/{user}", summary="What requests did with a user, the newest first")
    async def read_user(
        http_request: Request, response: Response, customer: str, user: str, cursor: Cursor = None, limit: Limit = 100
    ) -> Json:
        listing = f"history:{customer}/{user}"
        before = decode_cursor(listing, cursor, tuple[int])[0] if cursor else None
        async with projection.snapshot() as snapshot:
            items, last = await history(snapshot, clipped(customer), clipped(user), before, limit)
        following = encode_cursor(listing, (last,)) if last else None
        with_link(http_request, response, following)
        return snapshot.page(items, following)


async def _check_known(snapshot: Snapshot, request: str) -> None:
    if not await snapshot.conn.fetchval(REQUESTS["is_known"], clipped(request)):
        raise unknown_request(request, snapshot.as_of)
