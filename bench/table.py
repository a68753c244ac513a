"""One table for every benchmark: what was measured, the figure, and what is to be reached."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """A figure: its number in the targets, what it is, the value as text, the target, and whether it is reached."""

    number: str
    what: str
    value: str
    target: str
    reached: bool | None


def print_rows(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title="Two cores for everything; real Kafka, real Postgres, fsync on", title_justify="left")
    for column in ("#", "What", "Measured", "Target", ""):
        table.add_column(column, justify="right" if column in {"#", "Measured"} else "left")
    for row in rows:
        mark = "" if row.reached is None else ("reached" if row.reached else "missed")
        table.add_row(row.number, row.what, row.value, row.target, mark)
    Console(width=120).print(table)
