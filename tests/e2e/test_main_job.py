"""The main job through the wizard's API: a preview, a migration, its results, and that the numbers add up all along."""

import pytest

from contracts.directory import ConnectorChoice
from tests.e2e.asking import ask, make_known
from tests.e2e.conftest import Running
from tests.e2e.verdict import assert_all_is_right, until_ended
from tests.e2e.world import World
from tests.waiting import eventually

BIG, SMALL = 3_000, 25


def mixed_world() -> World:
    """One customer over a batch's limit, one without the destination package, one with too few seats."""
    return World({"big": BIG, "small": SMALL, "lacking": 10, "full": 20}, frozenset({"lacking"}), {"full": 5})


async def test_a_preview_says_what_the_migration_then_does(running: Running) -> None:
    world = mixed_world()
    await make_known(running, world)

    preview = await until_ended(running, await ask(running, world, mode="preview"))
    done = await until_ended(running, request := await ask(running, world))

    assert (preview["status"], done["status"]) == ("Previewed", "Provisioned")
    assert preview["counts"]["excluded"] == done["counts"]["excluded"] == 10 + 15
    assert done["counts"]["migrated"] == BIG + SMALL + 5
    history = await assert_all_is_right(running, [request])
    assert history.requests[request].excluded == {"destination-package-missing": 10, "seat-limit-reached": 15}


async def test_missing_packages_are_generated_before_their_users(running: Running) -> None:
    world = mixed_world()
    await make_known(running, world)

    request = await ask(running, world, generate_missing_packages=True)
    done = await until_ended(running, request)

    assert done["counts"]["migrated"] == BIG + SMALL + 10 + 5
    history = await assert_all_is_right(running, [request])
    assert history.requests[request].packages == 1


async def test_a_connector_that_refuses_some_users_leaves_a_partial_result(running: Running) -> None:
    options = {"refuse_percent": "10", "seed": "e2e"}
    world = World({f"c{n}": 50 for n in range(20)}, connector=ConnectorChoice(name="simulated", options=options))
    await make_known(running, world)

    request = await ask(running, world)
    done = await until_ended(running, request)

    assert done["status"] == "Partially provisioned"
    assert 50 < done["counts"]["failed"] < 150
    await assert_all_is_right(running, [request])
    failed = [
        row async for row in running.tracker.lines(f"/v1/requests/{request}/results", format="jsonl", outcome="failed")
    ]
    assert len(failed) == done["counts"]["failed"]
    assert {row["reason"] for row in failed} == {"refused-by-connector"}


async def test_asking_again_is_refused_because_nobody_is_on_the_source_plan(running: Running) -> None:
    world = World({"a": 40})
    await make_known(running, world)
    await until_ended(running, await ask(running, world))

    async def refused() -> bool:
        answer = await running.wizard.http.post(
            "/v1/migrations", json=world.request(), headers={"Idempotency-Key": "k"}
        )
        return answer.status_code == 422 and answer.json()["errors"][0]["code"] == "selection-empty"

    await eventually(refused, within=20, what="the wizard has read of the migration, too")


@pytest.mark.parametrize("share", [1, 7])
async def test_many_requests_run_side_by_side(running: Running, share: int) -> None:
    worlds = [World({"a": 100 * share, "b": 30}) for _ in range(5)]
    for world in worlds:
        await make_known(running, world)

    requests = [await ask(running, world) for world in worlds]

    for world, request in zip(worlds, requests, strict=True):
        assert (await until_ended(running, request))["counts"]["migrated"] == world.total
    await assert_all_is_right(running, requests)
