"""The tracker's process: `serve`, `migrate`, `rebuild`, `dump`, `check`."""

import argparse
import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable

import uvloop

from eventlog.connections import quiet_client_logs
from services.request_tracker.edges import generations
from services.request_tracker.edges.dumping import dump
from services.request_tracker.edges.rebuilding import CannotRebuild, Progress, rebuild
from services.request_tracker.settings import READER, TrackerSettings
from serving.logs import configure
from serving.postgres import open_pool
from serving.process import EXIT_DIED, EXIT_DONE, EXIT_WRONG_CALL, run
from serving.settings import BadSettings


def main() -> int:
    """Do what the command line says; returns the exit code."""
    if sys.argv[1:] in (["serve"], ["check"]):
        return _serve()
    parser = argparse.ArgumentParser(prog="tracker", description="Planshift's request tracker.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="fold the topics and answer over HTTP")
    commands.add_parser("check", help="print the settings and every problem of theirs")
    commands.add_parser("migrate", help="make or update the projection's schema")
    rebuilding = commands.add_parser("rebuild", help="fold everything from the beginning, then change over")
    rebuilding.add_argument("--into", type=int, metavar="N", help="a generation that was made for it already")
    dumping = commands.add_parser("dump", help="print the canonical dump of the projection")
    dumping.add_argument("--generation", type=int, metavar="N", help="not the one that answers but this one")
    arguments = parser.parse_args()
    work = {
        "migrate": _migrate,
        "rebuild": lambda settings: _rebuild(settings, arguments.into),
        "dump": lambda settings: _dump(settings, arguments.generation),
    }[arguments.command]
    return _once(work)


def _serve() -> int:
    # Imported here: a rebuild needs no HTTP, and half a second of every start would go into it.
    from services.request_tracker.application import build  # noqa: PLC0415

    return run("tracker", TrackerSettings, build)


def _once(work: Callable[[TrackerSettings], Awaitable[int]]) -> int:
    """Do a piece of work that ends, with the service's settings."""
    try:
        settings = TrackerSettings.load()
    except BadSettings as bad:
        sys.stderr.write(f"planshift tracker: wrong settings: {'; '.join(bad.problems)}\n")
        return EXIT_WRONG_CALL
    configure("tracker", settings.instance, settings.log_level)
    quiet_client_logs()
    gc.set_threshold(100_000, 50, 50)

    async def do() -> int:
        return await work(settings)

    return uvloop.run(do())


async def _migrate(settings: TrackerSettings) -> int:
    async with open_pool(settings, service="tracker") as pool, pool.acquire() as conn:
        number = await generations.prepare(conn)
    sys.stdout.write(f"{generations.schema_of(number)} is up to date\n")
    return EXIT_DONE


async def _rebuild(settings: TrackerSettings, into: int | None) -> int:
    try:
        # Started by the service, progress is read from the database; its log is no place for it.
        done = await rebuild(settings, into, _tell if into is None else _keep_quiet)
    except CannotRebuild as error:
        sys.stderr.write(f"planshift tracker: the rebuild failed: {error}\n")
        return EXIT_DIED
    sys.stderr.write(f"rebuilt from {done.records:,} records\n")
    return EXIT_DONE


def _tell(progress: Progress) -> None:
    sys.stderr.write(f"rebuilding: {progress.records:,} of {progress.of_records:,}\n")


def _keep_quiet(_progress: Progress) -> None:
    """Tell nobody."""


async def _dump(settings: TrackerSettings, generation: int | None) -> int:
    async with open_pool(settings, service="tracker", max_size=2) as outside, outside.acquire() as conn:
        number = generation if generation is not None else await generations.current(conn)
    if number is None:
        sys.stderr.write("planshift tracker: there is no projection yet\n")
        return EXIT_DIED
    schema = generations.schema_of(number)
    async with open_pool(settings, service="tracker", max_size=2, schema=schema) as pool:
        async for text in dump(pool, READER):
            sys.stdout.write(text + "\n")
            await asyncio.sleep(0)
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main())
