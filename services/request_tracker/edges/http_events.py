"""Events over HTTP: those of a request, and any one by its place, read from Kafka as they are."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response

from contracts.topics import PROVISIONING
from services.request_tracker.domain.texts import clipped
from services.request_tracker.edges.event_views import EventPlace, find, place_of
from services.request_tracker.edges.http_requests import Cursor, Limit, with_link
from services.request_tracker.edges.kafka_places import KafkaPlaces
from services.request_tracker.edges.projection import Projection
from serving.auth import require
from serving.cursors import decode_cursor, encode_cursor
from serving.problems import Problem

Json = dict[str, Any]

Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
Long = Annotated[int, Path(ge=0, le=2**63 - 1)]


def routes(projection: Projection, places: KafkaPlaces) -> APIRouter:
    """Give the routes that read events."""
    router = APIRouter(prefix="/v1", tags=["events"], dependencies=[require("read")])

    @router.get("/requests/{request}/events", summary="The request's events, read from Kafka")
    async def read_events(
        http_request: Request,
        response: Response,
        request: str,
        order: Literal["newest", "oldest"] = "oldest",
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Json:
        listing = f"events:{request}:{order}"
        after = decode_cursor(listing, cursor, EventPlace) if cursor else None
        newest_first = order == "newest"
        async with projection.snapshot() as snapshot:
            found = await find(snapshot, clipped(request), after, limit, newest_first=newest_first)
        items: list[Json] = []
        for stretch in found.stretches:
            read = await places.read([stretch])
            items += reversed(read) if newest_first else read
        following = _encoded(listing, found.following)
        with_link(http_request, response, following)
        return snapshot.page(items, following)

    @router.get("/events/{topic}/{partition}/{offset}", summary="One event by topic, partition and offset")
    async def read_event(topic: str, partition: Number, offset: Long) -> Json:
        return await places.read_one(topic, partition, offset)

    @router.get("/shards/{shard}/{sequence}", summary="One event of the engine by shard and sequence")
    async def read_by_sequence(shard: Number, sequence: Long) -> Json:
        async with projection.snapshot() as snapshot:
            offset = await place_of(snapshot, shard, sequence) if shard < PROVISIONING.partitions else None
        if offset is None:
            detail = f"Sequence {sequence} of shard {shard} hasn't been folded."
            raise Problem("unknown-event", "No event is there", 404, detail=detail)
        return await places.read_one(PROVISIONING.name, shard, offset)

    return router


def _encoded(listing: str, place: EventPlace | None) -> str | None:
    if place is None:
        return None
    return encode_cursor(listing, (place.first_at.isoformat(), *place[1:]))
