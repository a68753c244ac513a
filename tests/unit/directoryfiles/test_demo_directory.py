"""The demonstration's files are what their script makes, and right."""

import json
from pathlib import Path

from demo.make_directory import CONNECTOR_SEED, REFUSE_PERCENT, USERS, is_refused, write
from services.provisioning_engine.domain.connectors import Move
from services.provisioning_engine.edges.simulated import SimulatedConnector
from tests.unit.directoryfiles.folders import found_in

DEMO = Path(__file__).parents[3] / "demo"


def test_the_files_are_what_the_script_makes(tmp_path: Path) -> None:
    write(tmp_path)
    made = sorted((tmp_path / "directory").iterdir())
    assert [file.name for file in made] == sorted(file.name for file in (DEMO / "directory").iterdir())
    for file in made:
        assert file.read_bytes() == (DEMO / "directory" / file.name).read_bytes(), file.name
    assert (tmp_path / "expected.json").read_bytes() == (DEMO / "expected.json").read_bytes()


def test_the_files_import_without_a_bad_row(tmp_path: Path) -> None:
    (tmp_path / "directory").symlink_to(DEMO / "directory")
    found = found_in(tmp_path / "directory")
    assert found.bad == []
    assert sum(key.startswith("user/") for key in found.keys) == USERS


def test_the_three_stories_are_a_clean_one_one_with_packages_and_one_with_failures() -> None:
    clean, packages, failures = [
        story["expected"] for story in json.loads((DEMO / "expected.json").read_text(encoding="utf-8"))["stories"]
    ]
    assert clean["migrated"] == clean["planned"] > 0
    assert clean["excluded"] == clean["packages_generated"] == 0
    assert packages["packages_generated"] > 0
    assert packages["migrated"] == packages["planned"] > 0
    assert failures["failed"] > 0
    assert failures["excluded"] > 0
    assert failures["migrated"] + failures["failed"] == failures["planned"]


async def test_the_script_knows_whom_the_simulated_connector_refuses() -> None:
    connector = SimulatedConnector({"refuse_percent": str(REFUSE_PERCENT), "seed": CONNECTOR_SEED})
    moves = [Move("r", 0, at, 1, "mobile-devices", "acme", f"u{at:04d}", "basic", "plus") for at in range(2000)]
    refused = await connector.move_users(moves)
    assert {position for _, position in refused} == {at for at in range(2000) if is_refused("acme", f"u{at:04d}")}
