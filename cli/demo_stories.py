"""The demonstration's files: what the provider exported, the migrations that are shown, and what has to come out."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from cli.drafts import Wishes

FOLDER = Path(__file__).resolve().parent.parent / "demo"
EXPECTED_FILE = FOLDER / "expected.json"


class Story(NamedTuple):
    """One migration: what it shows, what is chosen in the wizard, and the counts that it has to end with."""

    title: str
    wishes: Wishes
    expected: dict[str, Any]


def directory_files() -> list[Path]:
    """Give the CSV files that the made-up provider exported."""
    return sorted((FOLDER / "directory").glob("*.csv"))


def stories() -> list[Story]:
    """Give the migrations in the order in which they are shown."""
    document = json.loads(EXPECTED_FILE.read_text(encoding="utf-8"))
    return [_story(item) for item in document["stories"]]


def _story(item: dict[str, Any]) -> Story:
    chosen = item["wizard"]
    wishes = Wishes(
        name=chosen["name"],
        description=chosen["description"],
        service=chosen["service"],
        mappings=chosen["mappings"],
        all_customers=chosen.get("all_customers", True),
        all_users=chosen.get("all_users", True),
        generate_missing_packages=chosen.get("generate_missing_packages", False),
        customers_left_out=tuple(chosen.get("customers_left_out", ())),
        users_left_out=tuple((user["customer"], user["user"]) for user in chosen.get("users_left_out", ())),
    )
    return Story(item["title"], wishes, item["expected"])


def differences(story: Story, found: dict[str, Any]) -> list[str]:
    """Name every count of the tracker's answer that isn't as expected."""
    said = {**found["counts"], "status": found["status"], "packages_generated": found["packages"]["generated"]}
    return [
        f"{story.title}: {name} is {said.get(name)}, expected {wanted}"
        for name, wanted in story.expected.items()
        if said.get(name) != wanted
    ]
