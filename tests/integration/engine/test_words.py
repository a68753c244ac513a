"""A request may end before it starts, wait, and be spoken about later."""

from datetime import UTC, datetime, timedelta

from contracts.requests import (
    MigrationApproved,
    MigrationCancelRequested,
    MigrationConfirmed,
    MigrationDeclined,
    MigrationPauseRequested,
    MigrationRequested,
    Seen,
)
from tests.integration.engine.asking import ask, customer, of
from tests.integration.engine.process import Engine


async def unconfirmed(engine: Engine, name: str) -> tuple[MigrationRequested, str]:
    """Give a request that waits for a confirmation, and its manifest's hash."""
    await engine.learn(customer(name, 4))
    request = ask(of(name), seen=Seen(users=2, customers=1, tolerance_percent=10.0))
    await engine.tell(request)
    required = await engine.listener.until(request.request, "migration-confirmation-required")
    assert (required["seen_users"], required["found_users"]) == (2, 4)
    return request, required["manifest_hash"]


async def test_a_preview_names_everything_and_changes_nothing(shared: Engine) -> None:
    await shared.learn(customer("w-pre", 3, gold=False))
    request = ask(of("w-pre"), mode="preview", generate_missing_packages=True)
    await shared.tell(request)
    planned = await shared.listener.until(request.request, "migration-planned")

    assert (planned["mode"], planned["planned"], planned["packages"]) == (
        "preview",
        3,
        [{"plan": "gold", "customers": 1}],
    )
    lives = datetime.fromisoformat(planned["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < lives <= timedelta(hours=24)
    assert shared.listener.data(request.request, "batch-planned")[0]["mode"] == "preview"
    assert await shared.package("w-pre", "gold") == {}
    again = ask(of("w-pre"), generate_missing_packages=True)
    await shared.tell(again)
    await shared.listener.ended(again.request)
    executed = shared.listener.data(again.request, "migration-planned")[0]
    assert executed["hash"] == planned["hash"]
    assert [d["type"].split(".")[-2] for d in shared.listener.said(request.request)] == [
        "migration-planning-started",
        "batch-planned",
        "migration-planned",
    ]


async def test_a_manifest_far_from_what_was_seen_waits_for_the_right_confirmation(shared: Engine) -> None:
    request, manifest = await unconfirmed(shared, "w-conf")
    assert (await shared.package("w-conf", "gold"))["reserved"] == 4
    await shared.tell(MigrationConfirmed(request=request.request, by="ann", manifest_hash="0" * 64))
    refused = await shared.listener.until(request.request, "migration-command-refused")
    assert (refused["state"], manifest in refused["detail"]) == ("pending-confirmation", True)
    await shared.tell(MigrationConfirmed(request=request.request, by="ann", manifest_hash=manifest))
    finished = await shared.listener.ended(request.request)
    assert finished["migrated"] == 4


async def test_a_decline_ends_the_request_and_frees_its_seats(shared: Engine) -> None:
    request, manifest = await unconfirmed(shared, "w-decl")
    await shared.tell(MigrationDeclined(request=request.request, by="ann", why="too many"))
    declined = await shared.listener.until(request.request, "migration-ended-by-decline")
    assert (declined["by"], declined["why"]) == ("ann", "too many")
    assert (await shared.package("w-decl", "gold"))["reserved"] == 0
    assert set((await shared.plans("w-decl")).values()) == {"silver"}
    await shared.tell(MigrationConfirmed(request=request.request, by="ann", manifest_hash=manifest))
    refused = await shared.listener.until(request.request, "migration-command-refused")
    assert refused["state"] == "declined"


async def test_within_the_tolerance_nobody_is_asked(shared: Engine) -> None:
    await shared.learn(customer("w-tol", 10))
    request = ask(of("w-tol"), seen=Seen(users=9, customers=1, tolerance_percent=12.0))
    await shared.tell(request)
    assert (await shared.listener.ended(request.request))["migrated"] == 10


async def test_a_request_that_waits_for_its_start_begins_by_itself(shared: Engine) -> None:
    await shared.learn(customer("w-later", 2))
    start = datetime.now(UTC) + timedelta(seconds=1)
    request = ask(of("w-later"), start_at=start)
    await shared.tell(request)
    pending = await shared.listener.until(request.request, "migration-pending")
    assert datetime.fromisoformat(pending["start_at"]) == start
    assert set((await shared.plans("w-later")).values()) == {"silver"}
    await shared.listener.ended(request.request)
    assert set((await shared.plans("w-later")).values()) == {"gold"}


async def test_words_that_cannot_be_followed_are_refused_aloud_each_once(shared: Engine) -> None:
    await shared.learn(customer("w-words", 1))
    request = ask(of("w-words"))
    await shared.tell(request)
    await shared.listener.ended(request.request)
    for word in (MigrationPauseRequested, MigrationCancelRequested):
        await shared.tell(word(request=request.request, by="ann"))
    await shared.tell(MigrationApproved(request=request.request, by="ann", manifest_hash="x"))
    await shared.listener.until(request.request, "migration-command-refused", times=3)
    refused = shared.listener.said(request.request, "migration-command-refused")
    assert [one["data"]["command"].split(".")[-2] for one in refused] == [
        "migration-pause-requested",
        "migration-cancel-requested",
        "migration-approved",
    ]
    assert len({one["id"] for one in refused}) == 3
    assert {one["data"]["state"] for one in refused} == {"finished"}


async def test_a_word_about_a_request_that_never_came_is_refused(shared: Engine) -> None:
    await shared.tell(MigrationPauseRequested(request="never-came", by="ann"))
    refused = await shared.listener.until("never-came", "migration-command-refused")
    assert refused["state"] == "unknown"


async def test_a_request_for_nobody_finishes_at_once(shared: Engine) -> None:
    await shared.learn(customer("w-nobody", 1, plan="bronze"))
    request = ask(of("w-nobody"))
    await shared.tell(request)
    finished = await shared.listener.ended(request.request)
    assert (finished["status"], finished["planned"]) == ("Provisioned", 0)


async def test_a_request_that_makes_no_sense_is_rejected_with_every_problem(shared: Engine) -> None:
    await shared.learn(customer("w-bad", 1))
    request = ask(
        of("w-bad", "w-bad", "nobody"),
        mappings=(("silver", "silver"), ("bronze", "gold"), ("gold", "bronze"), ("bronze", "tin")),
        name="a\nb",
    )
    await shared.tell(request)
    rejected = await shared.listener.until(request.request, "migration-rejected")
    assert {problem["code"] for problem in rejected["problems"]} == {
        "name-invalid",
        "mapping-to-itself",
        "source-mapped-twice",
        "mapping-in-a-circle",
        "plan-unknown",
        "customer-unknown",
        "customer-listed-twice",
    }
    assert rejected["problem_count"] == len(rejected["problems"])
