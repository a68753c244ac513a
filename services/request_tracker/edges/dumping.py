"""The canonical dump of a projection, read in one snapshot, in constant memory."""

from collections.abc import AsyncIterator

from eventlog.database import Pool
from services.request_tracker.domain.dump import TABLES, line
from services.request_tracker.domain.outcomes import unpack
from services.request_tracker.edges.queries import DUMP

_ROWS_AT_ONCE = 50


async def dump(pool: Pool, reader: str) -> AsyncIterator[str]:
    """Positions of the reader, then every table's rows in order, each as one line."""
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        for row in await conn.fetch(DUMP["position"], reader):
            yield line("position", dict(row))
        for table in TABLES:
            async for row in conn.cursor(DUMP[table], prefetch=_ROWS_AT_ONCE):
                values = dict(row)
                if table == "batch":
                    values["runs"] = [list(run) for run in unpack(values["runs"])]
                yield line(table, values)
