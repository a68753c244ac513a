"""The planshift command against the running stack, as a person uses it."""

import asyncio
import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.asking import make_known
from tests.e2e.conftest import Running
from tests.e2e.world import World
from tests.waiting import eventually


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    def document(self) -> Any:  # noqa: ANN401 - JSON
        """Give the output as JSON."""
        return json.loads(self.out)


async def planshift(running: Running, *arguments: str) -> Said:
    """Run the command beside the stack, which has to be looked after meanwhile."""
    environment = {**os.environ, "PLANSHIFT_DATA": str(running.stack.folder.path)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return Said(process.returncode or 0, out.decode(), err.decode())


async def known_world(running: Running, **more: Any) -> World:  # noqa: ANN401 - members of World
    """A world that the services know."""
    world = World({"a": 40, "b": 7}, **more)
    await make_known(running, world)
    return world


def call_of(world: World, *more: str) -> tuple[str, ...]:
    """The call that migrates a world."""
    return ("migrate", "--service", world.service, "--map", "silver=gold", "--json", *more)


async def test_status_names_every_service(running: Running) -> None:
    said = await planshift(running, "status", "--json")

    assert said.code == 0
    assert set(said.document()["services"]) == {"wizard", "engine-1", "engine-2", "tracker"}


async def test_config_check_prints_the_settings_without_secrets(running: Running) -> None:
    said = await planshift(running, "config", "check", "--json")

    assert said.code == 0, said.out
    assert said.document()["engine"]["settings"]["PLANSHIFT_DATABASE_PASSWORD"] == "********"


async def test_migrate_waits_and_results_name_every_user(running: Running) -> None:
    world = await known_world(running)

    done = await planshift(running, *call_of(world, "--wait", "--name", "From the command line"))

    assert (done.code, done.document()["status"]) == (0, "Provisioned")
    request = done.document()["request"]
    rows = list(csv.DictReader(io.StringIO((await planshift(running, "results", request, "--csv")).out)))
    assert len(rows) == world.total
    assert {row["outcome"] for row in rows} == {"migrated"}
    lines = (await planshift(running, "results", request, "--jsonl")).out.splitlines()
    assert len(lines) == world.total
    listed = (await planshift(running, "requests", "list", "--service", world.service, "--json")).document()
    assert [item["request"] for item in listed] == [request]


async def test_a_dry_run_changes_nothing_and_failures_are_exit_code_1(running: Running) -> None:
    world = await known_world(running, without_gold=frozenset({"a", "b"}))

    preview = await planshift(running, *call_of(world, "--dry-run"))
    real = await planshift(running, *call_of(world, "--wait", "--generate-missing"))

    assert (preview.code, preview.document()["counts"]["excluded"]) == (0, world.total)
    assert (real.code, real.document()["counts"]["migrated"]) == (0, world.total)


async def test_users_of_a_file_and_exceptions_are_what_is_migrated(running: Running, tmp_path: Path) -> None:
    world = await known_world(running)
    customer = world.customer("a")
    file = tmp_path / "users.csv"
    file.write_text(
        "customer,user\n" + "".join(f"{customer},{world.user(number)}\n" for number in range(5)), encoding="utf-8"
    )

    more = ("--users-file", str(file), "--exclude-user", f"{customer}/{world.user(0)}", "--wait")
    done = await planshift(running, *call_of(world, *more))

    assert done.document()["counts"]["migrated"] == 4, done.err


async def test_the_same_reference_finds_the_first_request(running: Running) -> None:
    world = await known_world(running)

    first = await planshift(running, *call_of(world, "--reference", f"{world.name}-1"))
    again = await planshift(running, *call_of(world, "--reference", f"{world.name}-1"))

    assert first.document()["request"] == again.document()["request"]


async def test_a_request_that_makes_no_sense_is_exit_code_2_with_every_problem(running: Running) -> None:
    world = await known_world(running)

    said = await planshift(
        running,
        "migrate",
        "--service",
        world.service,
        "--map",
        "silver=silver",
        "--map",
        "gold=none",
        "--name",
        "x" * 300,
    )

    assert said.code == 2
    assert len([line for line in said.err.splitlines() if line.startswith("  ")]) >= 3


async def test_events_of_a_request_are_shown_exported_and_republished(running: Running, tmp_path: Path) -> None:
    world = await known_world(running)
    request = (await planshift(running, *call_of(world, "--wait"))).document()["request"]

    told = await planshift(running, "events", "tail", "--from-start", "--once", "--request", request, "--json")
    await planshift(running, "events", "export", "--request", request, "--out", str(tmp_path / "events.jsonl"))

    events = [json.loads(line) for line in told.out.splitlines()]
    migrated = [event for event in events if event["event"]["type"].endswith("user-migrated.v1")]
    assert len(migrated) == world.total
    assert len((tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()) == len(events)
    shard, sequence = migrated[0]["partition"], int(migrated[0]["event"]["sequence"])
    again = await planshift(running, "events", "republish", str(shard), "--from", str(sequence), "--json")
    assert again.document()["sent"] >= 1


async def test_the_tracker_is_rebuilt_to_the_same_answer(running: Running) -> None:
    world = await known_world(running)
    request = (await planshift(running, *call_of(world, "--wait"))).document()["request"]
    before = (await planshift(running, "requests", "show", request, "--json")).document()

    rebuilt = await planshift(running, "tracker", "rebuild", "--json")

    assert (rebuilt.code, rebuilt.document()["state"]) == (0, "done")

    async def same() -> bool:
        after = (await planshift(running, "requests", "show", request, "--json")).document()
        return bool(after["counts"] == before["counts"] and after["timeline"] == before["timeline"])

    await eventually(same, within=30)


async def test_a_generated_directory_is_imported_once_and_a_second_time_changes_nothing(
    running: Running, tmp_path: Path
) -> None:
    folder = str(tmp_path / "made")
    await planshift(running, "directory", "generate", "--users", "400", "--seed", "9", "--out", folder)

    first = (await planshift(running, "directory", "import", folder, "--json")).document()
    second = (await planshift(running, "directory", "import", folder, "--json")).document()

    assert (first["bad_rows"], first["published"]) == (0, first["rows"])
    assert (second["published"], second["unchanged"]) == (0, first["rows"])
    exported = tmp_path / "export.jsonl"
    assert (await planshift(running, "directory", "export", "--out", str(exported))).code == 0
    customer = next(
        document["customer"]
        for document in map(json.loads, exported.read_text(encoding="utf-8").splitlines())
        if document["kind"] == "customer"
    )
    shown = await planshift(running, "directory", "show", customer, "--json")
    assert shown.document()["customer"] == customer
