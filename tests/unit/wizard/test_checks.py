"""Every problem of a request is found, each at its place."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from contracts.reasons import ProblemCode
from contracts.requests import UserRef
from services.wizard.domain.asked import AskedSelection
from services.wizard.domain.checks import (
    DESTINATION_MISSING,
    Found,
    MappingWish,
    check_description,
    check_mappings,
    check_name,
    check_service,
    check_start,
)
from services.wizard.domain.selection_checks import check_known, check_selection

PLANS = {"bronze": True, "gold": True, "silver": True, "retired": False}
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def found(problems: Iterable[Found]) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in problems]


def wishes(*ways: tuple[str, str | None]) -> list[MappingWish]:
    return [MappingWish(*way) for way in ways]


def test_good_mappings_have_no_problem() -> None:
    assert check_mappings("mail", wishes(("bronze", "silver"), ("silver", "gold")), PLANS) == []


def test_no_mapping_is_a_problem_only_at_the_end() -> None:
    assert found(check_mappings("mail", [], PLANS)) == [(ProblemCode.MAPPINGS_EMPTY, "/mappings")]
    assert check_mappings("mail", [], PLANS, complete=False) == []


def test_every_problem_of_the_mappings_is_named() -> None:
    problems = check_mappings("mail", wishes(("gold", "gold"), ("nope", "retired"), ("silver", "never")), PLANS)
    assert found(problems) == [
        (ProblemCode.MAPPING_TO_ITSELF, "/mappings/0/to_plan"),
        (ProblemCode.PLAN_UNKNOWN, "/mappings/1/from_plan"),
        (ProblemCode.PLAN_INACTIVE, "/mappings/1/to_plan"),
        (ProblemCode.PLAN_UNKNOWN, "/mappings/2/to_plan"),
    ]


def test_a_source_is_mapped_only_once() -> None:
    problems = check_mappings("mail", wishes(("gold", "silver"), ("gold", "bronze")), PLANS)
    assert (ProblemCode.SOURCE_MAPPED_TWICE, "/mappings/1/from_plan") in found(problems)


def test_users_do_not_go_round_in_a_circle() -> None:
    ways = wishes(("gold", "silver"), ("silver", "bronze"), ("bronze", "gold"))
    problems = check_mappings("mail", ways, PLANS)
    assert found(problems) == [(ProblemCode.MAPPING_IN_A_CIRCLE, f"/mappings/{number}") for number in range(3)]


def test_a_missing_destination_is_a_problem_only_at_the_end() -> None:
    ways = wishes(("gold", None))
    assert found(check_mappings("mail", ways, PLANS)) == [(DESTINATION_MISSING, "/mappings/0/to_plan")]
    assert check_mappings("mail", ways, PLANS, complete=False) == []


def test_an_unknown_service_is_a_problem() -> None:
    assert found(check_service("nope", known=False)) == [(ProblemCode.SERVICE_UNKNOWN, "/service")]


@pytest.mark.parametrize("name", ["", "  ", "x" * 10_000, "a\nb", "a\x00b", "a\u2028b"])
def test_a_bad_name_is_a_problem(name: str) -> None:
    assert found(check_name(name)) == [(ProblemCode.NAME_INVALID, "/name")]


def test_a_name_that_is_long_and_has_control_characters_has_two_problems() -> None:
    assert len(check_name("\x07" * 201)) == 2


def test_a_description_may_have_lines() -> None:
    assert check_description("one\n\ttwo") == []
    assert len(check_description("\x07" * 2001)) == 2


def test_a_start_is_soon_enough_and_not_over() -> None:
    assert check_start(NOW + timedelta(days=3), NOW) == []
    assert found(check_start(NOW - timedelta(days=1), NOW)) == [(ProblemCode.START_OUT_OF_RANGE, "/start_at")]
    assert found(check_start(NOW + timedelta(days=400), NOW)) == [(ProblemCode.START_OUT_OF_RANGE, "/start_at")]


def user(customer: str, name: str) -> UserRef:
    return UserRef(customer=customer, user=name)


def test_a_selection_of_nobody_is_a_problem() -> None:
    assert ProblemCode.SELECTION_EMPTY in {problem.code for problem in check_selection(AskedSelection())}
    assert found(check_selection(AskedSelection(all_users=True))) == [
        (ProblemCode.SELECTION_EMPTY, "/selection/customers")
    ]


def test_contradictions_are_named() -> None:
    selection = AskedSelection(
        all_customers=True,
        all_users=True,
        customers=("a",),
        excluded_customers=("a", "b"),
        users=(user("b", "1"), user("c", "1")),
        excluded_users=(user("c", "1"),),
    )
    assert found(check_selection(selection)) == [
        (ProblemCode.SELECTION_CONTRADICTORY, pointer)
        for pointer in (
            "/selection/customers",
            "/selection/users",
            "/selection/excluded_customers/0",
            "/selection/excluded_users/0",
            "/selection/users/0/customer",
            "/selection/users/1/customer",
        )
    ]


def test_what_is_listed_twice_is_named() -> None:
    selection = AskedSelection(users=(user("a", "1"), user("a", "1")), excluded_customers=("x", "x"))
    assert found(check_selection(selection)) == [
        (ProblemCode.CUSTOMER_LISTED_TWICE, "/selection/excluded_customers/1"),
        (ProblemCode.USER_LISTED_TWICE, "/selection/users/1"),
    ]


def test_a_user_of_another_customer_is_named_with_it() -> None:
    selection = AskedSelection(users=(user("a", "1"), user("zz", "1")), excluded_customers=("zz",))
    problems = check_known(selection, {"zz"}, {user("a", "1"): "b"})
    assert found(problems) == [
        (ProblemCode.CUSTOMER_UNKNOWN, "/selection/excluded_customers/0"),
        (ProblemCode.USER_UNKNOWN, "/selection/users/0"),
        (ProblemCode.CUSTOMER_UNKNOWN, "/selection/users/1/customer"),
    ]
    assert "b has one of that id" in problems[1].detail
