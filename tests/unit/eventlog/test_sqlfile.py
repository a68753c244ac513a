"""Queries come out of .sql files by name."""

from pathlib import Path

import pytest

from eventlog.sqlfile import load_queries


def _file(folder: Path, text: str) -> Path:
    path = folder / "queries.sql"
    path.write_text(text, encoding="utf-8")
    return path


def test_named_blocks_are_loaded_with_their_comments(tmp_path: Path) -> None:
    queries = load_queries(_file(tmp_path, "-- file\n-- name: one\n-- why\nSELECT 1;\n\n-- name: two\nSELECT 2;\n"))
    assert dict(queries) == {"one": "-- one\n-- why\nSELECT 1;", "two": "-- two\nSELECT 2;"}


@pytest.mark.parametrize(
    "text, problem",
    [
        ("SELECT 1;\n-- name: one\nSELECT 1;", "before the first"),
        ("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;", "repeated"),
        ("-- name: One Two\nSELECT 1;", "bad"),
        ("-- name: one\n-- only a comment\n", "no SQL"),
    ],
)
def test_files_that_are_not_in_order_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        load_queries(_file(tmp_path, text))
