"""A supervisor in a process of its own: `python -m … FOLDER PARTS PORT…`, with stand-ins for the services."""

import asyncio
import sys
from pathlib import Path

from standalone.ports import Ports
from standalone.stack import StackSettings
from standalone.state import StackState
from standalone.up import run_up
from tests.integration.standalone_parts import standin_service


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _ready(state: StackState) -> None:
    _say(f"up: {len(state.parts)} parts")


def settings(folder: Path, parts: str, ports: Ports, *, fresh: bool = False) -> StackSettings:
    """What the tests run; `parts` is comma-separated."""
    standin = (sys.executable, str(standin_service.__file__))
    return StackSettings(
        ports=ports,
        folder=folder,
        parts=frozenset(parts.split(",")),
        fresh=fresh,
        quick=True,
        commands=dict.fromkeys(("wizard", "engine", "tracker"), standin),
    )


if __name__ == "__main__":
    _folder, _parts, *_ports = sys.argv[1:]
    wizard, tracker, kafka, controller, postgres, *engines = map(int, _ports)
    _chosen = Ports(wizard, tracker, kafka, controller, postgres, tuple(engines))
    sys.exit(asyncio.run(run_up(settings(Path(_folder), _parts, _chosen), _say, _ready)))
