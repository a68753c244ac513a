"""Reading files of a directory: everything that they state, and every row that can't be used."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from directoryfiles.bad_rows import BadRows
from directoryfiles.columns import Form, LayoutError
from directoryfiles.consistency import Consistency, Known
from directoryfiles.rows import Source, examine, rows_of
from directoryfiles.shapes import SHAPERS
from directoryfiles.staging import Staging

_REPORT_ROWS = 10_000
_SUFFIXES = {".csv", ".tsv", ".txt", ".jsonl", ".ndjson"}


class Stage(StrEnum):
    """What an import is doing."""

    CATCHING_UP = "reading the directory"
    READING = "reading files"
    CHECKING = "checking"
    PUBLISHING = "publishing"
    REMOVING = "removing"


Progress = Callable[[Stage, int, int | None], None]
"""Called with the stage, how much is done (records or rows), and of how many, if that is known."""


class FileRead(NamedTuple):
    """How one file was understood: what its rows are (None: each says so itself), and columns that mean nothing."""

    name: str
    form: Form | None
    encoding: str
    delimiter: str
    ignored_columns: tuple[str, ...]


class Reading:
    """The outcome of reading: use it as a context manager, which gives its disk space back."""

    def __init__(self, folder: Path) -> None:
        """Keep what has to be kept below `folder`."""
        self.staging = Staging(folder)
        self.bad = BadRows()
        self.files: list[FileRead] = []

    @property
    def rows(self) -> int:
        """How many rows were read, good and bad."""
        return len(self.staging.failed)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the disk space back."""
        self.staging.close()
        self.bad.close()


def read(paths: Iterable[Path], folder: Path, known: Known, progress: Progress) -> Reading:
    """Read files, and the directory files of folders, and check everything in them.

    A file that isn't a directory file is one bad row. Raises OSError where a file can't be opened or a disk is full.
    """
    reading = Reading(folder)
    try:
        for source in _sources(paths, reading):
            _read_file(source, reading, progress)
        progress(Stage.CHECKING, 0, reading.rows)
        Consistency(reading.staging, reading.bad, known).check()
        progress(Stage.CHECKING, reading.rows, reading.rows)
    except BaseException:
        reading.__exit__(None, None, None)
        raise
    return reading


def _sources(paths: Iterable[Path], reading: Reading) -> list[Source]:
    """Give the files so that what is referred to comes first; note those that can't be used."""
    sources: list[Source] = []
    for path in _files(paths):
        try:
            sources.append(examine(path))
        except LayoutError as error:
            row = reading.staging.next_row()
            reading.bad.starts(path.name, row)
            reading.bad.add(row, 1, str(error))
            reading.staging.fail(row, 0)
    order = list(Form)
    return sorted(sources, key=lambda source: order.index(source.form) if source.form else len(order))


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(inner for inner in path.iterdir() if inner.suffix.lower() in _SUFFIXES)
        else:
            yield path


def _read_file(source: Source, reading: Reading, progress: Progress) -> None:
    staging, bad = reading.staging, reading.bad
    ignored = source.layout.ignored if source.layout else ()
    reading.files.append(FileRead(source.path.name, source.form, source.encoding, source.delimiter, ignored))
    bad.starts(source.path.name, reading.rows)
    row = 0
    for line, form, cells, problem in rows_of(source):
        row = staging.next_row()
        facts, problems = ((), (problem,)) if problem else SHAPERS[form](cells)
        if problems:
            staging.fail(row, 0)
            for reason in problems:
                bad.add(row, line, reason)
        else:
            staging.add(row, line, facts)
        if not row % _REPORT_ROWS:
            progress(Stage.READING, row, None)
    progress(Stage.READING, reading.rows, None)
