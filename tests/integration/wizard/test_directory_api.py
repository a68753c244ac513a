"""What the view says over HTTP: services, plans, customers, users, its age, and all of it as a file."""

import json
from collections import Counter

from contracts.directory import UserRegistered, UserRemoved
from contracts.provisioning import PackageGenerated
from tests.integration.wizard.process import Wizard
from tests.integration.wizard.records import customer, publish, world
from tests.integration.wizard.test_view import batch, finished
from tests.waiting import eventually


async def test_services_and_plans_have_true_totals(shared: Wizard) -> None:
    [service] = (await shared.call("GET", "/v1/services")).json()["items"]
    assert (service["service"], service["plans"], service["users"]) == ("mail", 3, 11)
    plans = {row["plan"]: row for row in (await shared.call("GET", "/v1/services/mail/plans")).json()["items"]}
    assert (plans["silver"]["users"], plans["silver"]["customers"]) == (9, 3)
    assert (plans["gold"]["users"], plans["gold"]["packages"]) == (1, 2)
    assert (await shared.call("GET", "/v1/services/nope/plans")).status_code == 404


async def test_customers_are_searched_filtered_and_paged(shared: Wizard) -> None:
    first = await shared.call("GET", "/v1/customers?limit=2")
    assert (first.json()["total"], [row["customer"] for row in first.json()["items"]]) == (3, ["acme", "bolt"])
    second = await shared.call("GET", first.links["next"]["url"])
    assert [row["customer"] for row in second.json()["items"]] == ["core"]
    for query, expected in (
        ("q=BOLT", ["bolt"]),
        ("service=mail&plan=bronze", ["acme"]),
        ("reseller=nobody", []),
        ("active=false", []),
    ):
        assert [
            row["customer"] for row in (await shared.call("GET", f"/v1/customers?{query}")).json()["items"]
        ] == expected
    foreign = await shared.call("GET", f"/v1/customers?q=x&cursor={first.json()['next']}")
    assert foreign.json()["type"] == "urn:planshift:problem:bad-cursor"


async def test_a_customer_shows_its_packages_and_seats(shared: Wizard) -> None:
    found = (await shared.call("GET", "/v1/customers/core")).json()
    packages = {row["plan"]: row for row in found["packages"]}
    assert (packages["gold"]["seat_limit"], packages["gold"]["used"]) == (2, 1)
    assert not packages["silver"]["has_package"]
    assert (await shared.call("GET", "/v1/customers/nope")).status_code == 404


async def test_a_customers_users_have_names_and_plans(shared: Wizard) -> None:
    page = (await shared.call("GET", "/v1/customers/acme/users?plan=bronze&service=mail")).json()
    assert page["items"] == [{"user": "a9", "name": "User a9", "email": "a9@acme.example", "plans": {"mail": "bronze"}}]
    first = await shared.call("GET", "/v1/customers/acme/users?limit=4")
    second = await shared.call("GET", first.links["next"]["url"])
    assert [row["user"] for row in first.json()["items"] + second.json()["items"]] == [
        "a0",
        "a1",
        "a2",
        "a3",
        "a4",
        "a9",
    ]


async def test_the_export_is_the_merged_state_line_by_line(shared: Wizard) -> None:
    answer = await shared.call("GET", "/v1/directory/export")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert Counter(row["kind"] for row in rows) == {
        "reseller": 1,
        "customer": 3,
        "service": 1,
        "plan": 3,
        "package": 2,
        "user": 11,
        "assignment": 11,
    }


async def test_the_view_follows_removals_and_migrations(wizard: Wizard) -> None:
    await wizard.start()
    await wizard.knows(await publish(wizard.kafka, wizard.prefix, world()))
    planned = batch("bolt", ["b0", "b1"])
    made = PackageGenerated(request=planned.request, customer="bolt", service="mail", plan="gold", revision=0)
    await publish(wizard.kafka, wizard.prefix, [planned, made, finished(planned, 1)])
    gone = [UserRemoved(revision=2, customer="acme", user="a0"), *customer("dune", {"d0": "silver"})]
    again = UserRegistered(revision=2, customer="acme", user="a1", name="Renamed")
    await wizard.knows(await publish(wizard.kafka, wizard.prefix, [*gone, again]))

    async def migrated() -> bool:
        packages = (await wizard.call("GET", "/v1/customers/bolt")).json()["packages"]
        return {row["plan"]: row["used"] for row in packages} == {"gold": 1, "silver": 1}

    await eventually(migrated, within=20)
    users = (await wizard.call("GET", "/v1/customers/acme/users")).json()["items"]
    assert [row["user"] for row in users] == ["a1", "a2", "a3", "a4", "a9"]
    assert users[0]["name"] == "Renamed"
    positions = (await wizard.call("GET", "/v1/directory/positions")).json()
    assert (positions["records_behind"], positions["totals"]["assignments"]) == (0, 11)
