"""What the local stack refuses: one clear line each, and nothing is damaged."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from standalone.folder import FORMAT
from standalone.ports import Ports
from standalone.problems import StackProblem
from standalone.stack import Stack
from tests.integration.standalone_parts.up import settings


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def refusal(stack: Stack) -> StackProblem:
    with pytest.raises(StackProblem) as caught:
        await stack.start()
    assert "\n" not in caught.value.line
    assert not stack.parts
    return caught.value


async def test_taken_ports_are_all_named_with_their_parts(tmp_path: Path) -> None:
    ports = Ports.free()
    with socket.create_server(("127.0.0.1", ports.wizard)), socket.create_server(("127.0.0.1", ports.tracker)):
        problem = await refusal(Stack(settings(tmp_path / "data", "services", ports)))
    assert problem.exit_code == 2
    assert f"{ports.wizard} (wizard" in problem.line
    assert f"{ports.tracker} (tracker" in problem.line
    assert f"{ports.engines[0]}" not in problem.line
    async with Stack(settings(tmp_path / "data", "services", ports)) as stack:
        await stack.start()


async def test_a_second_stack_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with Stack(settings(tmp_path, "services", Ports.free())) as first:
        await first.start()
        before = first.state
        problem = await refusal(Stack(settings(tmp_path, "services", Ports.free())))
        fresh = await refusal(Stack(settings(tmp_path, "services", Ports.free(), fresh=True)))
        assert first.state == before
        assert first.folder.token_file.exists()
        assert all([await part.ready() for part in first.parts.values()])
    assert problem.exit_code == fresh.exit_code == 2
    assert "runs already" in problem.line


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_folder_with_something_else_is_left_alone_even_with_fresh(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    before = contents(tmp_path)
    problem = await refusal(Stack(settings(tmp_path, "services", Ports.free(), fresh=fresh)))
    assert problem.exit_code == 2
    assert "isn't Planshift's" in problem.line
    assert contents(tmp_path) == before


async def test_the_folder_of_another_version_is_left_alone_unless_fresh(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("planshift data folder, format 0\n")
    (tmp_path / "state.json").write_text("{}")
    before = contents(tmp_path)
    problem = await refusal(Stack(settings(tmp_path, "services", Ports.free())))
    assert problem.exit_code == 2
    assert "another version" in problem.line
    assert contents(tmp_path) == before
    async with Stack(settings(tmp_path, "services", Ports.free(), fresh=True)) as stack:
        await stack.start()
        assert (tmp_path / "format").read_text().strip() == FORMAT


async def test_a_nearly_full_disk_is_said_before_anything_is_made(tmp_path: Path) -> None:
    wanted = settings(tmp_path / "data", "services", Ports.free())
    problem = await refusal(Stack(replace(wanted, least_free_bytes=2**62)))
    assert problem.exit_code == 2
    assert "nearly full" in problem.line
    assert not (tmp_path / "data").exists()


async def test_a_file_where_the_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    problem = await refusal(Stack(settings(tmp_path / "data", "services", Ports.free())))
    assert problem.exit_code == 2
    assert "isn't a folder" in problem.line


@pytest.mark.parametrize("text", ["0", "65530", "many", "-1", "1.5"])
def test_a_first_port_that_is_none_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANSHIFT_FIRST_PORT", text)
    with pytest.raises(StackProblem, match="PLANSHIFT_FIRST_PORT") as caught:
        Ports.from_environment(1)
    assert caught.value.exit_code == 2
