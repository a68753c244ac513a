"""The nine steps over HTTP, on a real Kafka and a real Postgres."""

from typing import Any

import httpx
import pytest

from tests.integration.wizard.process import Wizard

ALL = {"all_customers": True, "all_users": True, "generate_missing_packages": True}


def codes(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


class Draft:
    """A draft in the hands of somebody who always saw its latest version."""

    def __init__(self, wizard: Wizard, opened: httpx.Response) -> None:
        self.wizard, self.etag = wizard, opened.headers["ETag"]
        self.path = opened.headers["Location"]

    async def change(self, method: str, step: str, body: Any) -> httpx.Response:  # noqa: ANN401 - JSON
        answer = await self.wizard.call(method, f"{self.path}/{step}", body, etag=self.etag)
        self.etag = answer.headers.get("ETag", self.etag)
        return answer

    async def see(self, what: str = "") -> Any:  # noqa: ANN401 - JSON
        return (await self.wizard.call("GET", f"{self.path}{what}")).json()

    async def finish(self, body: Any = None, key: str | None = None) -> httpx.Response:  # noqa: ANN401 - JSON
        return await self.wizard.call("POST", f"{self.path}/finish", body, key=key)


async def opened(wizard: Wizard) -> Draft:
    answer = await wizard.call("POST", "/v1/drafts")
    assert answer.status_code == 201
    return Draft(wizard, answer)


async def prepared(wizard: Wizard, options: dict[str, bool] = ALL) -> Draft:
    """Give a draft on which everything but the selection is done: silver to gold."""
    draft = await opened(wizard)
    await draft.change("PUT", "options", options)
    await draft.change("PUT", "service", {"service": "mail"})
    await draft.change("PUT", "mappings", {"mappings": [{"from_plan": "silver", "to_plan": "gold"}]})
    answer = await draft.change("PUT", "details", {"name": "Up one level", "description": "as agreed"})
    assert answer.is_success, answer.text
    return draft


async def test_a_draft_goes_through_its_steps_and_becomes_one_request(shared: Wizard) -> None:
    draft = await prepared(shared)
    assert [step["complete"] for step in (await draft.see())["steps"]] == [True] * 8 + [False]
    finished = await draft.finish({"reference": "order-1"})
    assert finished.status_code == 202
    request = finished.json()["request"]
    assert finished.headers["Location"] == f"http://tracker.example/v1/requests/{request}"
    [event] = await shared.said(request)
    assert event["type"] == "planshift.requests.migration-requested.v1"
    data = event["data"]
    assert (data["name"], data["description"], data["requested_by"]) == ("Up one level", "as agreed", "anna")
    assert data["mappings"] == [{"from_plan": "silver", "to_plan": "gold"}]
    assert data["selection"]["all_customers"]
    assert data["selection"]["all_users"]
    assert data["generate_missing_packages"] is True
    assert (data["seen"]["users"], data["seen"]["customers"]) == (9, 3)
    assert sum(data["seen"]["directory_position"].values()) > 0
    assert (await draft.see())["steps"][8]["complete"]


async def test_finishing_twice_gives_the_same_request_and_says_it_once(shared: Wizard) -> None:
    draft = await prepared(shared)
    first = await draft.finish(key="one")
    again, other_key = await draft.finish(key="one"), await draft.finish(key="two")
    assert first.json() == again.json() == other_key.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(await shared.said(first.json()["request"])) == 1


async def test_an_unfinished_draft_names_everything_that_is_missing(shared: Wizard) -> None:
    draft = await opened(shared)
    refused = await draft.finish()
    assert refused.status_code == 422
    assert codes(refused) == [
        ("/options", "options-missing"),
        ("/service", "service-missing"),
        ("/name", "name-invalid"),
    ]
    assert (await draft.see())["state"] == "open"


@pytest.mark.parametrize(
    "step,body,expected",
    [
        ("service", {"service": "nope"}, [("/service", "service-unknown")]),
        ("details", {"name": "x" * 10_000}, [("/name", "name-invalid")]),
        ("details", {"name": "a\u0007b"}, [("/name", "name-invalid")]),
        (
            "mappings",
            {"mappings": [{"from_plan": "gold", "to_plan": "gold"}, {"from_plan": "x", "to_plan": "y"}]},
            [
                ("/mappings/0/to_plan", "mapping-to-itself"),
                ("/mappings/1/from_plan", "plan-unknown"),
                ("/mappings/1/to_plan", "plan-unknown"),
            ],
        ),
    ],
)
async def test_a_step_that_makes_no_sense_is_refused_and_not_saved(
    shared: Wizard, step: str, body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    draft = await prepared(shared)
    before = await draft.see()
    refused = await draft.change("PUT", step, body)
    assert (refused.status_code, codes(refused)) == (422, expected)
    assert await draft.see() == before


async def test_of_two_tabs_the_one_that_saw_an_old_version_changes_nothing(shared: Wizard) -> None:
    draft = await opened(shared)
    old = draft.etag
    assert (await draft.change("PUT", "options", ALL)).is_success
    late = await shared.call("PUT", f"{draft.path}/options", ALL | {"all_users": False}, etag=old)
    assert late.status_code == 412
    blind = await shared.call("PUT", f"{draft.path}/options", ALL)
    assert blind.status_code == 428
    assert (await draft.see())["options"] == ALL


async def test_a_mapping_without_a_destination_waits_for_its_step(shared: Wizard) -> None:
    draft = await prepared(shared)
    saved = await draft.change("PUT", "mappings", {"mappings": [{"from_plan": "silver"}]})
    steps = {step["name"]: step for step in saved.json()["steps"]}
    assert steps["sources"]["complete"]
    assert [problem["code"] for problem in steps["destinations"]["problems"]] == ["destination-missing"]
    assert (await draft.finish()).status_code == 422


async def test_choosing_the_same_service_again_keeps_the_mappings(shared: Wizard) -> None:
    draft = await prepared(shared)
    assert (await draft.change("PUT", "service", {"service": "mail"})).json()["mappings"] != []


async def test_matching_customers_show_packages_and_room(shared: Wizard) -> None:
    draft = await prepared(shared)
    page = await draft.see("/customers")
    rows = {row["customer"]: row for row in page["items"]}
    assert list(rows) == ["acme", "bolt", "core"]
    assert rows["acme"]["sources"] == [{"plan": "silver", "users": 5, "selected": 5}]
    assert rows["bolt"]["destinations"][0]["problem"] == "package-missing"
    assert rows["core"]["destinations"] == [
        {
            "plan": "gold",
            "needed": 2,
            "has_package": True,
            "seat_limit": 2,
            "used": 1,
            "problem": "seat-limit",
        }
    ]
    assert (page["totals"]["matching_customers"], page["totals"]["users"]) == (3, 9)


async def test_customers_come_in_pages_and_by_filters(shared: Wizard) -> None:
    draft = await prepared(shared)
    first = await shared.call("GET", f"{draft.path}/customers?limit=2")
    assert [row["customer"] for row in first.json()["items"]] == ["acme", "bolt"]
    second = await shared.call("GET", first.links["next"]["url"])
    assert [row["customer"] for row in second.json()["items"]] == ["core"]
    assert "next" not in second.links
    for query, expected in (("q=BOLT+ltd", ["bolt"]), ("problem=seat-limit", ["core"]), ("selected=false", [])):
        page = await draft.see(f"/customers?{query}")
        assert [row["customer"] for row in page["items"]] == expected
        assert page["filtered"]["customers"] == len(expected)


async def test_check_boxes_of_customers_count_at_once(shared: Wizard) -> None:
    draft = await prepared(shared)
    after = await draft.change("PATCH", "customers", {"deselect": ["acme"]})
    assert after.json()["totals"]["users"] == 4
    after = await draft.change("PATCH", "customers", {"everyone": "none", "select": ["bolt"]})
    assert after.json()["totals"]["users"] == 2
    after = await draft.change("PATCH", "customers", {"everyone": "none", "matching": {"q": "cor", "selected": True}})
    assert after.json()["totals"]["users"] == 2
    refused = await draft.change("PATCH", "customers", {"select": ["bolt", "nobody"]})
    assert codes(refused) == [("/select/1", "customer-unknown")]


async def test_check_boxes_of_users_count_at_once(shared: Wizard) -> None:
    draft = await prepared(shared)
    changes = {
        "customers": [{"customer": "acme", "users": "none"}],
        "select": [{"customer": "acme", "user": "a1"}],
        "deselect": [{"customer": "core", "user": "c0"}],
    }
    after = await draft.change("PATCH", "users", changes)
    assert after.json()["totals"]["users"] == 1 + 2 + 1
    page = await draft.see("/users/silver/acme?limit=3")
    assert [(row["user"], row["selected"]) for row in page["items"]] == [("a0", False), ("a1", True), ("a2", False)]
    assert (page["total"], page["items"][1]["name"]) == (5, "User a1")
    found = await draft.see("/users/silver/acme?q=a3@")
    assert [row["user"] for row in found["items"]] == ["a3"]
    refused = await draft.change("PATCH", "users", {"select": [{"customer": "acme", "user": "c0"}]})
    assert codes(refused) == [("/select/0", "user-unknown")]


async def test_users_come_from_a_csv_file(shared: Wizard) -> None:
    draft = await prepared(shared)
    path = f"{draft.path}/users"
    taken = await shared.call("PUT", path, csv=b"customer,user\nacme,a0\ncore,c1\n", etag=draft.etag)
    assert taken.json()["totals"]["users"] == 2
    draft.etag = taken.headers["ETag"]
    refused = await shared.call("PUT", path, csv=b"customer,user\nacme,a0\nacme,a0\n", etag=draft.etag)
    assert codes(refused) == [("line:3", "user-listed-twice")]


async def test_a_selection_of_nobody_is_refused(shared: Wizard) -> None:
    draft = await prepared(shared, ALL | {"all_customers": False})
    refused = await draft.finish()
    assert codes(refused) == [("/selection", "selection-empty")]
    await draft.change("PATCH", "customers", {"select": ["acme"]})
    await draft.change("PATCH", "users", {"everyone": "none"})
    assert codes(await draft.finish()) == [("/selection", "selection-empty")]


async def test_the_review_says_what_stands_in_the_way_and_how_old_it_is(shared: Wizard) -> None:
    draft = await prepared(shared)
    review = await draft.see("/review")
    assert review["ready"]
    assert review["capacity"] == [
        {"to_plan": "gold", "problem": "package-missing", "customers": 1, "users": 2},
        {"to_plan": "gold", "problem": "seat-limit", "customers": 1, "users": 2},
    ]
    assert review["view"]["seconds_behind"] == 0
    assert len(review["view"]["positions"]) == 16


async def test_a_finished_draft_cannot_be_changed(shared: Wizard) -> None:
    draft = await prepared(shared)
    await draft.finish()
    refused = await draft.change("PUT", "options", ALL)
    assert refused.status_code == 409


async def test_a_draft_that_was_given_up_is_gone(shared: Wizard) -> None:
    draft = await opened(shared)
    assert (await shared.call("DELETE", draft.path, etag=draft.etag)).status_code == 204
    assert (await shared.call("GET", draft.path)).status_code == 404


async def test_open_drafts_are_listed_the_latest_change_first(shared: Wizard) -> None:
    older, newer = await opened(shared), await opened(shared)
    await older.change("PUT", "options", ALL)
    listed = (await shared.call("GET", "/v1/drafts?limit=2")).json()["items"]
    assert [f"/v1/drafts/{row['draft']}" for row in listed] == [older.path, newer.path]


async def test_who_may_only_read_changes_nothing(shared: Wizard) -> None:
    draft = await opened(shared)
    for caller in ("auditor", "system"):
        assert (await shared.call("POST", "/v1/drafts", caller=caller)).status_code == 403
        assert (await shared.call("POST", f"{draft.path}/finish", caller=caller)).status_code == 403
        assert (await shared.call("GET", draft.path, caller=caller)).status_code == 200
