"""The facts that a request is judged by, read in the transaction that judges it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import asyncpg

from contracts.requests import MigrationRequested
from contracts.topics import DIRECTORY
from eventlog.database import Connection
from eventlog.sqlfile import load_queries
from services.provisioning_engine.domain.validation import PROBLEMS_OF_A_KIND, Facts, Listed, Sample
from services.provisioning_engine.edges import directory_fold

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "validation.sql")


async def facts_about(conn: Connection, request: MigrationRequested, said_at: str, now: datetime) -> Facts:
    """Read what the engine knows of a request's service, plans and lists."""
    service = await conn.fetchrow(_QUERIES["catalogue"], request.service)
    named = sorted({plan for mapping in request.mappings for plan in (mapping.from_plan, mapping.to_plan)})
    plans = await conn.fetch(_QUERIES["plans"], request.service, named)
    listed = (await conn.fetch(_QUERIES["listed"], request.request, request.selection.parts))[0]
    return Facts(
        now=now,
        said_at=_moment(said_at),
        connector=service["connector"] if service else None,
        plans={row["plan"]: row["active"] for row in plans},
        customers_listed=listed["customers"],
        users_listed=listed["users"],
        missing_parts=await parts_missing(conn, request),
        surplus_parts=listed["surplus_parts"],
        directory_behind=await directory_behind(conn, request),
        unknown_customers=await _sample(conn, "unknown_customers", request),
        unknown_users=await _sample(conn, "unknown_users", request, request.service) if service else Sample(),
        repeated_customers=await _sample(conn, "repeated_customers", request),
        repeated_users=await _sample(conn, "repeated_users", request),
        contradictory_customers=await _sample(conn, "contradictory_customers", request),
        contradictory_users=await _sample(conn, "contradictory_users", request),
    )


async def connector_of(conn: Connection, service: str) -> tuple[str, str]:
    """Give the name of a service's connector and its options as JSON text."""
    row = await conn.fetchrow(_QUERIES["catalogue"], service)
    return (row["connector"], row["options"]) if row else ("internal", "{}")


async def directory_behind(conn: Connection, request: MigrationRequested) -> tuple[str, ...]:
    """Name the partitions of the directory that aren't read as far as the person had seen."""
    if request.seen is None or not request.seen.directory_position:
        return ()
    rows = await conn.fetch(_QUERIES["positions"], directory_fold.READER, DIRECTORY.name)
    reached: Mapping[str, int] = {str(row["partition"]): row["next_offset"] for row in rows}
    behind = [
        f"partition {partition} is at {reached.get(partition, 0):,} of {wanted:,}"
        for partition, wanted in sorted(request.seen.directory_position.items())
        if reached.get(partition, 0) < wanted
    ]
    more = len(behind) - DIRECTORY.partitions
    return (*behind[: DIRECTORY.partitions], *([f"and {more:,} more"] if more > 0 else []))


async def parts_missing(conn: Connection, request: MigrationRequested) -> int:
    """Count the selection's parts that didn't come yet."""
    wanted = request.selection.parts
    return wanted - int(await conn.fetchval(_QUERIES["parts_come"], request.request, wanted)) if wanted else 0


async def _sample(conn: Connection, query: str, request: MigrationRequested, *more: str) -> Sample:
    rows = await conn.fetch(_QUERIES[query], request.request, PROBLEMS_OF_A_KIND, *more)
    return Sample(tuple(map(_listed, rows)), rows[0]["total"] if rows else 0)


def _listed(row: asyncpg.Record) -> Listed:
    return Listed(row["part"], row["position"], row["excluded"], row["customer"], row["user_id"])


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
