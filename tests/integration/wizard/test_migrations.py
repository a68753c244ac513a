"""A whole request in one call: the same checks, every problem at its place, and one request whatever is repeated."""

from typing import Any

import pytest

from tests.integration.wizard.process import Wizard
from tests.integration.wizard.records import customer, publish, world
from tests.integration.wizard.test_drafts import codes


def body(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "service": "mail",
        "mappings": [{"from_plan": "silver", "to_plan": "gold"}],
        "selection": {"all_customers": True, "all_users": True},
        "name": "From another system",
    } | more


def users(*listed: str) -> list[dict[str, str]]:
    return [dict(zip(("customer", "user"), one.split("/"), strict=True)) for one in listed]


async def test_one_call_becomes_one_request(shared: Wizard) -> None:
    asked = await shared.call("POST", "/v1/migrations", body(mode="preview"), caller="system")
    assert asked.status_code == 202
    assert (asked.json()["users"], asked.json()["customers"]) == (9, 3)
    request = asked.json()["request"]
    assert asked.headers["Location"] == f"http://tracker.example/v1/requests/{request}"
    [event] = await shared.said(request)
    assert event["data"]["mode"] == "preview"
    assert event["data"]["requested_by"] == "system"
    assert event["data"]["seen"]["users"] == 9


async def test_the_same_key_gives_the_same_request_and_another_body_is_refused(shared: Wizard) -> None:
    first = await shared.call("POST", "/v1/migrations", body(), key="same")
    again = await shared.call("POST", "/v1/migrations", body(), key="same")
    assert first.json() == again.json()
    assert len(await shared.said(first.json()["request"])) == 1
    other = await shared.call("POST", "/v1/migrations", body(name="another"), key="same")
    assert other.status_code == 422
    assert other.json()["type"] == "urn:planshift:problem:idempotency-key-reused"


async def test_after_an_unknown_answer_a_reference_finds_the_request(shared: Wizard) -> None:
    asked = await shared.call("POST", "/v1/migrations", body(reference="order-77"))
    found = (await shared.call("GET", "/v1/migrations?reference=order-77")).json()["items"]
    assert [row["request"] for row in found] == [asked.json()["request"]]
    again = await shared.call("POST", "/v1/migrations", body(reference="order-77"))
    assert (again.status_code, again.json()["request"]) == (409, asked.json()["request"])
    nobodys = (await shared.call("GET", "/v1/migrations?reference=order-77", caller="auditor")).json()
    assert nobodys["items"] == []
    of_another_caller = await shared.call("POST", "/v1/migrations", body(reference="order-77"), caller="system")
    assert of_another_caller.status_code == 202


async def test_named_users_are_asked_for_on_whatever_plan_they_are(shared: Wizard) -> None:
    listed = users("acme/a0", "acme/a9", "core/c2")
    asked = await shared.call("POST", "/v1/migrations", body(selection={"users": listed}, requested_by="Berta"))
    assert (asked.json()["users"], asked.json()["customers"]) == (3, 2)
    [event] = await shared.said(asked.json()["request"])
    assert event["data"]["selection"]["users"] == listed
    assert not event["data"]["selection"]["all_users"]
    assert event["data"]["requested_by"] == "Berta"


async def test_criteria_with_exceptions_stay_criteria(shared: Wizard) -> None:
    selection = {
        "all_customers": True,
        "all_users": True,
        "excluded_customers": ["bolt"],
        "excluded_users": users("acme/a0"),
    }
    asked = await shared.call("POST", "/v1/migrations", body(selection=selection))
    assert asked.json()["users"] == 6
    [event] = await shared.said(asked.json()["request"])
    published = event["data"]["selection"]
    assert {name: published[name] for name in selection} == selection


async def test_named_customers_become_a_list_of_customers(shared: Wizard) -> None:
    named = body(selection={"customers": ["acme", "core"], "all_users": True})
    asked = await shared.call("POST", "/v1/migrations", named)
    [event] = await shared.said(asked.json()["request"])
    assert event["data"]["selection"]["customers"] == ["acme", "core"]
    assert event["data"]["selection"]["parts"] == 0


async def test_a_long_list_comes_in_parts_before_its_request(wizard: Wizard) -> None:
    await wizard.start()
    many = [f"u{number:05d}" for number in range(6000)]
    await wizard.knows(
        await publish(wizard.kafka, wizard.prefix, [*world(), *customer("many", dict.fromkeys(many, "silver"))])
    )
    listed = users(*(f"many/{user}" for user in many))
    asked = await wizard.call("POST", "/v1/migrations", body(selection={"users": listed}))
    assert asked.json()["users"] == 6000
    said = await wizard.said(asked.json()["request"], 3)
    assert [event["type"].split(".")[2] for event in said] == [
        "migration-selection-part",
        "migration-selection-part",
        "migration-requested",
    ]
    assert [user for event in said[:2] for user in event["data"]["users"]] == listed
    assert (said[2]["data"]["selection"]["parts"], said[2]["data"]["selection"]["users"]) == (2, [])


