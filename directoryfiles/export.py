"""The merged state that the wizard exports as JSON lines, as CSV files that an import reads again."""

import csv
import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from directoryfiles.columns import COLUMNS, Form
from directoryfiles.generate import pairs


class ExportError(ValueError):
    """A line that isn't one of the export's."""


def export_to_csv(lines: Iterable[bytes | str], out: Path) -> dict[str, int]:
    """Write one CSV file for each kind into the folder `out`; gives the number of rows by kind.

    Takes one line at a time, so memory doesn't grow. Raises ExportError for a line of another shape, OSError.
    """
    out.mkdir(parents=True, exist_ok=True)
    counts = {str(form): 0 for form in Form if form is not Form.FLAT}
    with ExitStack() as files:
        writers: dict[str, Any] = {}
        for form in counts:
            file = files.enter_context((out / f"{form}s.csv").open("w", encoding="utf-8", newline=""))
            writers[form] = csv.writer(file, lineterminator="\n")
            writers[form].writerow(COLUMNS[Form(form)].all)
        for number, line in enumerate(lines, 1):
            if line.strip():
                kind, cells = _cells(line, number)
                writers[kind].writerow(cells)
                counts[kind] += 1
    return counts


def _cells(line: bytes | str, number: int) -> tuple[str, list[str]]:
    try:
        values = json.loads(line)
        form = Form(values["kind"])
    except (ValueError, KeyError, TypeError):
        raise ExportError(f"Line {number} is not one of a directory's export.") from None
    if form is Form.FLAT:
        raise ExportError(f"Line {number} is not one of a directory's export.")
    return str(form), [_cell(values.get(column)) for column in COLUMNS[form].all]


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return pairs(value)
        case _:
            return str(value)
