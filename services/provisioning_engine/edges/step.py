"""What every step of a shard's owner shares: the request it works for, and the end of its transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from contracts.requests import MigrationRequested
from eventlog.database import Connection
from eventlog.errors import EventLogError
from eventlog.lease import Lease
from eventlog.ledger import append
from eventlog.record import OutgoingEvent
from eventlog.sqlfile import load_queries
from services.provisioning_engine.domain.outcomes import Result
from services.provisioning_engine.edges.wire import Thread

_HOLDS = load_queries(Path(__file__).parent.parent / "queries" / "holds.sql")


class SequenceMoved(EventLogError):  # noqa: N818 - it reads as what happened
    """Somebody else appended to the shard between the step's begin and its end; it is tried again."""


class UnknownConnector(EventLogError):  # noqa: N818 - it reads as what happened
    """A service got another connector after its request was judged; the step waits until that is mended."""


class Job(NamedTuple):
    """A request as its workers need it; it never changes. `request` is without the lists of its selection."""

    request: MigrationRequested
    thread: Thread
    home_shard: int

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.request


class Appended(NamedTuple):
    """What a step appended, to be offered to the relay after the commit; `users` ended or were planned in it."""

    first_sequence: int = 0
    events: Sequence[OutgoingEvent] = ()
    users: int = 0
    more: bool = False
    """Whether the same step would find more to do at once."""
    told: bool = False
    """Whether somebody else may have work now: the shard's part is done."""
    last_batch: int = -1
    """The number of the last batch that was carried out."""
    results: Sequence[Result] = ()


NOTHING = Appended()


async def share_request(conn: Connection, request: str) -> None:
    """Take a worker's place beside the request's other workers, before its row is held FOR SHARE."""
    await conn.execute(_HOLDS["share"], request)


async def claim_request(conn: Connection, request: str) -> None:
    """Wait for the request's workers of this moment, before its row is held FOR UPDATE."""
    await conn.execute(_HOLDS["claim"], request)


Encode = Callable[[int], list[OutgoingEvent]]


async def append_expected(conn: Connection, lease: Lease, expected: int, count: int, encode: Encode) -> Appended:
    """Append as the last statement; the shard's next sequence must be what the step's rows already say."""
    made: list[OutgoingEvent] = []

    def encode_checked(first: int) -> list[OutgoingEvent]:
        if first != expected:
            raise SequenceMoved(f"shard {lease.shard} gave out {first}, {expected} was expected")
        made.extend(encode(first))
        return made

    first = await append(conn, lease.shard, count, encode_checked, lease=lease)
    return Appended(first, made)
