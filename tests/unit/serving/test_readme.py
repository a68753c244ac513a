"""The description of serving names its modules, and no other."""

import re
from pathlib import Path

import serving

FOLDER = Path(serving.__file__).parent


def test_the_description_names_every_module_and_no_other() -> None:
    text = (FOLDER / "README.md").read_text()
    named = {name for line in text.splitlines() if "#" in line for name in re.findall(r"\b(\w+)\.py\b", line)}
    assert named - {"main"} == {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
