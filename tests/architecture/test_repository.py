"""What is committed: whole, locked, and free of addresses and places of any one machine."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
ITSELF = "tests/architecture/test_repository.py"
# Most are far below; one that can be split no better may have a few lines more than 300.
LONGEST_FILE = 350

REGISTRY = re.compile(
    r"https?://[^\s\"'<>)]*(/simple\b|pypi|npmjs|/maven2?\b|repo1?\.maven|/repository/|crates\.io|proxy\.golang)"
    r"|--(extra-)?index-url|--find-links|--trusted-host"
)
PLACE = re.compile("(?<![\\w.}])/(work|root|home)/")
EMPTY_NAME = re.compile(r"(^|/)(utils?|common|helpers?|manager|misc|base)(\.py|/)")
# A letter in brackets keeps this line from finding itself.
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b|NotImplementedErro[r]")
SLEEP = re.compile(r"\b(asyncio|time)\.sleep\(")
SKIPPED = re.compile(r"pytest\.(skip|xfail)\(|mark\.(skip|xfail)")


def tracked(*patterns: str) -> list[Path]:
    git = shutil.which("git") or "git"
    command = (git, "ls-files", "-z", *patterns)
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # A file that was removed and not yet committed is still listed.
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def found(pattern: re.Pattern[str], files: list[Path], *, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for file in files
        if file.relative_to(ROOT).as_posix() not in but
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="ignore").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_registry_address_is_committed() -> None:
    assert not found(REGISTRY, tracked(), but=(ITSELF, "Makefile"))
    assert not re.search("https?:", (ROOT / "Makefile").read_text())


def test_no_place_of_one_machine_is_committed() -> None:
    assert not found(PLACE, tracked())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_has_one_version_and_a_hash(lock: Path) -> None:
    text = lock.read_text()
    packages = re.findall(r"^([A-Za-z0-9._-]+)(.*(?:\n    .*)*)", text, flags=re.MULTILINE)
    assert packages
    assert not [name for name, rest in packages if not rest.startswith("==") or "--hash=sha256:" not in rest]


def test_everything_that_is_needed_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runnable = project["dependencies"] + project["optional-dependencies"]["build"]
    everything = [need for extra in project["optional-dependencies"].values() for need in extra] + runnable
    assert not missing("runnable", runnable)
    assert not missing("everything", everything)


def missing(lock: str, needs: list[str]) -> set[str]:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE))
    return {plain_name(need) for need in needs} - {plain_name(name) for name in locked}


def plain_name(need: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def test_files_stay_short() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in tracked("*.py")}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}


def test_modules_are_named_after_what_they_know() -> None:
    names = [file.relative_to(ROOT).as_posix() for file in tracked()]
    assert not [name for name in names if EMPTY_NAME.search(name)]


def test_nothing_is_left_unfinished() -> None:
    assert not found(UNFINISHED, tracked("*.py"))


def test_tests_wait_for_conditions_and_run_always() -> None:
    # A time that has to pass is the exception, and its line says why.
    sleeps = [line for line in found(SLEEP, tracked("tests/**/test_*.py"), but=(ITSELF,)) if "  # " not in line]
    assert not sleeps
    assert not found(SKIPPED, tracked("tests/*.py"), but=(ITSELF,))


def test_every_schema_change_is_sql_in_a_numbered_file() -> None:
    files = tracked("*/migrations/*")
    assert not [file.name for file in files if not re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", file.name)]
