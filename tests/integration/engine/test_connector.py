"""A connector to an outside system: what it refuses ends as failed, with what it said."""

from tests.integration.engine.asking import ask, customer, of
from tests.integration.engine.process import Engine


async def test_users_whom_the_outside_system_refuses_fail_and_the_others_move(shared: Engine) -> None:
    await shared.learn(customer("c-half", 40, service="calendar"))
    request = ask(of("c-half"), service="calendar")
    await shared.tell(request)
    finished = await shared.listener.ended(request.request)

    failed = shared.listener.data(request.request, "user-migration-failed")
    assert finished["status"] == "Partially provisioned"
    assert 5 < finished["failed"] == len(failed) < 35
    assert finished["migrated"] == 40 - finished["failed"]
    assert {(one["reason"], one["transient"]) for one in failed} == {("refused-by-connector", False)}
    plans = await shared.plans("c-half")
    assert {user for user, plan in plans.items() if plan == "silver"} == {one["user"] for one in failed}
    package = await shared.package("c-half", "gold")
    assert (package["used"], package["reserved"]) == (finished["migrated"], 0)


async def test_the_same_users_are_refused_each_time(shared: Engine) -> None:
    await shared.learn(customer("c-same", 20, service="calendar"))
    requests = [ask(of("c-same"), service="calendar") for _ in range(2)]
    for request in requests:
        await shared.tell(request)
        await shared.listener.ended(request.request)
    first, second = (
        {one["user"] for one in shared.listener.data(request.request, "user-migration-failed")} for request in requests
    )
    assert first == second


async def test_a_package_that_is_refused_fails_its_users(shared: Engine) -> None:
    await shared.learn([*customer("c-pack", 3, service="files", gold=False), *customer("c-has", 2, service="files")])
    request = ask(of("c-pack", "c-has"), service="files", generate_missing_packages=True)
    await shared.tell(request)
    finished = await shared.listener.ended(request.request)

    assert (finished["migrated"], finished["failed"], finished["packages_generated"]) == (2, 3, 0)
    refused = shared.listener.data(request.request, "package-generation-failed")
    assert [(one["customer"], one["plan"]) for one in refused] == [("c-pack", "gold")]
    failed = shared.listener.data(request.request, "user-migration-failed")
    assert {(one["customer"], one["reason"]) for one in failed} == {("c-pack", "package-generation-failed")}
    assert await shared.package("c-pack", "gold") == {}
