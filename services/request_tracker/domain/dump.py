"""The canonical dump: what the projection holds, as sorted lines that don't depend on how it came about."""

import json
from collections.abc import Mapping
from datetime import datetime

from services.request_tracker.domain.texts import iso

TABLES = ("request", "request_state", "shard_count", "customer_count", "batch", "exclusion", "package", "timeline")
"""Tables of the dump, in its order. Offsets, names of the directory and counts of skipped records aren't in it."""


def line(table: str, values: Mapping[str, object]) -> str:
    """One row as one line of JSON: members sorted, times in UTC, bytes in hex."""
    return json.dumps([table, dict(values)], ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    raise TypeError(type(value).__name__)
