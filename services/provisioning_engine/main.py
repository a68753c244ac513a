"""The engine's process: `serve` runs it, `check` prints its settings, `migrate` brings its database up to date."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from services.provisioning_engine.application import bring_up_to_date, build, open_engine_pool
from services.provisioning_engine.settings import EngineSettings
from serving.process import EXIT_DONE, EXIT_WRONG_CALL, run
from serving.settings import BadSettings


async def _migrate(settings: EngineSettings) -> None:
    async with AsyncExitStack() as stack:
        for name in await bring_up_to_date(await open_engine_pool(settings, stack, size=1)):
            sys.stdout.write(f"applied {name}\n")


def main(arguments: Sequence[str]) -> int:
    """Run the command; gives the exit code."""
    match arguments:
        case ["serve" | "check"]:
            return run("engine", EngineSettings, build)
        case ["migrate"]:
            try:
                asyncio.run(_migrate(EngineSettings.load()))
            except BadSettings as bad:
                sys.stderr.write(f"planshift engine: wrong settings: {'; '.join(bad.problems)}\n")
                return EXIT_WRONG_CALL
            return EXIT_DONE
        case _:
            sys.stderr.write("usage: python -m services.provisioning_engine.main serve | migrate | check\n")
            return EXIT_WRONG_CALL


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
