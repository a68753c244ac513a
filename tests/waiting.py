"""Waiting in tests: for a condition, with a deadline, never for luck."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

Found = TypeVar("Found")

_POLL_S = 0.02
_LONGEST_POLL_S = 0.25


@overload
async def eventually(
    condition: Callable[[], Awaitable[Found | None]], within: float = ..., *, what: str = ...
) -> Found: ...
@overload
async def eventually(condition: Callable[[], Found | None], within: float = ..., *, what: str = ...) -> Found: ...
async def eventually(
    condition: Callable[[], Found | Awaitable[Found | None] | None], within: float = 10.0, *, what: str = ""
) -> Found:
    """
    Poll until the condition answers something true and answer that; fails the test after `within` seconds.

    The condition may be async. Its own exceptions, AssertionError included, count as "not yet"; the last one is shown.
    """
    deadline = time.monotonic() + within
    pause_s = _POLL_S
    while True:
        answer, problem = await _ask(condition)
        if answer is not None and answer:
            return answer
        if time.monotonic() > deadline:
            seen = repr(problem) if problem else f"last answer {answer!r}"
            raise AssertionError(f"not within {within} s: {what or _name(condition)} ({seen})") from problem
        await asyncio.sleep(pause_s)
        pause_s = min(_LONGEST_POLL_S, pause_s * 1.3)


async def throughout(condition: Callable[[], object], for_s: float, *, what: str = "") -> None:
    """Poll for `for_s` seconds; fails the test as soon as the condition doesn't hold: for what must not happen."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert condition(), f"no longer true: {what or _name(condition)}"
        await asyncio.sleep(_POLL_S)


async def _ask(
    condition: Callable[[], Found | Awaitable[Found | None] | None],
) -> tuple[Found | None, Exception | None]:
    try:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
    except Exception as problem:  # noqa: BLE001 - whatever it is, the condition doesn't hold yet
        return None, problem
    return answer, None


def _name(condition: Callable[[], object]) -> str:
    return getattr(condition, "__qualname__", repr(condition))
