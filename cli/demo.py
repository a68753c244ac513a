"""`planshift demo`: a provider's directory and three migrations on a stack of their own, from nothing to a summary."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.complaints import DONE, ENDED_WITH_FAILURES, as_complaint, print_lines
from cli.output import coloured, note, print_table, say

if TYPE_CHECKING:
    from cli.demo_stories import Story
    from cli.places import Places
    from standalone.stack import Stack, StackSettings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Shown = list[tuple["Story", dict[str, Any]]]


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End by itself; exit code 0 only if every count is as expected.")
    ] = False,
) -> None:
    """Show Planshift at work on a made-up provider; Ctrl-C ends it and leaves nothing behind."""
    note("Planshift's demonstration is starting …")
    raise typer.Exit(asyncio.run(_demo(once=once)))


async def _demo(*, once: bool) -> int:
    from standalone.problems import StackProblem
    from standalone.stack import Stack

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, ended.set)
    stack = Stack(_settings(once=once))
    try:
        async with stack:
            code = await _on_stack(stack, ended, once=once)
    except StackProblem as problem:
        print_lines([problem.line])
        return problem.exit_code
    stack.erase()
    return code


def _settings(*, once: bool) -> "StackSettings":
    from cli.places import demo_folder
    from standalone.ports import Ports
    from standalone.stack import StackSettings

    ports = Ports.free() if once or not _usual_ports_are_free() else Ports.from_environment(1)
    return StackSettings(ports=ports, folder=demo_folder(), fresh=True)


def _usual_ports_are_free() -> bool:
    from standalone.ports import Ports, check_free
    from standalone.problems import StackProblem

    ports = Ports.from_environment(1)
    numbers = [*ports[:-1], *ports.engines]
    try:
        check_free({str(number): number for number in numbers})
    except StackProblem:
        return False
    return True


async def _on_stack(stack: "Stack", ended: asyncio.Event, *, once: bool) -> int:
    from cli.places import places_of

    starting = asyncio.create_task(stack.start(note))
    await _first(starting, ended)
    if not starting.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return DONE
    starting.result()
    places = places_of(stack.state)
    telling = _in_thread(lambda: _tell(places))
    dying = asyncio.create_task(stack.wait())
    await _first(telling, ended, dying)
    if not telling.done():
        return await _early_end(dying)
    code = telling.result()
    if not once:
        _say_what_next()
        await _first(dying, ended)
        code = code if ended.is_set() else await _early_end(dying)
    dying.cancel()
    return code


async def _first(*things: "asyncio.Future[Any] | asyncio.Event") -> None:
    """Wait for the first of several things."""
    waiting = [asyncio.ensure_future(thing.wait() if isinstance(thing, asyncio.Event) else thing) for thing in things]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for thing, future in zip(things, waiting, strict=True):
        if isinstance(thing, asyncio.Event):
            future.cancel()


async def _early_end(dying: "asyncio.Task[Any]") -> int:
    """End before the story is over: because a part died, or because a person wanted it."""
    if dying.done():
        print_lines([dying.result().line])
        return int(dying.result().exit_code)
    dying.cancel()
    return DONE


def _in_thread(work: Callable[[], int]) -> "asyncio.Future[int]":
    """Run blocking work beside the stack's supervision; a thread that nobody waits for at the end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()

    def settle(code: int | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(code or DONE)

    def run() -> None:
        code, problem = None, None
        try:
            code = work()
        except Exception as error:  # noqa: BLE001 - it is raised again where the future is awaited
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop is over: somebody pressed Ctrl-C
            loop.call_soon_threadsafe(settle, code, problem)

    threading.Thread(target=run, name="the demonstration", daemon=True).start()
    return future


def _tell(places: "Places") -> int:
    """Import the directory, show every story, sum up; gives the exit code."""
    try:
        return _told(places)
    except Exception as error:
        complaint = as_complaint(error)
        if complaint is None:
            raise
        print_lines(complaint.lines)
        return ENDED_WITH_FAILURES


def _told(places: "Places") -> int:
    from cli.demo_stories import differences, directory_files, stories
    from cli.importing import Wanted, import_and_wait

    files = directory_files()
    say(f"\n[bold]A provider's directory[/bold]: {', '.join(file.name for file in files)}")
    with TemporaryDirectory(prefix="planshift-demo-") as folder:
        done = import_and_wait(Wanted(files, cache_folder=Path(folder)), places)
    say(f"  {done.result.rows:,} rows, {done.result.published:,} facts published, {done.result.bad_rows:,} bad rows")
    shown = [(story, _show(places, story)) for story in stories()]
    _sum_up(shown)
    wrong = [line for story, answer in shown for line in differences(story, answer)]
    if wrong:
        print_lines(["not every count is as expected", *wrong])
    return ENDED_WITH_FAILURES if wrong else DONE


def _show(places: "Places", story: "Story") -> dict[str, Any]:
    """Take the wizard's steps and watch the migration to its end; gives the tracker's last answer."""
    from cli.drafts import STEPS, Walk
    from cli.following import watch
    from cli.places import client

    say(f"\n[bold]{story.title}[/bold]")
    with client("wizard", places) as wizard:
        walk = Walk(wizard, lambda number, text: say(f"  step {number} of {STEPS}: {text}"))
        request = walk.to_the_end(story.wishes)
    with client("tracker", places) as tracker:
        watch(tracker, request, title="  migrating")
        answer: dict[str, Any] = tracker.get(f"/v1/requests/{request}")
    say(f"  {coloured(answer['status'], answer['roll_up'])}")
    return answer


def _sum_up(shown: Shown) -> None:
    columns = ("Planned", "Migrated", "Failed", "Skipped", "Excluded", "Packages")
    rows = []
    for story, answer in shown:
        counts = answer["counts"]
        numbers = [counts[name.lower()] for name in columns[:-1]]
        status = coloured(answer["status"], answer["roll_up"])
        rows.append((answer["request"], story.title, status, *numbers, answer["packages"]["generated"]))
    say("")
    print_table("What happened", ("Request", "Migration", "Status", *columns), rows, right=columns)


def _say_what_next() -> None:
    say("\nTry in another terminal (from this folder, after `source .venv/bin/activate`):")
    for command in (
        "planshift requests list",
        "planshift requests show REQUEST",
        "planshift results REQUEST --outcome failed --csv",
        "planshift events tail --request REQUEST --from-start --once",
        "planshift directory show CUSTOMER",
        "planshift status",
    ):
        say(f"  {command}")
    say("Ctrl-C stops everything and leaves nothing behind.")
