"""What a running stack tells others about itself: addresses, files and processes, in one JSON file."""

import contextlib
import json
import os
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from standalone.folder import DataFolder, default_folder

_START_TIME_SLACK_S = 0.05


class RunningPart(BaseModel):
    """One process of the stack; pid and start time (seconds since 1970) together name it beyond doubt."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float
    log: Path


class StackState(BaseModel):
    """
    Where the parts of a stack are.

    `urls` has one base URL for each service process by its part's name ("wizard", "engine", "tracker"; with several
    engines "engine-1", "engine-2", …). `databases` has one URL without password for each service.
    """

    model_config = ConfigDict(frozen=True)

    supervisor: int
    folder: Path
    kafka: str | None
    postgres: str | None
    topic_prefix: str
    urls: dict[str, str]
    databases: dict[str, str]
    token_file: Path
    parts: dict[str, RunningPart]


def write_state(folder: DataFolder, state: StackState) -> None:
    """Write the state file, whole or not at all."""
    draft = folder.state_file.with_suffix(".new")
    draft.write_text(json.dumps(state.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    draft.replace(folder.state_file)


def read_state(folder: DataFolder) -> StackState | None:
    """The last state that was written, also by a stack that is gone; None if there is none that can be read."""
    try:
        return StackState.model_validate_json(folder.state_file.read_bytes())
    except (OSError, ValidationError):
        return None


def find_running(path: Path | None = None) -> StackState | None:
    """The stack that runs now on this data folder (default: the user's), or None."""
    folder = DataFolder(path or default_folder())
    return read_state(folder) if folder.held_by() is not None else None


def running_part(pid: int, log: Path) -> RunningPart | None:
    """Describe a process that we started; None if it is gone already."""
    try:
        return RunningPart(pid=pid, started=psutil.Process(pid).create_time(), log=log)
    except psutil.NoSuchProcess:
        return None


def end_leftovers(folder: DataFolder) -> list[str]:
    """
    Kill what an earlier stack of this folder left running; answers the names of the parts that it found.

    Only call it while holding the folder. A process is ours only if pid and start time are those that were written
    down, so a pid that went to another program meanwhile is left alone.
    """
    state = read_state(folder)
    found = {}
    for name, part in state.parts.items() if state else ():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(part.pid)
            if abs(process.create_time() - part.started) < _START_TIME_SLACK_S and part.pid != os.getpid():
                found[name] = [process, *process.children(recursive=True)]
    everything = [process for family in found.values() for process in family]
    for process in everything:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(everything, timeout=10)
    return list(found)
