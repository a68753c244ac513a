"""The engine over HTTP: its shards, the quarantine, its directory, and republishing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from contracts.identifiers import IDENTIFIER_PATTERN
from contracts.topics import DIRECTORY, PROVISIONING, SHARDS
from eventlog import quarantine
from eventlog.alarms import Alarms
from eventlog.connections import AWAY_ERRORS, KafkaSettings
from eventlog.database import Pool
from eventlog.quarantine import QuarantinedRecord
from eventlog.reader import Reader
from eventlog.relay import republish
from eventlog.sqlfile import load_queries
from services.provisioning_engine.edges.lag import ReaderLag
from services.provisioning_engine.edges.worker import Worker
from serving.auth import require
from serving.cursors import decode_cursor, encode_cursor, link_header
from serving.problems import Problem, unavailable
from serving.tokens import Caller

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "http.sql")
_PAGE = 1000
_BIGINT = 2**63 - 1
_Topic = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
_Partition = Annotated[int, PathParameter(ge=0, lt=2**31)]
_Offset = Annotated[int, PathParameter(ge=0, le=_BIGINT)]


class Parts:
    """What the routes answer from."""

    def __init__(
        self, pool: Pool, kafka: KafkaSettings, worker: Worker, readers: list[Reader], lag: ReaderLag, alarms: Alarms
    ) -> None:
        self.pool = pool
        self.kafka = kafka
        self.worker = worker
        self.readers = readers
        self.lag = lag
        self.alarms = alarms


class Republish(BaseModel):
    """Which events to send again: of one shard, from a sequence on (to one, inclusive; none: the last published)."""

    shard: Annotated[int, Field(ge=0, lt=SHARDS)]
    from_sequence: Annotated[int, Field(ge=1, le=_BIGINT)]
    to_sequence: Annotated[int, Field(ge=1, le=_BIGINT)] | None = None


def routes(parts: Parts) -> APIRouter:
    """Give all routes under /v1."""
    router = APIRouter(prefix="/v1")
    for add in (_state_routes, _quarantine_routes, _directory_routes, _event_routes):
        add(router, parts)
    return router


def _state_routes(router: APIRouter, parts: Parts) -> None:
    @router.get("/state", dependencies=[require("read")], summary="Shards of this process, readers, alarms")
    async def state() -> dict[str, Any]:
        return {
            "shards": [
                {
                    "shard": shard.lease.shard,
                    "epoch": shard.lease.epoch,
                    "works": shard.works,
                    "unsent": shard.relay.unsent,
                    "published_to": shard.relay.published_to,
                }
                for shard in parts.worker.shards
            ],
            "readers": [place._asdict() for reader in parts.readers for place in reader.places],
            "paced_by": parts.lag.as_dict(),
            "alarms": parts.alarms.as_dicts(),
        }


def _quarantine_routes(router: APIRouter, parts: Parts) -> None:
    @router.get("/quarantine", dependencies=[require("read")], summary="Records that could not be read, newest first")
    async def page(
        *,
        request: Request,
        response: Response,
        reason: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,64}$")] = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = 100,
    ) -> dict[str, Any]:
        listing = f"quarantine/{reason}"
        before = min(_BIGINT, decode_cursor(listing, cursor, tuple[int])[0]) if cursor else None
        async with parts.pool.acquire() as conn:
            rows = await conn.fetch(_QUERIES["quarantine_page"], reason, before, limit + 1)
        shown = rows[:limit]
        following = encode_cursor(listing, [shown[-1]["id"]]) if len(rows) > limit else None
        link = link_header(request.url, next_cursor=following)
        if link is not None:
            response.headers["Link"] = link
        items = [{**dict(row), "record": _name(row)} for row in shown]
        return {"items": items, "next_cursor": following}

    @router.get("/quarantine/{topic}/{partition}/{offset}", dependencies=[require("read")], summary="One record, whole")
    async def one(topic: _Topic, partition: _Partition, offset: _Offset) -> dict[str, Any]:
        return _whole(await _find(parts, topic, partition, offset))

    @router.post("/quarantine/{topic}/{partition}/{offset}/replay", summary="Send a record again to where it came from")
    async def replay(
        topic: _Topic, partition: _Partition, offset: _Offset, caller: Annotated[Caller, require("operate")]
    ) -> dict[str, Any]:
        record = await _find(parts, topic, partition, offset)
        replayed = await _answered(lambda: quarantine.replay(parts.pool, parts.kafka, record.id, by=caller.name))
        return _whole(replayed or record)


async def _find(parts: Parts, topic: str, partition: int, offset: int) -> QuarantinedRecord:
    async with parts.pool.acquire() as conn:
        record_id = await conn.fetchval(_QUERIES["quarantine_id"], topic, partition, offset)
        record = await quarantine.get(conn, record_id) if record_id is not None else None
    if record is None:
        raise Problem("not-found", "No such record is in quarantine", 404)
    return record


def _name(row: Any) -> str:  # noqa: ANN401 - a row of the page
    return f"{row['topic']}/{row['partition']}/{row['offset']}"


def _whole(record: QuarantinedRecord) -> dict[str, Any]:
    fields = record._asdict()
    for name in ("key", "value"):
        fields[name] = None if fields[name] is None else base64.b64encode(fields[name]).decode()
        fields[f"{name}_text"] = _text(getattr(record, name))
    fields["headers"] = [[name, value.decode("utf-8", "replace")] for name, value in record.headers]
    return fields


def _text(value: bytes | None) -> str | None:
    """Give the bytes as text where they are, up to 10,000 characters."""
    try:
        return None if value is None else value[:10_000].decode("utf-8")
    except UnicodeDecodeError:
        return None


def _directory_routes(router: APIRouter, parts: Parts) -> None:
    @router.get("/directory/positions", dependencies=[require("read")], summary="How far the directory was read")
    async def positions() -> dict[str, Any]:
        async with parts.pool.acquire() as conn:
            rows = await conn.fetch(_QUERIES["positions"], DIRECTORY.name)
        return {"positions": {str(row["partition"]): row["next_offset"] for row in rows}}

    @router.get("/directory/customers/{customer}", dependencies=[require("read")], summary="A customer's merged state")
    async def customer_state(
        customer: Annotated[str, PathParameter(pattern=IDENTIFIER_PATTERN)],
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
    ) -> dict[str, Any]:
        listing = f"directory/{customer}"
        after = decode_cursor(listing, cursor, tuple[str, str]) if cursor else ("", "")
        async with parts.pool.acquire() as conn:
            row = await conn.fetchrow(_QUERIES["customer"], customer)
            if row is None:
                raise Problem("not-found", "The engine knows no such customer", 404)
            packages = await conn.fetch(_QUERIES["packages"], customer)
            users = await conn.fetch(_QUERIES["assignments"], customer, *after, limit + 1)
        shown = users[:limit]
        following = encode_cursor(listing, [shown[-1]["user"], shown[-1]["service"]]) if len(users) > limit else None
        return {
            **dict(row),
            "packages": [dict(one) for one in packages],
            "assignments": [dict(one) for one in shown],
            "next_cursor": following,
        }


def _event_routes(router: APIRouter, parts: Parts) -> None:
    @router.post(
        "/events/republish", dependencies=[require("operate")], summary="Send events again; readers drop doubles"
    )
    async def send_again(wanted: Republish) -> dict[str, Any]:
        sent = await _answered(
            lambda: republish(
                parts.pool,
                parts.kafka,
                PROVISIONING.name,
                wanted.shard,
                from_sequence=wanted.from_sequence,
                to_sequence=wanted.to_sequence,
            )
        )
        return {"shard": wanted.shard, "from_sequence": wanted.from_sequence, "sent": sent}


async def _answered(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the call gives
    try:
        return await call()
    except AWAY_ERRORS as error:
        raise unavailable("Kafka or Postgres can't be reached.") from error
