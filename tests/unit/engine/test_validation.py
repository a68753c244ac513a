"""Each rule of a request: what breaks it is named at its place, what doesn't is left in peace, and all come at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.reasons import ProblemCode
from contracts.requests import Mapping, MigrationRequested, Selection
from services.provisioning_engine.domain.validation import (
    CONNECTORS,
    DESCRIPTION_CHARACTERS,
    NAME_CHARACTERS,
    PROBLEMS_OF_A_KIND,
    Facts,
    Listed,
    Sample,
    judge,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLANS = {"silver": True, "bronze": True, "gold": True, "old": False}
FACTS = Facts(now=NOW, said_at=NOW, connector="internal", plans=PLANS)
EVERYBODY = Selection(all_customers=True, all_users=True)


def mapped(*pairs: tuple[str, str]) -> tuple[Mapping, ...]:
    """Give mappings."""
    return tuple(Mapping(from_plan=source, to_plan=target) for source, target in pairs)


REQUEST = MigrationRequested(
    request="r",
    name="Silver to gold",
    service="mail",
    mappings=mapped(("silver", "gold")),
    selection=EVERYBODY,
    requested_by="ann",
)


def problems(facts: Facts = FACTS, **changed: object) -> list[tuple[str, str]]:
    """Give code and place of each problem of a request with these changes."""
    verdict = judge(REQUEST.model_copy(update=changed), facts)
    return [(problem.code.value, problem.pointer) for problem in verdict.problems]


def test_a_sound_request_has_no_problem() -> None:
    assert judge(REQUEST, FACTS) == ((), 0)


@pytest.mark.parametrize("name", ["", "x" * (NAME_CHARACTERS + 1), "a\nb", "a\x00b", "a\u2028b"])
def test_a_bad_name_is_named(name: str) -> None:
    assert ("name-invalid", "/name") in problems(name=name)


@pytest.mark.parametrize("name", ["x", "x" * NAME_CHARACTERS, "Ünïcödé ✓ 'quoted'"])
def test_a_good_name_is_left_in_peace(name: str) -> None:
    assert problems(name=name) == []


@pytest.mark.parametrize("text", ["x" * (DESCRIPTION_CHARACTERS + 1), "a\x00b", "a\x1bb"])
def test_a_bad_description_is_named(text: str) -> None:
    assert problems(description=text) == [("description-invalid", "/description")]


@pytest.mark.parametrize("text", ["", "line\nline\ttab", "x" * DESCRIPTION_CHARACTERS])
def test_a_good_description_is_left_in_peace(text: str) -> None:
    assert problems(description=text) == []


@pytest.mark.parametrize("said_at", [None, datetime(1999, 12, 31, tzinfo=UTC), NOW + timedelta(days=1, seconds=1)])
def test_an_event_time_out_of_range_is_named(said_at: datetime | None) -> None:
    assert problems(replace(FACTS, said_at=said_at)) == [("time-out-of-range", "/time")]


@pytest.mark.parametrize("said_at", [datetime(2000, 1, 1, tzinfo=UTC), NOW - timedelta(days=900), NOW + timedelta(1)])
def test_an_event_time_in_range_is_left_in_peace(said_at: datetime) -> None:
    assert problems(replace(FACTS, said_at=said_at)) == []


@pytest.mark.parametrize("days", [-1.01, 366.01, -700_000.0])
def test_a_start_out_of_range_is_named(days: float) -> None:
    assert problems(start_at=NOW + timedelta(days)) == [("start-out-of-range", "/start_at")]


def test_a_start_that_cannot_be_reckoned_with_is_named() -> None:
    first = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    assert problems(start_at=first) == [("start-out-of-range", "/start_at")]


@pytest.mark.parametrize("days", [-1.0, 0.0, 366.0])
def test_a_start_in_range_is_left_in_peace(days: float) -> None:
    assert problems(start_at=NOW + timedelta(days)) == []


@pytest.mark.parametrize(
    "pairs,expected",
    [
        ((), [("mappings-empty", "/mappings")]),
        ((("silver", "silver"),), [("mapping-to-itself", "/mappings/0")]),
        ((("silver", "gold"), ("silver", "bronze")), [("source-mapped-twice", "/mappings/1/from_plan")]),
        ((("silver", "gold"), ("gold", "silver")), [("mapping-in-a-circle", "/mappings/0")]),
        (
            (("old", "silver"), ("silver", "gold"), ("gold", "bronze"), ("bronze", "silver")),
            [("mapping-in-a-circle", "/mappings/1")],
        ),
        ((("silver", "tin"),), [("plan-unknown", "/mappings/0/to_plan")]),
        ((("tin", "gold"),), [("plan-unknown", "/mappings/0/from_plan")]),
        ((("silver", "old"),), [("plan-inactive", "/mappings/0/to_plan")]),
        ((("silver", "gold"), ("bronze", "silver")), []),
        ((("silver", "gold"), ("bronze", "gold")), []),
        ((("old", "gold"),), []),
    ],
)
def test_mappings(pairs: tuple[tuple[str, str], ...], expected: list[tuple[str, str]]) -> None:
    assert problems(mappings=mapped(*pairs)) == expected


def test_an_unknown_service_is_named_once_and_not_its_plans() -> None:
    assert problems(replace(FACTS, connector=None, plans={})) == [("service-unknown", "/service")]


def test_a_connector_that_is_not_known_is_named() -> None:
    assert problems(replace(FACTS, connector="telepathy")) == [("connector-unknown", "/service")]
    assert all(problems(replace(FACTS, connector=known)) == [] for known in CONNECTORS)


@pytest.mark.parametrize(
    "selection,facts,expected",
    [
        (Selection(), {}, [("selection-empty", "/selection")]),
        (Selection(all_customers=True), {}, [("selection-empty", "/selection")]),
        (Selection(all_users=True), {}, [("selection-empty", "/selection")]),
        (Selection(parts=3), {"missing_parts": 2}, [("selection-incomplete", "/selection/parts")]),
        (EVERYBODY, {"surplus_parts": 1}, [("selection-contradictory", "/selection/parts")]),
        (EVERYBODY, {"customers_listed": 1}, [("selection-contradictory", "/selection/customers")]),
        (EVERYBODY, {"users_listed": 1}, [("selection-contradictory", "/selection/users")]),
        (Selection(), {"users_listed": 1}, []),
        (Selection(all_users=True), {"customers_listed": 1}, []),
        (Selection(all_customers=True), {"users_listed": 1}, []),
    ],
)
def test_selections(selection: Selection, facts: dict[str, int], expected: list[tuple[str, str]]) -> None:
    changed: Any = facts
    assert problems(replace(FACTS, **changed), selection=selection) == expected


def test_a_directory_that_is_behind_is_named() -> None:
    behind = replace(FACTS, directory_behind=("partition 3 is at 1 of 9",))
    assert problems(behind) == [("directory-too-old", "/seen/directory_position")]


@pytest.mark.parametrize(
    "fact,code",
    [
        ("unknown_customers", ProblemCode.CUSTOMER_UNKNOWN),
        ("unknown_users", ProblemCode.USER_UNKNOWN),
        ("repeated_customers", ProblemCode.CUSTOMER_LISTED_TWICE),
        ("repeated_users", ProblemCode.USER_LISTED_TWICE),
        ("contradictory_customers", ProblemCode.SELECTION_CONTRADICTORY),
        ("contradictory_users", ProblemCode.SELECTION_CONTRADICTORY),
    ],
)
def test_lists_name_the_entry_and_count_what_isnt_shown(fact: str, code: ProblemCode) -> None:
    user = "u" if fact.endswith("users") else None
    kind = "users" if user else "customers"
    inline = Listed(0, 4, excluded=False, customer="a", user=user)
    entries = (inline, Listed(2, 7, excluded=True, customer="b", user=user))
    changed: Any = {fact: Sample(entries, 5_000)}
    verdict = judge(REQUEST, replace(FACTS, **changed))
    assert verdict.problem_count == 5_000
    assert [(one.code, one.pointer) for one in verdict.problems] == [
        (code, f"/selection/{kind}/4"),
        (code, "/selection/parts"),
    ]
    assert f"(part 2, excluded_{kind}, entry 7)" in verdict.problems[1].detail


def test_every_problem_comes_at_once() -> None:
    sample = Sample(tuple(Listed(0, at, excluded=False, customer="a") for at in range(PROBLEMS_OF_A_KIND)), 4_321)
    facts = replace(FACTS, said_at=None, directory_behind=("p",), unknown_customers=sample, customers_listed=1)
    late, mappings = NOW + timedelta(900), mapped(("tin", "tin"), ("tin", "old"))
    found = problems(facts, name="", description="\x00", start_at=late, mappings=mappings)
    assert {code for code, _ in found} == {
        "name-invalid",
        "description-invalid",
        "time-out-of-range",
        "start-out-of-range",
        "mapping-to-itself",
        "source-mapped-twice",
        "plan-unknown",
        "plan-inactive",
        "selection-contradictory",
        "directory-too-old",
        "customer-unknown",
    }
