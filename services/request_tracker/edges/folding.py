"""The fold of the readers: records in, rows changed, in the reader's own transaction."""

import asyncio
from collections.abc import Sequence

from contracts.topics import DIRECTORY, PROVISIONING, REQUESTS
from eventlog.database import Connection
from eventlog.record import IncomingRecord
from services.request_tracker.domain import directory_words, engine_words, people_words
from services.request_tracker.domain.facts import Facts
from services.request_tracker.domain.fold import evolve
from services.request_tracker.edges.store import load, save

_DIGESTS = {
    PROVISIONING.name: engine_words.digest,
    REQUESTS.name: people_words.digest,
    DIRECTORY.name: directory_words.digest,
}
_SLICE = 400
"""Records that are decoded at one go: about 3 ms, so that an answer never waits long for the event loop."""


async def fold(conn: Connection, records: Sequence[IncomingRecord]) -> None:
    """Fold one group of records; a partition's records are in order."""
    facts = Facts()
    for run in _by_topic(records):
        digest = _DIGESTS[run[0].topic]
        for start in range(0, len(run), _SLICE):
            digest(run[start : start + _SLICE], facts)
            await asyncio.sleep(0)
    rows = await load(conn, facts)
    evolve(facts, rows)
    await save(conn, facts, rows)


def _by_topic(records: Sequence[IncomingRecord]) -> list[Sequence[IncomingRecord]]:
    """Split into consecutive records of one topic."""
    starts = [0] + [i for i in range(1, len(records)) if records[i].topic != records[i - 1].topic]
    return [records[start:end] for start, end in zip(starts, [*starts[1:], len(records)], strict=True)]
