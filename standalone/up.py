"""`planshift up`: run a stack until a signal ends it or one of its parts dies for good."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from standalone.problems import StackProblem
from standalone.stack import Stack, StackSettings
from standalone.state import StackState

Answer = TypeVar("Answer")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_up(settings: StackSettings, show: Callable[[str], None], on_ready: Callable[[StackState], None]) -> int:
    """
    Run a stack; answers the exit code.

    `show` gets one line for a person at a time, `on_ready` where everything is once all is up. 0: ended by Ctrl-C,
    SIGTERM or SIGHUP after everything was stopped; 1: a part died for good; 2: the call or the machine has to change;
    3: something did not come up.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, ended.set)
    try:
        return await _run(settings, show, on_ready, ended)
    except StackProblem as problem:
        show(problem.line)
        return problem.exit_code
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


async def _run(
    settings: StackSettings,
    show: Callable[[str], None],
    on_ready: Callable[[StackState], None],
    ended: asyncio.Event,
) -> int:
    async with Stack(settings) as stack:
        await _unless(ended, stack.start(show))
        if ended.is_set():
            return 0
        on_ready(stack.state)
        problem = await _unless(ended, stack.wait())
        if problem is not None:
            show(problem.line)
            return problem.exit_code
    show("Stopped; the data is kept")
    return 0


async def _unless(ended: asyncio.Event, work: Coroutine[Any, Any, Answer]) -> Answer | None:
    """The work's answer, or None if the end comes first; the work is cancelled then."""
    task = asyncio.create_task(work)
    end = asyncio.create_task(ended.wait())
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, end):
            each.cancel()
        with contextlib.suppress(asyncio.CancelledError, StackProblem):
            await task
