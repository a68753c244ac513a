"""Operations over HTTP: how far behind the tracker is and what it skipped, and the rebuild of its projection."""

from typing import Any

from fastapi import APIRouter, Response

from services.request_tracker.edges.behind import Ends
from services.request_tracker.edges.projection import Projection
from services.request_tracker.edges.queries import REQUESTS
from services.request_tracker.edges.rebuild_process import RebuildProcess
from serving.auth import require

Json = dict[str, Any]


def routes(projection: Projection, ends: Ends, rebuilds: RebuildProcess) -> APIRouter:
    """Give the routes of operators."""
    router = APIRouter(prefix="/v1", tags=["operations"])

    @router.get("/lag", dependencies=[require("read")], summary="Positions, lag, alarms, and what was skipped")
    async def read_lag() -> Json:
        async with projection.snapshot() as snapshot:
            skipped = await snapshot.conn.fetch(REQUESTS["skipped_records"])
        latest = ends.latest or {}
        return {
            "generation": snapshot.generation,
            "ready": all(reader.ready for reader in projection.readers),
            "partitions": [
                {
                    **position._asdict(),
                    "end_offset": latest.get((position.topic, position.partition)),
                    "behind_events": _behind(latest.get((position.topic, position.partition)), position.next_offset),
                }
                for position in snapshot.as_of.positions
            ],
            "alarms": projection.alarms.as_dicts(),
            "skipped": [dict(row) for row in skipped],
            "as_of": snapshot.as_of.document(),
        }

    @router.post(
        "/rebuild",
        dependencies=[require("operate")],
        status_code=202,
        summary="Fold all topics from the beginning into a new projection; one that runs already is told of",
    )
    async def begin_rebuild(response: Response) -> Json:
        response.headers["Location"] = "/v1/rebuild"
        return await rebuilds.begin()

    @router.get("/rebuild", dependencies=[require("read")], summary="How far the last rebuild is")
    async def read_rebuild() -> Json:
        return await rebuilds.state()

    return router


def _behind(end: int | None, next_offset: int) -> int | None:
    return None if end is None else max(0, end - next_offset)
