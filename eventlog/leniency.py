"""Leniency: a record with a header whose name isn't UTF-8 must not stop its partition for ever.

Kafka takes such records from any writer, but aiokafka raises in the middle of a fetch, again and again, and no later
record can be reached. Where that happens the batch is decoded once more, slowly, with the bad name written with
backslashes, so that the record arrives like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, SupportsIndex, overload

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH_AT = 8
_BEFORE_BODY = 12


def install() -> None:
    """Let every consumer of this process be lenient; a second time changes nothing."""
    fetcher.MemoryRecords = _Records


class _Records:
    """Fetched batches, as aiokafka's own class gives them."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._strict = MemoryRecords(raw)
        self._taken = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever aiokafka asks for
        return getattr(self._strict, name)

    def next_batch(self) -> _Batch | None:
        """The next batch, or None."""
        batch, number = self._strict.next_batch(), self._taken
        self._taken += 1
        return None if batch is None else _Batch(batch, self._raw, number)


class _Batch:
    """One batch: decoded fast, or from where that fails on slowly."""

    def __init__(self, strict: Any, raw: bytes, number: int) -> None:  # noqa: ANN401 - aiokafka has no types
        self._strict = strict
        self._raw = raw
        self._number = number

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever aiokafka asks for
        return getattr(self._strict, name)

    def __next__(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        return next(self._strict)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            for record in self._strict:
                yield record
                given += 1
        except UnicodeDecodeError:
            yield from islice(_lenient_batch(self._raw, self._number), given, None)


class _LenientBytes(bytearray):
    """Bytes whose parts can be decoded whatever they hold."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> bytearray: ...
    def __getitem__(self, index: SupportsIndex | slice) -> int | bytearray:
        part = super().__getitem__(index)
        return part if isinstance(part, int) else _LenientBytes(part)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        del errors  # strict is what fails
        return super().decode(encoding, "backslashreplace")


def _lenient_batch(raw: bytes, number: int) -> Iterator[Any]:
    """Records of the batch with this number, from aiokafka's decoder in Python over lenient bytes."""
    start = 0
    for _ in range(number):
        start += _BEFORE_BODY + struct.unpack_from(">i", raw, start + _LENGTH_AT)[0]
    end = start + _BEFORE_BODY + struct.unpack_from(">i", raw, start + _LENGTH_AT)[0]
    batch = _DefaultRecordBatchPy(memoryview(raw)[start:end])
    batch._maybe_uncompress()  # noqa: SLF001 - the bytes have to be changed between this and the decoding
    batch._buffer = _LenientBytes(batch._buffer)  # noqa: SLF001 - as above
    return iter(batch)
