"""How answers are printed: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_WIDTH_OF_FILES = 160

COLOURS = {"green": "green", "yellow": "yellow", "red": "red"}


@cache
def console() -> Any:  # noqa: ANN401 - rich.console.Console, imported late
    """Give the console for people's output: stdout."""
    from rich.console import Console

    # Into a pipe or a file nothing has to be folded to a screen's width.
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)


@cache
def progress_console() -> Any:  # noqa: ANN401 - rich.console.Console, imported late
    """Give the console for progress: stderr, so that output stays clean for pipes."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_json(value: object) -> None:
    """Print one JSON document, indented, with times in ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")


def print_json_line(value: object) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()
) -> None:
    """Print a table; columns named in `right` hold numbers."""
    from rich.table import Table

    numbers = frozenset(right)
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        # The first column names the row: it stays whole, so that it can be copied.
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
    console().print(table)


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print names and values below each other; values that are not there are left out."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            grid.add_row(name, shown(value))
    if title:
        console().print(f"[bold]{title}[/bold]")
    console().print(grid)


def say(text: str) -> None:
    """Print a line for people, with rich's markup."""
    console().print(text, soft_wrap=True)


def note(text: str) -> None:
    """Print a line about what is going on: on stderr."""
    progress_console().print(text, soft_wrap=True)


def shown(cell: object) -> str:
    """Give a cell as text: counts with separators, times to the second in UTC, nothing as a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.1f}"
    return str(cell)


def moment(text: str | None) -> str:
    """Give an ISO 8601 time to the second, in UTC."""
    if not text:
        return "-"
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except ValueError:
        return text


def coloured(status: str, roll_up: str | None) -> str:
    """Give a status in its colour; the text is always there."""
    colour = COLOURS.get(roll_up or "", "")
    return f"[{colour}]{status}[/{colour}]" if colour else status


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
