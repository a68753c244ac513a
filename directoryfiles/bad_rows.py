"""Every row that can't be used, with its line and everything that is wrong with it."""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from eventlog.sqlfile import load_queries

_QUERIES = load_queries(Path(__file__).parent / "bad_rows.sql")
_FLUSH_PROBLEMS = 2000


class BadRow(NamedTuple):
    """A row of a file that can't be used; `line` is the first line of it, from 1."""

    file: str
    line: int
    reasons: tuple[str, ...]


class BadRows:
    """The bad rows of one import, kept on disk: there may be as many as there are rows."""

    def __init__(self) -> None:
        """Use a database of sqlite's own in a file that it deletes."""
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(_QUERIES["create"])
        self._waiting: list[tuple[int, int, str]] = []
        self._files: list[tuple[int, str]] = []

    def starts(self, file: str, row: int) -> None:
        """Say that the rows from this number on are those of the file."""
        self._files.append((row, file))

    def add(self, row: int, line: int, reason: str) -> None:
        """Note one thing that is wrong with a row."""
        self._waiting.append((row, line, reason))
        if len(self._waiting) >= _FLUSH_PROBLEMS:
            self._flush()

    def _flush(self) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(_QUERIES["insert"], self._waiting)
        self._database.execute("COMMIT")
        self._waiting.clear()

    def count(self) -> int:
        """Give how many rows are bad."""
        self._flush()
        counted: int = self._database.execute(_QUERIES["count"]).fetchone()[0]
        return counted

    def __iter__(self) -> Iterator[BadRow]:
        """Give the bad rows in the order of the files and lines."""
        self._flush()
        found = self._database.execute(_QUERIES["all"])
        for (row, line), problems in groupby(found, key=itemgetter(0, 1)):
            yield BadRow(self._file_of(row), line, tuple(problem[2] for problem in problems))

    def place(self, row: int, line: int, seen_from: int) -> str:
        """Give where a row is, in words; with the file's name only if it isn't that of the row seen from."""
        file = self._file_of(row)
        return f"line {line}" if file == self._file_of(seen_from) else f"{file}, line {line}"

    def _file_of(self, row: int) -> str:
        return next(file for start, file in reversed(self._files) if start <= row)

    def close(self) -> None:
        """Give the disk space back."""
        self._database.close()
