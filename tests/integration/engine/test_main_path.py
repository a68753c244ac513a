"""A request goes its way: planned, packages made, everybody moved with one event each."""

from datetime import UTC, datetime, timedelta

from contracts.directory import CustomerRegistered, UserPlanAssigned, UserRemoved
from contracts.requests import UserRef
from tests.integration.engine.asking import ask, assigned, customer, of, these
from tests.integration.engine.process import Engine
from tests.waiting import eventually


def reasons(engine: Engine, request: str) -> dict[str, str]:
    """Give who was excluded, and why."""
    excluded = engine.listener.data(request, "users-excluded")
    return {user: part["reason"] for part in excluded for user in part["users"]}


async def test_everybody_moves_once_and_packages_come_before_their_users(shared: Engine) -> None:
    await shared.learn([*customer("m-has", 3), *customer("m-lacks", 5, gold=False)])
    request = ask(of("m-has", "m-lacks"), generate_missing_packages=True)
    await shared.tell(request)
    finished = await shared.listener.ended(request.request)

    assert (finished["status"], finished["migrated"], finished["packages_generated"]) == ("Provisioned", 8, 1)
    assert set((await shared.plans("m-lacks")).values()) == {"gold"}
    said = [document["type"].split(".")[-2] for document in shared.listener.said(request.request)]
    lacking = [d for d in shared.listener.said(request.request) if d["data"].get("customer") == "m-lacks"]
    kinds = [document["type"].split(".")[-2] for document in lacking]
    assert kinds == ["batch-planned", "package-generated", *["user-migrated"] * 5, "batch-finished"]
    assert said.count("user-migrated") == len({d["id"] for d in shared.listener.said(request.request, "user-migrated")})
    generated = await shared.package("m-lacks", "gold")
    assert (generated["seat_limit"], generated["used"], generated["reserved"]) == (5, 5, 0)
    assert generated["generated_by"] == request.request
    assert (await shared.package("m-lacks", "silver")) == {}


async def test_selected_is_planned_and_excluded_with_every_reason(shared: Engine) -> None:
    users = [assigned("x-some", f"other{number}", "bronze", 1) for number in range(2)]
    await shared.learn(
        [
            *customer("x-some", 4, seats=3),
            *users,
            *customer("x-none", 2, gold=False),
            *customer("x-off", 2, active=False),
            UserRemoved(revision=2, customer="x-some", user="u3"),
        ]
    )
    refs = [("x-some", f"u{n}") for n in range(4)] + [("x-some", "other0"), ("x-none", "u0"), ("x-off", "u1")]
    listed = these("x-some").model_copy(
        update={"users": tuple(UserRef(customer=name, user=user) for name, user in refs)}
    )
    request = ask(listed)
    await shared.tell(request)
    await shared.listener.ended(request.request)

    planned = shared.listener.data(request.request, "migration-planned")[0]
    assert (planned["selected"], planned["planned"], planned["excluded"]) == (7, 3, 4)
    assert planned["excluded_by_reason"] == {
        "not-on-source-plan": 1,
        "destination-package-missing": 1,
        "customer-inactive": 1,
        "user-removed": 1,
    }


async def test_a_full_package_takes_as_many_as_fit_in_the_order_of_users(shared: Engine) -> None:
    await shared.learn([*customer("full", 5, seats=3), assigned("full", "old", "gold", 1)])
    request = ask(of("full"))
    await shared.tell(request)
    await shared.listener.ended(request.request)

    assert reasons(shared, request.request) == dict.fromkeys(("u2", "u3", "u4"), "seat-limit-reached")
    assert (await shared.package("full", "gold"))["used"] == 3


async def test_one_list_of_exceptions_leaves_people_out_without_a_word(shared: Engine) -> None:
    await shared.learn(customer("but", 4))
    selection = of("but").model_copy(update={"excluded_users": (UserRef(customer="but", user="u1"),)})
    request = ask(selection)
    await shared.tell(request)
    finished = await shared.listener.ended(request.request)
    assert finished["migrated"] == finished["planned"] == 3
    assert (await shared.plans("but"))["u1"] == "silver"


async def test_users_on_several_plans_each_go_their_way(shared: Engine) -> None:
    await shared.learn([*customer("two", 3), *(assigned("two", f"b{n}", "bronze", 1) for n in range(2))])
    request = ask(of("two"), mappings=(("silver", "gold"), ("bronze", "silver")))
    await shared.tell(request)
    await shared.listener.ended(request.request)
    plans = await shared.plans("two")
    assert plans == {"u0": "gold", "u1": "gold", "u2": "gold", "b0": "bronze", "b1": "bronze"}
    assert set(reasons(shared, request.request).values()) == {"destination-package-missing"}


async def test_who_changed_between_plan_and_execution_is_skipped_with_the_reason(shared: Engine) -> None:
    await shared.learn([*customer("drift", 5), *customer("gone", 2), *customer("stays", 1)])
    start = datetime.now(UTC) + timedelta(seconds=2)
    request = ask(of("drift", "gone", "stays"), start_at=start)
    await shared.tell(request)
    await shared.listener.until(request.request, "migration-pending")
    await shared.learn(
        [
            UserPlanAssigned(revision=2, customer="drift", user="u0", service="mail", plan="bronze"),
            UserRemoved(revision=2, customer="drift", user="u1"),
            assigned("drift", "u2", "silver", 2),
            CustomerRegistered(revision=2, customer="gone", reseller="provider", name="Gone Ltd", active=False),
        ]
    )
    finished = await shared.listener.ended(request.request)

    assert (finished["status"], finished["skipped"]) == ("Partially provisioned", 4)
    skipped = {
        (data["customer"], data["user"]): data["reason"]
        for data in shared.listener.data(request.request, "user-migration-skipped")
    }
    assert skipped == {
        ("drift", "u0"): "plan-changed",
        ("drift", "u1"): "user-removed",
        ("gone", "u0"): "customer-inactive",
        ("gone", "u1"): "customer-inactive",
    }
    moved = {data["user"]: data["revision"] for data in shared.listener.data(request.request, "user-migrated")}
    assert moved == {"u0": 1, "u2": 2, "u3": 1, "u4": 1}
    end = next(d for d in shared.listener.data(request.request, "batch-finished") if d["customer"] == "drift")
    assert end["revisions"] == {"2": 2}
    started = shared.listener.said(request.request, "migration-started")[0]["time"]
    assert datetime.fromisoformat(started) >= start


async def test_a_package_that_fills_up_before_the_turn_skips_the_rest(shared: Engine) -> None:
    await shared.learn(customer("late", 3, seats=3))
    request = ask(of("late"), start_at=datetime.now(UTC) + timedelta(seconds=1.5))
    await shared.tell(request)
    await shared.listener.until(request.request, "migration-pending")
    await shared.learn([assigned("late", "fast", "gold", 1)])
    finished = await shared.listener.ended(request.request)
    assert (finished["migrated"], finished["skipped"]) == (2, 1)
    package = await shared.package("late", "gold")
    assert (package["used"], package["reserved"]) == (3, 0)


async def test_two_requests_for_the_same_users_move_nobody_twice(shared: Engine) -> None:
    await shared.learn([*customer("both", 30), *customer("too", 30)])
    requests = [ask(of("both", "too")) for _ in range(2)]
    await shared.tell(*requests)
    finished = [await shared.listener.ended(request.request) for request in requests]
    assert sum(one["migrated"] for one in finished) == 60
    await eventually(lambda: shared.package("both", "gold"), within=5)
    assert (await shared.package("both", "gold"))["used"] == 30
