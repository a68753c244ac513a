"""How a file's bytes become text: its encoding, found by its own bytes, and its delimiter."""

import codecs
import csv
from pathlib import Path
from typing import NamedTuple

from charset_normalizer import from_bytes

from directoryfiles.columns import recognised

_CHUNK_BYTES = 1024 * 1024
_SAMPLE_BYTES = 64 * 1024
_USUAL = "cp1252"
_LEGACY = [_USUAL, "cp1250", "cp1251", "cp1253", "cp1254", "iso8859_15", "iso8859_2", "cp850", "cp437", "mac_roman"]
_DELIMITERS = (",", ";", "\t", "|")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Doubt(NamedTuple):
    """Where bytes stop being UTF-8: the offset in the file and what is around it."""

    offset: int
    around: bytes


def encoding_of(path: Path) -> str:
    """Give the encoding's name: by its byte order mark, UTF-8 if all of the file is, else the likeliest 8-bit one."""
    with path.open("rb") as file:
        start = file.read(_SAMPLE_BYTES)
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if b"\0" in start:
        return _without_mark(start)
    doubt = _first_doubt(path)
    if doubt is None:
        return "utf-8"
    return _eight_bit(start + doubt.around)


def _eight_bit(sample: bytes) -> str:
    """Give the likeliest 8-bit encoding; where several are as good, the one that most programs write."""
    matches = from_bytes(sample, cp_isolation=_LEGACY)
    best = matches.best()
    if best is None:
        return _USUAL
    as_good = {match.encoding for match in matches if match.chaos <= best.chaos}
    return _USUAL if _USUAL in as_good or _USUAL in best.could_be_from_charset else best.encoding


def _without_mark(start: bytes) -> str:
    """UTF-16 of mostly ASCII text has its zeros on one side."""
    return "utf-16-le" if start[1::2].count(0) >= start[0::2].count(0) else "utf-16-be"


def _first_doubt(path: Path) -> Doubt | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        offset = 0
        while chunk := file.read(_CHUNK_BYTES):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return Doubt(offset + error.start, chunk[max(0, error.start - 2000) : error.start + 4000])
            offset += len(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return Doubt(offset, b"")
    return None


def delimiter_of(first_lines: list[str]) -> str:
    """Give the delimiter that makes the most of the header: most known column names, then most columns."""

    def worth(delimiter: str) -> tuple[int, int]:
        header = next(csv.reader(first_lines, delimiter=delimiter), [])
        return recognised(header), len(header)

    return max(_DELIMITERS, key=worth)
