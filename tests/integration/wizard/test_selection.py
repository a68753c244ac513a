"""Check boxes, counts and the published selection mean the same users, however many there are."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.requests import PART_LIMIT, UserRef
from eventlog.ledger import MAX_EVENT_BYTES, read_ledger
from services.wizard.domain.asked import AskedSelection
from services.wizard.domain.checks import MappingWish
from services.wizard.domain.selection import Choices
from services.wizard.edges import draft_store, request_events, selection_store
from services.wizard.edges.request_events import Occasion
from tests.integration.wizard.conftest import View
from tests.integration.wizard.records import NOW, catalogue, customer, record

Pair = tuple[str, str]
CUSTOMERS, USERS = ["a", "b", "c"], ["1", "2", "3", "4"]
PAIRS = list(itertools.product(CUSTOMERS, USERS))
_drafts = itertools.count()

CHOICES = st.builds(
    Choices,
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from(CUSTOMERS), st.booleans()),
    st.dictionaries(st.sampled_from(CUSTOMERS), st.booleans()),
    st.dictionaries(st.sampled_from(PAIRS), st.booleans()),
)


def on_silver(pair: Pair) -> bool:
    return pair != ("a", "4")


async def stored(view: View, choices: Choices) -> str:
    """Keep choices as a draft that moves silver to gold."""
    name = f"d{next(_drafts)}"
    whole = AskedSelection(all_customers=choices.customers_base, all_users=choices.users_base)
    ways = [MappingWish("silver", "gold")]
    await draft_store.insert_asked(
        view.conn,
        name,
        "anna",
        whole,
        service="mail",
        mappings=ways,
        generate_missing_packages=False,
        name="n",
        description="",
    )
    await draft_store.set_customers_base(view.conn, name, selected=choices.customers_base)
    for selected in (True, False):
        customers = [one for one, wanted in choices.customers.items() if wanted is selected]
        users_of = [one for one, wanted in choices.users_of.items() if wanted is selected]
        await selection_store.check_customers(view.conn, name, customers, selected=selected)
        await selection_store.check_users_of(view.conn, name, users_of, selected=selected)
    for selected in (True, False):
        users = [UserRef(customer=c, user=u) for (c, u), wanted in choices.users.items() if wanted is selected]
        await selection_store.check_users(view.conn, name, users, selected=selected)
    return name


async def published(view: View, draft: str, *, base: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write the draft's selection; gives it as published, and its parts."""
    whole = await selection_store.has_whole_customers(view.conn, draft)
    request = f"r-{draft}"
    async with view.conn.transaction():
        selection = await request_events.selection(
            view.conn, draft, request, whole=whole, base=base, when=Occasion(NOW)
        )
    events = [
        json.loads(e.body) for n in range(4) for c in await read_ledger(view.conn, n, 1, 10_000) for e in c.events
    ]
    return json.loads(selection.model_dump_json()), [e["data"] for e in events if e["data"]["request"] == request]


def meant(selection: dict[str, Any], parts: Sequence[dict[str, Any]], everybody: Sequence[Pair]) -> set[Pair]:
    """Give whom a published selection means, by the words of the contract alone."""
    lists: dict[str, list[Any]] = {
        name: list(selection[name]) for name in ("customers", "excluded_customers", "users", "excluded_users")
    }
    for part in parts:
        lists[part["list"]] += part["users"] or part["customers"]
    users = {(user["customer"], user["user"]) for user in lists["users"]}
    out = {(user["customer"], user["user"]) for user in lists["excluded_users"]}
    own_scope = not selection["all_users"] and not lists["customers"]
    return {
        (customer, user)
        for customer, user in everybody
        if (selection["all_customers"] or own_scope or customer in lists["customers"])
        and customer not in lists["excluded_customers"]
        and (selection["all_users"] or (customer, user) in users)
        and (customer, user) not in out
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHOICES)
async def test_counts_and_published_selection_equal_the_check_boxes_of_everybody(view: View, choices: Choices) -> None:
    if not await view.conn.fetchval("SELECT count(*) FROM plan"):
        plans = {pair: "silver" if on_silver(pair) else "bronze" for pair in PAIRS}
        for name in CUSTOMERS:
            await view.fold([record(e) for e in customer(name, {u: plans[name, u] for u in USERS})])
        await view.fold([record(e) for e in catalogue()])
    brute_force = {pair for pair in PAIRS if on_silver(pair) and choices.selects(*pair)}
    draft = await stored(view, choices)
    totals = await selection_store.totals(view.conn, draft)
    assert sum(mapping.users for mapping in totals.mappings) == len(brute_force)
    assert sum(mapping.customers for mapping in totals.mappings) == len({customer for customer, _ in brute_force})
    selection, parts = await published(view, draft, base=choices.customers_base and choices.users_base)
    assert {pair for pair in meant(selection, parts, PAIRS) if on_silver(pair)} == brute_force
    assert len(parts) == selection["parts"]


async def test_a_long_list_goes_into_numbered_parts_of_bounded_size(view: View) -> None:
    long = "u" * 120
    users = [f"{long}{number:06d}" for number in range(12_000)]
    everybody = [("big", user) for user in users]
    choices = Choices(
        customers_base=False, users_base=False, customers={"big": True}, users=dict.fromkeys(everybody, True)
    )
    draft = await stored(view, choices)
    selection, parts = await published(view, draft, base=False)
    assert selection["users"] == []
    assert [part["part"] for part in parts] == list(range(1, selection["parts"] + 1))
    assert all(len(part["users"]) <= PART_LIMIT for part in parts)
    assert all(len(json.dumps(part)) < MAX_EVENT_BYTES for part in parts)
    assert meant(selection, parts, everybody) == set(everybody)


async def test_users_picked_out_of_a_customer_leave_the_others_out(view: View) -> None:
    await view.fold([record(e) for e in [*catalogue(), *customer("big", {f"{n:05d}": "silver" for n in range(2500)})]])
    choices = Choices(customers_base=True, users_base=True, users_of={"big": False}, users={("big", "00007"): True})
    selection, parts = await published(view, await stored(view, choices), base=True)
    everybody = [("big", f"{n:05d}") for n in range(2500)]
    assert meant(selection, parts, everybody) == {("big", "00007")}
    assert {part["list"] for part in parts} == {"excluded_users"}
