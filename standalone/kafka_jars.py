"""Apache Kafka's jars: fetched through Maven once per user, checked against the hashes that were written down."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

from standalone.java import find_maven, run_logged
from standalone.problems import StackProblem, not_reachable

KAFKA_VERSION = "4.3.1"
FILES = Path(__file__).with_name("kafka_files")
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"


async def kafka_jars(java: Path, progress: Callable[[str], None], log: Path) -> Path:
    """The folder with the broker's jars; raises StackProblem if they can't be had."""
    jars = platformdirs.user_cache_path("planshift") / f"kafka-{KAFKA_VERSION}"
    if await asyncio.to_thread(_wrong_jars, jars):
        await _fetch(jars, java, progress, log)
    return jars


async def _fetch(jars: Path, java: Path, progress: Callable[[str], None], log: Path) -> None:
    maven, environment = await find_maven(java, progress, log)
    progress(f"Kafka: fetching Apache Kafka {KAFKA_VERSION} with Maven, about 40 MB, once for this user")
    jars.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="kafka-", dir=jars.parent))
    try:
        await _run_maven(maven, environment, draft, log)
        wrong = await asyncio.to_thread(_wrong_jars, draft)
        if wrong:
            raise not_reachable(f"Maven brought other files than expected ({', '.join(wrong)}); see {log}")
        shutil.rmtree(jars, ignore_errors=True)
        _keep(draft, jars)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


async def _run_maven(maven: Path, environment: dict[str, str], draft: Path, log: Path) -> None:
    command = (
        *(str(maven), "-q", "-B", "-f", str(FILES / "pom.xml"), _GOAL),
        *("-DincludeScope=runtime", f"-DoutputDirectory={draft}"),
    )
    if await run_logged(command, log, environment) != 0:
        raise _maven_failed(log)


def _maven_failed(log: Path) -> StackProblem:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("[ERROR]").strip() for line in lines if line.startswith("[ERROR]")]
    reason = errors[0][:200] if errors else "no reason given"
    return not_reachable(f"Maven could not fetch Apache Kafka ({reason}); see {log}")


def _keep(draft: Path, jars: Path) -> None:
    try:
        draft.rename(jars)
    except OSError:
        # Another stack of this user was faster: its jars are the same.
        if _wrong_jars(jars):
            raise


def _wrong_jars(folder: Path) -> list[str]:
    """The names of jars that are missing or aren't the ones that were written down."""
    lines = (FILES / "jars.sha256").read_text(encoding="ascii").splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    return [name for name, digest in expected.items() if not _is_file(folder / name, digest)]


def _is_file(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
