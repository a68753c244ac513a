"""A request's events in time, read from Kafka by the spans that the fold noted."""

from datetime import datetime
from typing import Any, NamedTuple

from services.request_tracker.edges.kafka_places import Stretch
from services.request_tracker.edges.queries import EVENTS
from services.request_tracker.edges.snapshot import Snapshot


class EventPlace(NamedTuple):
    """Where a page of events ended: its span, and how many events of the span have been given."""

    first_at: datetime
    topic: str
    partition: int
    first_offset: int
    given: int


class Stretches(NamedTuple):
    """What to read for a page, in the page's order, and where the next page begins."""

    stretches: list[Stretch]
    following: EventPlace | None


async def find(
    snapshot: Snapshot, request: str, after: EventPlace | None, limit: int, *, newest_first: bool
) -> Stretches:
    """Find where the next `limit` events are.

    Spans are in the order of the time of their first event, within a span events are in the order of their shard;
    a span covers a second at the most, so events of different shards are in order to about a second.
    """
    query = EVENTS["spans_newest_first" if newest_first else "spans_oldest_first"]
    rows = await snapshot.conn.fetch(query, request, *(after[:4] if after else (None,) * 4), limit + 1)
    stretches: list[Stretch] = []
    wanted = limit
    for row in rows:
        given = after.given if after and tuple(row)[:3] == (after.topic, after.partition, after.first_offset) else 0
        n = min(wanted, row["n"] - given)
        if n > 0:
            stretches.append(_stretch(row, given, n, newest_first=newest_first))
        wanted -= n
        if not wanted:
            place = EventPlace(row["first_at"], row["topic"], row["partition"], row["first_offset"], given + n)
            more = given + n < row["n"] or row is not rows[-1]
            return Stretches(stretches, place if more else None)
    return Stretches(stretches, None)


def _stretch(row: Any, given: int, n: int, *, newest_first: bool) -> Stretch:  # noqa: ANN401 - asyncpg's record
    first = row["first_offset"] + (row["n"] - given - n if newest_first else given)
    return Stretch(row["topic"], row["partition"], first, n)


async def place_of(snapshot: Snapshot, shard: int, sequence: int) -> int | None:
    """The offset of a shard's event; None where it hasn't been folded."""
    found: int | None = await snapshot.conn.fetchval(EVENTS["place_of_sequence"], shard, sequence)
    return found
