"""The commands of the README and the code of the guides do what the text says."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Running

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE_S = 120


def blocks_of(document: str, language: str) -> list[str]:
    """Give the code blocks of a document in a language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


async def run(running: Running, folder: Path, command: str) -> str:
    """Run a line of the README as it stands, but for where the program is; gives what it printed."""
    program, *arguments = shlex.split(command, comments=True)
    assert program == "planshift"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PLANSHIFT_DATA": str(running.stack.folder.path), "PYTHONPATH": str(ROOT)},
    )
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 0, f"{command}: {err.decode()}"
    return out.decode()


async def test_the_commands_of_the_readme_run_one_after_the_other(running: Running, tmp_path: Path) -> None:
    block = next(block for block in blocks_of("README.md", "sh") if "directory generate" in block)
    request = ""
    for line in block.splitlines():
        out = await run(running, tmp_path, line.replace("REQUEST", request))
        if line.startswith("planshift migrate"):
            listed = json.loads(await run(running, tmp_path, "planshift requests list --limit 1 --json"))
            request = listed[0]["request"]
        assert out or "results" in line

    assert request


async def test_the_readme_names_only_commands_that_there_are(running: Running, tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`planshift ([a-z]+(?: [a-z]+)?)", text))

    for command in sorted(named):
        await run(running, tmp_path, f"planshift {command} --help")


def test_the_example_of_the_end_is_right_code() -> None:
    block = next(block for block in blocks_of("docs/publishing.md", "python") if "has_ended" in block)
    names: dict[str, Any] = {}
    exec(compile(block, "docs/publishing.md", "exec"), names)  # noqa: S102 - our own document is what is tested
    last_sequence = {"3": 1207, "9": 388, "12": 41}

    assert not names["has_ended"](last_sequence, {3: 1206, 9: 388, 12: 41})
    assert names["has_ended"](last_sequence, {3: 1207, 9: 388, 12: 41})
