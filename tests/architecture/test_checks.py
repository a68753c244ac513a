"""The other checks of `make check` find what they are for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TWICE = "\n".join(f"    total = total * {number} + values[{number}]" for number in range(12))


def check(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    name, *arguments = command
    return subprocess.run(
        (str(BIN / name), *arguments), cwd=folder, capture_output=True, text=True, check=False, env={"NO_COLOR": "1"}
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two modules with our settings."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("one", "two"):
        body = f'def {name}(values: list[int]) -> int:\n    """Sum."""\n    total = 0\n{TWICE}\n    return total\n'
        (tmp_path / f"{name}.py").write_text(f'"""Module {name}."""\n\nimport sqlalchemy\n\n\n{body}')
    return tmp_path


def test_code_that_stands_twice_is_found(project: Path) -> None:
    done = check(project, "pylint", "--score=n", "one.py", "two.py")
    assert done.returncode != 0
    assert "Similar lines in 2 files" in done.stdout


def test_dependencies_that_are_dead_or_undeclared_are_found(project: Path) -> None:
    done = check(project, "deptry", ".")
    assert done.returncode == 1
    assert "'asyncpg' defined as a dependency but not used" in done.stderr
    assert "'sqlalchemy' imported but missing" in done.stderr


def test_every_ignore_of_the_linter_says_why() -> None:
    section = (ROOT / "pyproject.toml").read_text().split("[tool.ruff.lint]")[1].split("[tool.ruff.lint.pydocstyle]")[0]
    ignores = [line for line in section.splitlines() if line.startswith('    "')]
    assert ignores
    assert not [line for line in ignores if "# " not in line]
