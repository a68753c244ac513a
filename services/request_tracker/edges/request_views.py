"""Requests as documents, read from one snapshot."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from contracts.statuses import RequestStatus
from eventlog.database import Connection
from services.request_tracker.domain.rows import Counts
from services.request_tracker.domain.states import phases_of
from services.request_tracker.domain.texts import iso
from services.request_tracker.domain.view import (
    SILENT,
    EngineView,
    added,
    counts_of,
    pace_view,
    reason_text,
    reasons_view,
    status_view,
    times_view,
)
from services.request_tracker.edges.behind import AsOf, Ends, Position
from services.request_tracker.edges.queries import REQUESTS
from services.request_tracker.edges.snapshot import Snapshot, unknown_request

Json = dict[str, Any]

_COUNTS = ("planned", "migrated", "failed", "skipped", "cancelled", "excluded")
_LIST_MEMBERS = ("request", "mode", "name", "service", "mappings", "reference", "requested_by")
_TOLD = (
    "mode",
    "name",
    "description",
    "service",
    "mappings",
    "selection",
    "generate_missing_packages",
    "requested_by",
    "reference",
    "seen",
    "correlation",
)
_TOLD_BY_ENGINE = ("mode", "service", "mappings", "generate_missing_packages")


class Filters(NamedTuple):
    """What a list of requests is narrowed to; None where it isn't."""

    mode: str | None = "execute"
    statuses: tuple[RequestStatus, ...] = ()
    service: str | None = None
    plan: str | None = None
    customer: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reference: str | None = None


class Found(NamedTuple):
    """A page of requests, and the place (time, request) after which the next one goes on."""

    items: list[Json]
    last: tuple[datetime, str] | None


async def list_requests(snapshot: Snapshot, filters: Filters, after: tuple[datetime, str] | None, limit: int) -> Found:
    """Requests that match, the newest first; looks on where the status, which is derived, sorts some out."""
    items: list[Json] = []
    place = after
    while True:
        rows = await snapshot.conn.fetch(
            REQUESTS["list_requests"], *_arguments(filters), *(place or (None, None)), filters.reference, limit + 1
        )
        for row in rows:
            item = _item(row, snapshot)
            if filters.statuses and item["status"] not in filters.statuses:
                continue
            if len(items) == limit:
                return Found(items, place)
            items.append(item)
            place = (row["requested_at"], row["request"])
        if len(rows) <= limit:
            return Found(items, None)
        place = (rows[-1]["requested_at"], rows[-1]["request"])


def _arguments(filters: Filters) -> list[Any]:
    phases = finals = None
    if filters.statuses:
        phases = sorted({phase for status in filters.statuses for phase in phases_of(status)})
        finals = None if RequestStatus.FINISHING in filters.statuses else [str(status) for status in filters.statuses]
    pattern = None if filters.text is None else f"%{_literal(filters.text)}%"
    return [
        filters.mode,
        phases,
        finals,
        filters.service,
        filters.plan,
        filters.customer,
        pattern,
        filters.since,
        filters.until,
    ]


def _literal(text: str) -> str:
    """The text as it stands, in a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _item(row: Mapping[str, Any], snapshot: Snapshot) -> Json:
    engine, sums = _engine(row), Counts(*(row[name] for name in _COUNTS))
    return {
        **{name: row[name] for name in _LIST_MEMBERS},
        "requested_at": iso(row["requested_at"]),
        "start_at": _iso_or_none(row["start_at"]),
        **status_view(engine, sums, snapshot.as_of.folded),
        **times_view(engine.document),
        "counts": counts_of(sums, engine.document),
        **_problems(engine.document),
    }


def _problems(document: Mapping[str, Any]) -> Json:
    """Why the engine rejected the request: the first problems of each kind, and the number of all."""
    rejected = document.get("rejected", {})
    return {"problems": rejected.get("problems", []), "problem_count": rejected.get("problem_count", 0)}


class Shown(NamedTuple):
    """A request's document, and the position behind it."""

    document: Json
    as_of: AsOf


