"""Files: right quoting, nothing that a spreadsheet runs, and no more than a chunk in memory."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.streaming import csv_lines, csv_response, json_line, jsonl_response


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), min_size=1), min_size=1))
def test_csv_gives_back_every_text_but_for_the_apostrophe(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_lines(rows), newline="")))
    guarded = [[cell.removeprefix("'") if not plain.startswith("'") else cell for cell, plain in zip(a, b, strict=True)]
               for a, b in zip(read, rows, strict=True)]  # fmt: skip
    assert guarded == rows


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    [[read]] = csv.reader(io.StringIO(csv_lines([[cell]]), newline=""))
    assert read == "'" + cell


def test_csv_quotes_commas_quotes_and_line_ends_and_ends_lines_with_crlf() -> None:
    assert csv_lines([["a,b", 'say "x"', "two\nlines", "plain"]]) == '"a,b","say ""x""","two\nlines",plain\r\n'


def test_csv_writes_numbers_times_truths_and_nothing_plainly() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert csv_lines([[-5, 1.5, True, None, at]]) == "-5,1.5,true,,2026-01-02T00:00:00+00:00\r\n"


def test_a_json_line_is_one_line_in_utf8() -> None:
    assert json_line({"a": "ü\n", "at": datetime(2026, 1, 2, tzinfo=UTC)}) == (
        '{"a":"ü\\n","at":"2026-01-02T00:00:00+00:00"}\n'
    )
    assert json_line(b'{"a":1}') == '{"a":1}\n'


class Rows:
    """Counts how many rows were asked for."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.asked = 0

    async def csv(self) -> AsyncIterator[list[str | int]]:
        for number in range(1, self.total + 1):
            self.asked = number
            yield [f"user-{number}", number]

    async def json(self) -> AsyncIterator[dict[str, object]]:
        async for user, number in self.csv():
            yield {"user": user, "n": number}


async def test_rows_are_read_as_the_answer_is_taken() -> None:
    rows = Rows(100_000)
    chunks = csv_response(["user", "n"], rows.csv(), "results.csv").body_iterator
    first = await anext(aiter(chunks))
    assert isinstance(first, bytes)
    assert first.startswith(b"user,n\r\nuser-1,1\r\n")
    assert rows.asked < 10_000
    assert len(first) < 100_000


async def test_every_row_is_in_the_file_once() -> None:
    chunks = [chunk async for chunk in jsonl_response(Rows(20_000).json(), "results.jsonl").body_iterator]
    lines = b"".join(bytes(chunk) for chunk in chunks if not isinstance(chunk, str)).splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(1, 20_001))


async def test_a_file_without_rows_has_its_header_line() -> None:
    chunks = [chunk async for chunk in csv_response(["user", "n"], Rows(0).csv(), "r.csv").body_iterator]
    assert chunks == [b"user,n\r\n"]


def test_the_file_name_cannot_break_the_header() -> None:
    response = jsonl_response(Rows(0).json(), 'a"\r\nX: ü.jsonl')
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''a%22%0D%0AX%3A%20%C3%BC.jsonl"