async def test_every_problem_is_named_at_its_place(shared: Wizard) -> None:
    wrong = body(
        mappings=[{"from_plan": "silver", "to_plan": "gold"}, {"from_plan": "gold", "to_plan": "silver"}],
        selection={
            "users": users("acme/a0", "acme/a0", "acme/c0", "nobody/x"),
            "excluded_customers": ["nowhere"],
        },
        name="x" * 10_000,
        description="\u0000",
        start_at="2999-01-01T00:00:00Z",
    )
    refused = await shared.call("POST", "/v1/migrations", wrong)
    assert refused.status_code == 422
    assert codes(refused) == [
        ("/mappings/0", "mapping-in-a-circle"),
        ("/mappings/1", "mapping-in-a-circle"),
        ("/selection/users/1", "user-listed-twice"),
        ("/selection/excluded_customers/0", "customer-unknown"),
        ("/selection/users/2", "user-unknown"),
        ("/selection/users/3/customer", "customer-unknown"),
        ("/name", "name-invalid"),
        ("/description", "description-invalid"),
        ("/start_at", "start-out-of-range"),
    ]
    assert "core has one of that id" in refused.text


@pytest.mark.parametrize(
    "more,expected",
    [
        ({"service": "nope"}, ("/service", "service-unknown")),
        ({"mappings": []}, ("/mappings", "mappings-empty")),
        ({"mappings": [{"from_plan": "silver", "to_plan": "silver"}]}, ("/mappings/0/to_plan", "mapping-to-itself")),
        ({"mappings": [{"from_plan": "silver", "to_plan": "x"}]}, ("/mappings/0/to_plan", "plan-unknown")),
        ({"selection": {"all_customers": True}}, ("/selection/users", "selection-empty")),
        ({"selection": {"customers": ["acme"], "excluded_customers": ["acme"], "all_users": True}}, None),
        ({"name": "a\nb"}, ("/name", "name-invalid")),
        ({"start_at": "yesterday"}, ("/start_at", "datetime_from_date_parsing")),
        ({"start_at": "2001-01-01T00:00:00Z"}, ("/start_at", "start-out-of-range")),
        ({"surprise": 1}, ("/surprise", "extra_forbidden")),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    shared: Wizard, more: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    before = len(await shared.everything_said())
    refused = await shared.call("POST", "/v1/migrations", body(**more))
    assert refused.status_code == 422
    if expected:
        assert expected in codes(refused)
    assert len(await shared.everything_said()) == before


async def test_a_selection_that_matches_nobody_is_refused(shared: Wizard) -> None:
    upside_down = [{"from_plan": "bronze", "to_plan": "silver"}]
    selection = {"customers": ["bolt"], "all_users": True}
    refused = await shared.call("POST", "/v1/migrations", body(mappings=upside_down, selection=selection))
    assert codes(refused) == [("/selection", "selection-empty")]


async def test_what_the_caller_saw_binds(shared: Wizard) -> None:
    asked = await shared.call("POST", "/v1/migrations", body(seen={"users": 8, "tolerance_percent": 5}))
    [event] = await shared.said(asked.json()["request"])
    assert (event["data"]["seen"]["users"], event["data"]["seen"]["tolerance_percent"]) == (8, 5)


async def test_users_in_a_csv_file_become_a_request(shared: Wizard) -> None:
    path = "/v1/migrations/csv?service=mail&map=silver=gold&name=By+file&mode=preview"
    asked = await shared.call("POST", path, csv=b"user;customer\na0;acme\nb1;bolt\n", caller="system")
    assert asked.status_code == 202, asked.text
    [event] = await shared.said(asked.json()["request"])
    assert event["data"]["selection"]["users"] == users("acme/a0", "bolt/b1")
    refused = await shared.call("POST", path, csv=b"customer,user\nacme,a0\n,b1\n")
    assert codes(refused) == [("line:3", "not-an-identifier")]


async def test_confirming_and_declining_are_said_once_each(shared: Wizard) -> None:
    asked = (await shared.call("POST", "/v1/migrations", body())).json()["request"]
    confirmed = {"manifest_hash": "abc", "why": "fine"}
    for _ in range(2):
        answer = await shared.call("POST", f"/v1/migrations/{asked}/confirm", confirmed, key=f"{asked}-yes")
        assert answer.status_code == 202
    await shared.call("POST", f"/v1/migrations/{asked}/decline", {"by": "Berta", "why": "no"})
    events = (await shared.said(asked, 3))[1:]
    assert [(event["type"].split(".")[2], event["data"]["by"]) for event in events] == [
        ("migration-confirmed", "anna"),
        ("migration-declined", "Berta"),
    ]
    assert events[0]["data"]["manifest_hash"] == "abc"


async def test_only_who_may_asks(shared: Wizard) -> None:
    assert (await shared.call("POST", "/v1/migrations", body(), caller="auditor")).status_code == 403
    answer = await shared.call("POST", "/v1/migrations/mr-1/confirm", {"manifest_hash": "x"}, caller="system")
    assert answer.status_code == 403


async def test_what_was_asked_is_listed_in_pages_the_latest_first(shared: Wizard) -> None:
    latest = (await shared.call("POST", "/v1/migrations", body())).json()["request"]
    page = await shared.call("GET", "/v1/migrations?limit=1")
    [row] = page.json()["items"]
    assert row["request"] == latest or row["request"] > latest
    following = await shared.call("GET", page.links["next"]["url"])
    assert following.json()["items"][0]["request"] < row["request"]
    assert (await shared.call("GET", f"/v1/migrations/{latest}")).json()["name"] == "From another system"
    assert (await shared.call("GET", "/v1/migrations/mr-none")).status_code == 404
