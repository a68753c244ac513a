"""Progress of long work, on stderr: a bar on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.output import progress_console

Advance = Callable[[int, int], None]
"""Takes how much is done, and how much there is (0 if that isn't known)."""

_LINE_EVERY_S = 2.0


@contextmanager
def counting(title: str) -> Iterator[Advance]:
    """Show progress of something countable; gives the function that is told of it."""
    if progress_console().is_terminal:
        with _bar(title) as advance:
            yield advance
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Advance]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=progress_console()) as progress:
        task = progress.add_task(title, total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        yield advance


def _lines(title: str) -> Advance:
    shown_at = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= _LINE_EVERY_S:
            shown_at = time.monotonic()
            progress_console().print(f"{title}: {done:,}" + (f" of {total:,}" if total else ""))

    return advance
