"""The rows of a file, one by one, with the line on which each starts: CSV of any common kind, or JSON lines."""

import csv
import json
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TextIO

from directoryfiles.columns import COLUMNS, Form, Layout, LayoutError, layout_of
from directoryfiles.decoding import delimiter_of, encoding_of

_HEADER_LINES = 30
_SEPARATOR_LINE = "sep="
_JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}


_FORMS = {str(form): form for form in Form}


class Row(NamedTuple):
    """A row: its first line, its form, and its cells in the form's order; or the problem that it can't be split."""

    line: int
    form: Form
    cells: tuple[str, ...]
    problem: str = ""


class Source(NamedTuple):
    """A file that can be read: how its bytes become text, and which columns it has (none: JSON lines)."""

    path: Path
    encoding: str
    delimiter: str
    header_line: int
    width: int
    layout: Layout | None

    @property
    def form(self) -> Form | None:
        """Give what its rows state; None if they say so themselves."""
        return self.layout.form if self.layout else None


def examine(path: Path) -> Source:
    """Find out how a file is to be read. Raises LayoutError for one that isn't a directory file, OSError."""
    if path.is_dir():
        raise LayoutError("is a folder")
    encoding = encoding_of(path)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        first_lines = list(islice(file, _HEADER_LINES))
    if path.suffix.lower() in _JSON_SUFFIXES or (first_lines and first_lines[0].startswith("{")):
        return Source(path, encoding, "", 0, 0, None)
    skipped = 1 if first_lines and first_lines[0].lower().startswith(_SEPARATOR_LINE) else 0
    lines = first_lines[skipped:]
    delimiter = first_lines[0][len(_SEPARATOR_LINE)] if skipped else delimiter_of(lines)
    reader = csv.reader(lines, delimiter=delimiter)
    header = next((row for row in reader if any(map(str.strip, row))), [])
    layout = layout_of([name.strip() for name in header], path.stem)
    return Source(path, encoding, delimiter, skipped + reader.line_num, len(header), layout)


def rows_of(source: Source) -> Iterator[Row]:
    """Give every row but empty ones; a row that can't be split has its problem and no cells."""
    with source.path.open(encoding=source.encoding, errors="replace", newline="") as file:
        yield from _json_rows(file) if source.layout is None else _csv_rows(file, source, source.layout)


def _csv_rows(file: TextIO, source: Source, layout: Layout) -> Iterator[Row]:
    for _ in range(source.header_line):
        file.readline()
    reader = csv.reader(file, delimiter=source.delimiter, strict=True)
    form, width, base = layout.form, source.width, source.header_line + 1
    # A row gets one more, empty cell, which stands for the columns that the file doesn't have.
    pick = itemgetter(*(-1 if index is None else index for index in layout.indexes))
    line = base
    while True:
        try:
            for row in reader:
                if len(row) == width:
                    row.append("")
                    yield Row(line, form, pick(row))
                elif row:
                    yield Row(line, form, (), f"has {len(row)} cells where the header has {width}")
                line = base + reader.line_num
        except csv.Error as error:
            yield Row(line, form, (), f"{error}{_until(line, base + reader.line_num - 1)}")
            line = base + reader.line_num
        else:
            return


def _until(line: int, last: int) -> str:
    return f" (up to line {last}; a quote may not be closed)" if last > line else ""


def _json_rows(file: TextIO) -> Iterator[Row]:
    for line, text in enumerate(file, 1):
        if text.strip():
            yield _json_row(line, text)


def _json_row(line: int, text: str) -> Row:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Row(line, Form.USER, (), f"is not JSON: {error}")
    if not isinstance(values, dict):
        return Row(line, Form.USER, (), "is not a JSON object")
    kind = values.get("kind")
    form = _FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        return Row(line, Form.USER, (), f"kind is {kind!r}; it has to be one of {', '.join(Form)}")
    columns = COLUMNS[form]
    if not all(name in values for name in columns.needed):
        missing = [name for name in columns.needed if name not in values]
        return Row(line, form, (), f"a {form} needs {', '.join(missing)}")
    cells = [values.get(name) for name in columns.all]
    return Row(line, form, tuple([cell if type(cell) is str else _text(cell) for cell in cells]))


def _text(value: object) -> str:
    """Give a JSON value as the cell of a CSV file would have it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