async def show(conn: Connection, ends: Ends, request: str, *, timeline_limit: int = 0) -> Shown:
    """All about one request, of one snapshot; raises the 404 problem."""
    row = await conn.fetchrow(REQUESTS["request"], request, timeline_limit)
    if row is None:
        raise LookupError("the statement always gives a row")
    as_of = ends.as_of([Position(*position) for position in row["positions"] or ()])
    if not row["told_of"] and not row["shards"]:
        raise unknown_request(request, as_of)
    document = _told(row) | _standing(row, row["shards"], as_of)
    document["customers"] = row["customers"]
    document |= _named(document["service"], document["mappings"], row["names"])
    if timeline_limit:
        document["timeline"] = [{**told, "at": told["at"].replace("+00:00", "Z")} for told in row["timeline"]]
    return Shown(document | {"as_of": as_of.document()}, as_of)


def _told(row: Mapping[str, Any]) -> Json:
    """What the request itself says; while it hasn't been read, what the engine repeated of it."""
    found = {"request": row["request"], **{name: row[name] for name in _TOLD}}
    for name in ("requested_at", "start_at"):
        found[name] = _iso_or_none(row[name])
    if row["service"] is None and row["document"] is not None:
        repeated = row["document"].get("planning", {})
        found |= {name: repeated.get(name) for name in _TOLD_BY_ENGINE}
    found["mappings"] = found["mappings"] or []
    return found


def _standing(row: Mapping[str, Any], shards: Sequence[Mapping[str, Any]], as_of: AsOf) -> Json:
    """Where the request stands, from the sums over its shards."""
    engine = _engine(row)
    sums = Counts(*(sum(shard[name] for shard in shards) for name in _COUNTS))
    counts = counts_of(sums, engine.document)
    standing = status_view(engine, sums, as_of.folded)
    running = engine.phase == "running" and not engine.paused
    pace = pace_view(
        [shard["pace"] for shard in shards],
        [shard["first_outcome_us"] for shard in shards],
        counts["pending"],
        as_of_s=as_of.moment_s,
    )
    return {
        **standing,
        **times_view(engine.document),
        "counts": counts,
        **(pace if running else {"rate_users_per_s": 0.0, "eta_s": None}),
        "reasons": reasons_view(added(shard["reasons"] for shard in shards)),
        "excluded_reasons": [
            {"count": n, **reason_text(reason)}
            for reason, n in sorted(added(shard["excluded_reasons"] for shard in shards).items())
        ],
        "batches": {
            "planned": sum(shard["batches"] for shard in shards),
            "finished": sum(shard["batches_finished"] for shard in shards),
        },
        **_words(engine.document, shards),
    }


def _words(document: Mapping[str, Any], shards: Sequence[Mapping[str, Any]]) -> Json:
    """The engine's words: packages, manifest, problems, what it waits for, what it refused."""
    manifest = document.get("manifest", {})
    return {
        "packages": {
            "planned": manifest.get("packages", []),
            "generated": sum(shard["packages_generated"] for shard in shards),
            "failed": sum(shard["packages_failed"] for shard in shards),
        },
        "manifest": {name: value for name, value in manifest.items() if name != "planned_last_sequence"} or None,
        **_problems(document),
        "confirmation": document.get("confirmation"),
        "declined": document.get("declined"),
        "refused": document.get("refused"),
    }


def _named(service: str | None, mappings: Sequence[Mapping[str, str]], names: Mapping[str, str]) -> Json:
    """How the service and the plans are called, where the directory has told."""
    return {
        "service_name": names.get(f"service/{service}"),
        "mappings": [
            {
                **mapping,
                "from_name": names.get(f"plan/{service}/{mapping['from_plan']}"),
                "to_name": names.get(f"plan/{service}/{mapping['to_plan']}"),
            }
            for mapping in mappings
        ],
    }


def _engine(row: Mapping[str, Any]) -> EngineView:
    if row["phase"] is None:
        return SILENT
    return EngineView(row["phase"], row["paused"], row["final_status"], row["document"])


def _iso_or_none(time: datetime | None) -> str | None:
    return None if time is None else iso(time)
