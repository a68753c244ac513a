"""Stored positions: how far a reader's effects go, in the same database as the effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from eventlog.arithmetic import Progress
from eventlog.database import Connection
from eventlog.sqlfile import load_queries

_QUERIES = load_queries(Path(__file__).parent / "sql" / "positions.sql")


class PartitionKey(NamedTuple):
    """A partition of a topic; the topic is without prefix."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Move(NamedTuple):
    """One position: where the reader thinks that it is, and where it goes."""

    key: PartitionKey
    held: Progress
    to: Progress


async def load_or_create(
    conn: Connection, reader: str, starts: Mapping[PartitionKey, int]
) -> dict[PartitionKey, Progress]:
    """Stored positions of the partitions; where there is none yet it is stored as `starts` says (an offset)."""
    topics, partitions = [key.topic for key in starts], [key.partition for key in starts]
    await conn.execute(_QUERIES["ensure"], reader, topics, partitions, list(starts.values()))
    rows = await conn.fetch(_QUERIES["load"], reader, topics, partitions)
    return dict(_from_row(row) for row in rows)


async def load_all(conn: Connection, reader: str) -> dict[PartitionKey, Progress]:
    """Every stored position of a reader, whichever process works on it."""
    return dict(_from_row(row) for row in await conn.fetch(_QUERIES["load_all"], reader))


async def compare_and_swap(conn: Connection, reader: str, moves: Sequence[Move]) -> set[PartitionKey]:
    """Move positions that are where they are thought to be; returns those that were.

    Takes the rows' locks, so that another reader of the same partitions waits until this transaction ends.
    """
    ordered = sorted(moves)  # always in one order, so that two readers can't wait for each other
    rows = await conn.fetch(
        _QUERIES["compare_and_swap"],
        reader,
        [move.key.topic for move in ordered],
        [move.key.partition for move in ordered],
        [move.held.next_offset for move in ordered],
        [move.held.last_sequence for move in ordered],
        [move.to.next_offset for move in ordered],
        [move.to.last_sequence for move in ordered],
        [move.to.last_id for move in ordered],
        [move.to.last_timestamp_ms for move in ordered],
        [move.to.stopped for move in ordered],
    )
    return {PartitionKey(row["topic"], row["partition"]) for row in rows}


async def move_by_hand(conn: Connection, reader: str, key: PartitionKey, next_offset: int) -> bool:
    """Set a position and end its stop, for an operator who has found out why; False: there is no such position.

    To pass by a record that contradicts another, give its offset + 1. A running reader notices by itself.
    """
    moved = await conn.fetchval(_QUERIES["move"], reader, key.topic, key.partition, next_offset)
    return moved is not None


def _from_row(row: Mapping[str, object]) -> tuple[PartitionKey, Progress]:
    values = dict(row)
    key = PartitionKey(str(values.pop("topic")), int(str(values.pop("partition"))))
    return key, Progress(**values)  # type: ignore[arg-type]  # the columns are named like the fields
