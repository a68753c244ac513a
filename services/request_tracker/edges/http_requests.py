"""Requests over HTTP: list, one, by reference, its customers and packages, live."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from contracts.statuses import Outcome, RequestStatus
from services.request_tracker.domain.texts import clipped, iso
from services.request_tracker.edges.projection import Projection
from services.request_tracker.edges.queries import REQUESTS
from services.request_tracker.edges.request_views import Filters, list_requests
from services.request_tracker.edges.snapshot import Snapshot
from serving.auth import require
from serving.cursors import decode_cursor, encode_cursor, link_header
from serving.sse import Snapshot as LiveState
from serving.sse import SnapshotHub

Json = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=500)]
Text = Annotated[str | None, Query(max_length=200)]
Cursor = Annotated[str | None, Query(max_length=2_000)]

_TIMELINE_LIMIT = 200
_COUNTS = ("planned", "migrated", "failed", "skipped", "cancelled")


def with_link(request: Request, response: Response, following: str | None) -> None:
    """Say in the Link header where the next page is."""
    link = link_header(request.url, next_cursor=following)
    if link is not None:
        response.headers["Link"] = link


def routes(projection: Projection, *, live_tick_s: float) -> APIRouter:
    """Give the routes that read requests."""
    router = APIRouter(prefix="/v1", tags=["requests"], dependencies=[require("read")])
    _add_lists(router, projection)
    _add_one(router, projection, live_tick_s)
    _add_parts(router, projection)
    return router


def _add_lists(router: APIRouter, projection: Projection) -> None:
    @router.get("/requests", summary="Requests, the newest first; previews only with mode=preview or mode=all")
    async def read_requests(
        request: Request,
        response: Response,
        status: Annotated[list[RequestStatus] | None, Query()] = None,
        service: Text = None,
        plan: Text = None,
        customer: Text = None,
        text: Text = None,
        since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        mode: Literal["execute", "preview", "all"] = "execute",
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Json:
        filters = Filters(
            None if mode == "all" else mode,
            tuple(status or ()),
            service=clean(service),
            plan=clean(plan),
            customer=clean(customer),
            text=clean(text),
            since=since,
            until=until,
        )
        async with projection.snapshot() as snapshot:
            page = await _page(snapshot, filters, cursor, limit)
        with_link(request, response, page["next"])
        return page

    @router.get("/by-reference/{reference}", summary="Requests with the caller's own reference, the newest first")
    async def read_by_reference(reference: str, limit: Limit = 50) -> Json:
        async with projection.snapshot() as snapshot:
            return await _page(snapshot, Filters(mode=None, reference=clipped(reference)), None, limit)

    @router.get("/rejected", summary="Requests that the engine could not do, with every problem")
    async def read_rejected(request: Request, response: Response, cursor: Cursor = None, limit: Limit = 50) -> Json:
        async with projection.snapshot() as snapshot:
            page = await _page(snapshot, Filters(mode=None, statuses=(RequestStatus.REJECTED,)), cursor, limit)
        with_link(request, response, page["next"])
        return page


async def _page(snapshot: Snapshot, filters: Filters, cursor: str | None, limit: int) -> Json:
    listing = f"requests:{filters!r}"
    after = decode_cursor(listing, cursor, tuple[datetime, str]) if cursor else None
    items, last = await list_requests(snapshot, filters, after, limit)
    following = encode_cursor(listing, (last[0].isoformat(), last[1])) if last else None
    return snapshot.page(items, following)


def _add_one(router: APIRouter, projection: Projection, live_tick_s: float) -> None:
    async def load(request: str) -> LiveState:
        position, document = await projection.show(request)
        data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return LiveState(position, "request", data, final=document["ended"])

    hub = SnapshotHub(load, tick_s=live_tick_s)

    @router.get("/requests/{request}", summary="All about one request; counts always add up")
    async def read_request(request: str) -> Json:
        _, document = await projection.show(clipped(request), timeline_limit=_TIMELINE_LIMIT)
        return document

    @router.get("/requests/{request}/live", summary="The request's states as Server-Sent Events, until it ends")
    async def watch_request(http_request: Request, request: str) -> Response:
        return await hub.respond(http_request, clipped(request))


def _add_parts(router: APIRouter, projection: Projection) -> None:
    @router.get("/requests/{request}/customers", summary="Counts by customer, in the order of their ids")
    async def read_customers(
        http_request: Request,
        response: Response,
        request: str,
        outcome: Outcome | Literal["excluded"] | None = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Json:
        listing = f"customers:{request}:{outcome}"
        after = decode_cursor(listing, cursor, tuple[str])[0] if cursor else None
        async with projection.snapshot() as snapshot:
            wanted = None if outcome is None else str(outcome)
            rows = await snapshot.conn.fetch(REQUESTS["customers"], clipped(request), after, wanted, limit + 1)
        last = rows[limit - 1]["customer"] if len(rows) > limit else None
        following = encode_cursor(listing, (last,)) if last else None
        with_link(http_request, response, following)
        return snapshot.page([_customer(row) for row in rows[:limit]], following)

    @router.get("/requests/{request}/packages", summary="Packages that were generated, or could not be")
    async def read_packages(
        http_request: Request, response: Response, request: str, cursor: Cursor = None, limit: Limit = 100
    ) -> Json:
        listing = f"packages:{request}"
        shard, sequence = decode_cursor(listing, cursor, tuple[int, int]) if cursor else (None, None)
        async with projection.snapshot() as snapshot:
            rows = await snapshot.conn.fetch(REQUESTS["packages"], clipped(request), shard, sequence, limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        following = encode_cursor(listing, (rows[-1]["shard"], rows[-1]["sequence"])) if more else None
        with_link(http_request, response, following)
        return snapshot.page([{**dict(row), "at": iso(row["at"])} for row in rows], following)


def clean(text: str | None) -> str | None:
    """A text of the caller without what Postgres can't take."""
    return None if text is None else clipped(text)


def _customer(row: Mapping[str, Any]) -> Json:
    counts = {name: row[name] for name in _COUNTS}
    pending = 2 * counts["planned"] - sum(counts.values())
    return {
        "customer": row["customer"],
        "name": row["name"],
        "counts": {**counts, "pending": pending, "excluded": row["excluded"]},
    }
