"""Answers of any length in constant memory: CSV (safe to open in a spreadsheet) and JSON Lines."""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from starlette.responses import StreamingResponse

T = TypeVar("T")
Cell = str | int | float | bool | datetime | None
_CHUNK_BYTES = 65_536
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Lines:
    """Takes what the csv writer writes."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        """Keep one line."""
        self.parts.append(text)
        return len(text)


def csv_lines(rows: Iterable[Sequence[Cell]]) -> str:
    """Give RFC 4180 lines (CRLF). A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    lines = _Lines()
    csv.writer(lines, lineterminator="\r\n").writerows([_safe(cell) for cell in row] for row in rows)
    return "".join(lines.parts)


def _safe(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_DANGEROUS) else cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell.isoformat() if isinstance(cell, datetime) else cell


def json_line(row: Mapping[str, object] | bytes) -> str:
    """Give one JSON document on one line; bytes are a finished document without a line end."""
    if isinstance(row, bytes):
        return row.decode() + "\n"
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_json_value) + "\n"


def _json_value(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def csv_response(columns: Sequence[str], rows: AsyncIterator[Sequence[Cell]], filename: str) -> StreamingResponse:
    """Give the rows as a CSV file with a header line.

    An error in the middle cuts the connection, so that half a file is never taken for a whole one.
    """
    chunks = _chunks(rows, lambda row: csv_lines([row]), csv_lines([columns]))
    return _file(chunks, "text/csv; charset=utf-8; header=present", filename)


def jsonl_response(rows: AsyncIterator[Mapping[str, object] | bytes], filename: str) -> StreamingResponse:
    """Give the rows as JSON Lines; errors as in `csv_response`."""
    return _file(_chunks(rows, json_line, ""), "application/x-ndjson", filename)


async def _chunks(rows: AsyncIterator[T], line: Callable[[T], str], head: str) -> AsyncIterator[bytes]:
    parts, size = [head], len(head)
    async for row in rows:
        text = line(row)
        parts.append(text)
        size += len(text)
        if size >= _CHUNK_BYTES:
            yield "".join(parts).encode()
            parts, size = [], 0
    yield "".join(parts).encode()


def _file(chunks: AsyncIterator[bytes], media_type: str, filename: str) -> StreamingResponse:
    disposition = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
    return StreamingResponse(chunks, headers={"Content-Type": media_type, "Content-Disposition": disposition})
