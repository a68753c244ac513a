"""Users in a CSV file: a header line with the columns customer and user, and every bad row by its line."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Protocol

from contracts.identifiers import IDENTIFIER_PATTERN
from contracts.reasons import ProblemCode
from services.wizard.domain.asked import LIST_LIMIT
from services.wizard.domain.checks import Found
from serving.problems import FieldError, Problem

_IDENTIFIER = re.compile(IDENTIFIER_PATTERN)
_PROBLEMS_SHOWN = 1000
Row = dict[str, str]


class Reader(Protocol):
    """Rows with the line that the last one ended on, as csv.reader gives them."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]:
        """Give the rows."""
        ...


def users_of_csv(content_type: str, body: bytes) -> list[Row]:
    """Give the users as `customer` and `user`; raises 415 for another media type, 422 with every bad row."""
    if content_type.partition(";")[0].strip().lower() != "text/csv":
        detail = "Send the users as text/csv with the columns customer and user."
        raise Problem("unsupported-media-type", "The body's media type isn't taken here", 415, detail=detail)
    users: list[Row] = []
    found: list[Found] = []
    for entry in _entries(_text(body)):
        if isinstance(entry, Found):
            found.append(entry)
        else:
            users.append(entry)
    if len(users) > LIST_LIMIT:
        detail = f"{len(users):,} users are listed; at most {LIST_LIMIT:,} are taken."
        found.append(Found("too-many-rows", "", detail))
    if not users and not found:
        found.append(Found(ProblemCode.SELECTION_EMPTY, "", "No user is in the file."))
    if found:
        raise _refusal(found)
    return users


def _refusal(found: list[Found]) -> Problem:
    errors = [FieldError(problem.pointer, problem.code, problem.detail) for problem in found[:_PROBLEMS_SHOWN]]
    detail = f"{len(found):,} rows can't be used; nothing was taken."
    return Problem(
        "invalid", "The request isn't valid", 422, detail=detail, errors=errors, extra={"problem_count": len(found)}
    )


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        problem = Found("not-utf8", f"line:{line}", f"Byte {error.start} is not UTF-8.")
        raise _refusal([problem]) from None


def _entries(text: str) -> Iterator[Row | Found]:
    rows = csv.reader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if "customer" not in header or "user" not in header:
            yield Found("header-missing", "line:1", "The first line has to name the columns customer and user.")
            return
        yield from _rows(rows, header)
    except csv.Error as error:
        yield Found("not-csv", f"line:{rows.line_num}", f"This is not CSV: {error}.")


def _rows(rows: Reader, header: list[str]) -> Iterator[Row | Found]:
    first_line: dict[tuple[str, str], int] = {}
    customer_at, user_at = header.index("customer"), header.index("user")
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        cells = [cell.strip() for cell in row] + [""] * len(header)
        customer, user, at = cells[customer_at], cells[user_at], f"line:{rows.line_num}"
        bad = [
            Found("not-an-identifier", at, f"{text!r} is no identifier.") for text in (customer, user) if not _ok(text)
        ]
        yield from bad
        if (customer, user) in first_line:
            detail = f"{customer}/{user} is listed twice, first in line {first_line[customer, user]}."
            yield Found(ProblemCode.USER_LISTED_TWICE, at, detail)
        elif not bad:
            first_line[customer, user] = rows.line_num
            yield {"customer": customer, "user": user}


def _ok(text: str) -> bool:
    return _IDENTIFIER.match(text) is not None
