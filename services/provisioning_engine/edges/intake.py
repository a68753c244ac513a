"""Taking in `migration.requests`: every record is distrusted, and nothing is lost.

Nothing is answered here: the owner of the request's home shard does that, from what these rows say.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from contracts.codec import UnknownTypeFromKnownSourceError, UnreadableError, decode
from contracts.envelope import WIZARD_SOURCE, AnyEnvelope
from contracts.reasons import UnreadableReason
from contracts.requests import MigrationRequested, MigrationSelectionPart, Selection, UserRef
from contracts.topics import SHARDS
from eventlog.database import Connection
from eventlog.partitions import partition_of
from eventlog.quarantine import put
from eventlog.record import IncomingRecord
from eventlog.sqlfile import load_queries
from services.provisioning_engine.edges.counts import Counts

_QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "intake.sql")

_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")

READER = "engine-requests"
WIZARD_MARK = f'"source":"{WIZARD_SOURCE}"'.encode()


class _Reused(Exception):  # noqa: N818 - it reads as what happened
    """An id came again with another content; the text says which."""


class RequestsFold:
    """The fold of the requests' reader."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    async def __call__(self, conn: Connection, records: Sequence[IncomingRecord]) -> None:
        """Fold records in the reader's transaction; what can't be read goes to quarantine."""
        await conn.execute(_QUERIES["limit_time"])
        for record in records:
            try:
                await self._take(conn, record)
            except UnreadableError as error:
                await put(conn, record, error.reason, error.detail)
                self._counts.quarantined.labels(record.topic, error.reason).inc()
            except _Reused as error:
                await put(conn, record, UnreadableReason.ID_REUSED, str(error))
                self._counts.quarantined.labels(record.topic, UnreadableReason.ID_REUSED).inc()
            except UnknownTypeFromKnownSourceError:
                self._counts.unknown_types.labels(record.topic).inc()
        await conn.execute(_QUERIES["tell"])

    async def _take(self, conn: Connection, record: IncomingRecord) -> None:
        envelope = decode(record.topic, record.key, record.value, record.headers)
        _refuse_control_characters(envelope)
        if await _came_before(conn, envelope):
            self._counts.duplicates.labels(record.topic).inc()
            return
        match envelope.data:
            case MigrationSelectionPart() as part:
                await _take_part(conn, part)
            case MigrationRequested() as request:
                await _take_request(conn, envelope, request)
            case word:
                home = partition_of(word.request, SHARDS)
                body = word.model_dump_json()
                await conn.execute(_QUERIES["add_command"], word.request, home, word.TYPE, body, envelope.id)


def _refuse_control_characters(envelope: AnyEnvelope) -> None:
    """CloudEvents has none in its attributes, and a text of the database can't hold all of them."""
    named = {name: getattr(envelope, name) for name in ("id", "source", "correlationid", "traceparent")}
    bad = [name for name, text in named.items() if text and not _PRINTABLE.fullmatch(text)]
    if bad:
        problems = "; ".join(f"/{name}: has control characters" for name in bad)
        raise UnreadableError(UnreadableReason.WRONG_SHAPE, problems)


async def _came_before(conn: Connection, envelope: AnyEnvelope) -> bool:
    """Whether the same event was taken already; raises _Reused if its id was, with another content."""
    identity = _digest(envelope.source, envelope.id)
    content = _digest(envelope.type, envelope.data.model_dump_json())
    if await conn.fetchval(_QUERIES["note_event"], identity, content) is not None:
        return False
    if await conn.fetchval(_QUERIES["noted_content"], identity) != content:
        raise _Reused(f"The id {envelope.id[:200]!r} of this source came before, with another content.")
    return True


def _digest(*texts: str) -> bytes:
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=16).digest()


async def _take_request(conn: Connection, envelope: AnyEnvelope, request: MigrationRequested) -> None:
    lists = request.selection
    bare = lists.model_copy(update={"customers": (), "excluded_customers": (), "users": (), "excluded_users": ()})
    spec = request.model_copy(update={"selection": bare}).model_dump_json()
    added = await conn.fetchval(
        _QUERIES["add_request"],
        request.request,
        partition_of(request.request, SHARDS),
        spec,
        envelope.id,
        envelope.time.isoformat(),
        envelope.correlationid or request.request,
        envelope.traceparent,
    )
    if added is None:
        raise _Reused(f"A request {request.request} came before, in another event.")
    await _add_lists(conn, request.request, lists)


async def _add_lists(conn: Connection, request: str, lists: Selection) -> None:
    await _add_customers(conn, request, 0, lists.customers, excluded=False)
    await _add_customers(conn, request, 0, lists.excluded_customers, excluded=True)
    await _add_users(conn, request, 0, lists.users, excluded=False)
    await _add_users(conn, request, 0, lists.excluded_users, excluded=True)


async def _take_part(conn: Connection, part: MigrationSelectionPart) -> None:
    state = await conn.fetchval(_QUERIES["request_state"], part.request)
    if state not in {None, "received"}:
        raise _Reused(f"The request {part.request} was judged without this part; its selection can't grow.")
    content = _digest(part.model_dump_json())
    if await conn.fetchval(_QUERIES["add_part"], part.request, part.part, content) is None:
        raise _Reused(f"Part {part.part} of the request {part.request} came before, in another event.")
    excluded = part.list.startswith("excluded_")
    if part.list.endswith("customers"):
        await _add_customers(conn, part.request, part.part, part.customers, excluded=excluded)
    else:
        await _add_users(conn, part.request, part.part, part.users, excluded=excluded)


async def _add_customers(
    conn: Connection, request: str, part: int, customers: Sequence[str], *, excluded: bool
) -> None:
    if customers:
        shards = [partition_of(customer, SHARDS) for customer in customers]
        await conn.execute(_QUERIES["add_customers"], request, excluded, part, list(customers), shards)


async def _add_users(conn: Connection, request: str, part: int, users: Sequence[UserRef], *, excluded: bool) -> None:
    if users:
        customers = [user.customer for user in users]
        ids = [user.user for user in users]
        shards = [partition_of(customer, SHARDS) for customer in customers]
        await conn.execute(_QUERIES["add_users"], request, excluded, part, customers, ids, shards)
