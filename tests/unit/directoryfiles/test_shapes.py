"""A row is good exactly when the contracts allow what it states, and a bad one says everything that is wrong."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.directory import UserPlanAssigned, UserRegistered
from directoryfiles.columns import COLUMNS, Form
from directoryfiles.shapes import SHAPERS

TEXT = st.text(max_size=12) | st.text(string.ascii_letters + ".@ -\t\u2028é", max_size=6) | st.just("x" * 201)


def _allowed(customer: str, user: str, name: str) -> bool:
    try:
        UserRegistered(revision=1, customer=customer.strip(), user=user.strip(), name=name.strip())
    except ValidationError:
        return False
    return "\ufffd" not in name and not any("\ud800" <= character <= "\udfff" for character in name)


@given(TEXT | st.just("acme"), TEXT | st.just("u1"), TEXT | st.just("Ada"))
def test_a_user_is_good_if_the_contracts_allow_it(customer: str, user: str, name: str) -> None:
    shaped = SHAPERS[Form.USER]((customer, user, name, ""))
    assert bool(shaped.facts) == _allowed(customer, user, name)
    assert bool(shaped.facts) != bool(shaped.problems)


@given(*[TEXT | st.just("a1")] * 4)
def test_an_assignment_is_good_if_the_contracts_allow_it(customer: str, user: str, service: str, plan: str) -> None:
    cells = (customer, user, service, plan)
    shaped = SHAPERS[Form.ASSIGNMENT](cells)
    try:
        stripped = dict(zip(("customer", "user", "service", "plan"), (cell.strip() for cell in cells), strict=True))
        UserPlanAssigned.model_validate({"revision": 1, **stripped})
    except ValidationError:
        assert shaped.problems
    else:
        assert shaped.facts


def test_every_problem_of_a_row_is_named() -> None:
    shaped = SHAPERS[Form.USER](("a b", "", "x" * 201, "nowhere"))
    assert [problem.partition(":")[0] for problem in shaped.problems] == ["customer", "user", "name", "email"]


def test_spaces_around_a_cell_are_not_part_of_it() -> None:
    spaced = SHAPERS[Form.USER]((" acme", "u1 ", " Ada Lovelace ", " ada@acme.example"))
    assert spaced == SHAPERS[Form.USER](("acme", "u1", "Ada Lovelace", "ada@acme.example"))


@pytest.mark.parametrize(
    "form, cells, problem",
    [
        (Form.PACKAGE, ("acme", "s", "p", "-1"), "seat_limit: '-1' is no number"),
        (Form.PACKAGE, ("acme", "s", "p", "2147483648"), "seat_limit: '2147483648' is no number"),
        (Form.PACKAGE, ("acme", "s", "p", "9" * 5000), "seat_limit"),
        (Form.PACKAGE, ("acme", "s", "p", "١٢"), "seat_limit"),
        (Form.CUSTOMER, ("acme", "r", "Acme", "perhaps"), "active: 'perhaps' is neither yes nor no"),
        (Form.CUSTOMER, ("acme", "r", "A\nB", ""), "name: 'A\\nB' has a line break"),
        (Form.CUSTOMER, ("acme", "r", "A\ufffdB", ""), "name: 'A\\ufffdB' has bytes"),
        (Form.SERVICE, ("s", "S", "carrier-pigeon", ""), "connector: 'carrier-pigeon' is no connector"),
        (Form.SERVICE, ("s", "S", "", "seed"), "options: 'seed' is not written as name=value"),
        (Form.SERVICE, ("s", "S", "", "a=1; a=2"), "options: 'a' is there twice"),
        (Form.SERVICE, ("s", "S", "", '{"a": 1}'), "options: a is no text"),
        (Form.PLAN, ("s", "p", "P", "{", "", "", ""), "features: '{' is no JSON object"),
        (Form.PLAN, ("s", "p", "P", "", "mb=lots", "", ""), "quotas: mb: 'lots' is no whole number"),
        (Form.PLAN, ("s", "p", "P", "", "m b=1", "", ""), "quotas: 'm b' is no identifier"),
        (Form.RESELLER, ("r", "R", "no parent!", ""), "parent: 'no parent!' is no identifier"),
        (Form.FLAT, ("acme", "", "", "", "u1", "Ada", "", "Exchange", ""), "service and plan have to be given"),
        (Form.FLAT, ("acme", "", "", "", "u1", "Ada", "", "!!!", "x"), "service: '!!!' can't be made an identifier"),
    ],
)
def test_a_bad_cell_is_explained(form: Form, cells: tuple[str, ...], problem: str) -> None:
    shaped = SHAPERS[form](cells)
    assert any(each.startswith(problem) for each in shaped.problems), shaped.problems


@pytest.mark.parametrize("text", ["", "unlimited", "None", "no limit"])
def test_a_package_without_a_limit_may_say_so_in_several_ways(text: str) -> None:
    (fact,) = SHAPERS[Form.PACKAGE](("acme", "s", "p", text)).facts
    assert "seat_limit" not in fact.tail


def test_features_may_be_written_as_pairs_or_as_json() -> None:
    pairs = SHAPERS[Form.PLAN](("s", "p", "P", "b=Two; a=One", "mb=5", "10", "no"))
    objects = SHAPERS[Form.PLAN](("s", "p", "P", '{"a": "One", "b": "Two"}', '{"mb": 5}', "10", "false"))
    assert pairs == objects
    assert pairs.facts


def test_a_flat_row_states_everything_around_the_user() -> None:
    cells = ("acme", "Acme", "alpine", "Alpine IT", "u1", "Ada", "", "Hosted Exchange", "Gold")
    keys = [fact.key for fact in SHAPERS[Form.FLAT](cells).facts]
    assert keys == [
        "reseller/provider",
        "reseller/alpine",
        "customer/acme",
        "service/hosted-exchange",
        "plan/hosted-exchange/Gold",
        "package/acme/hosted-exchange/Gold",
        "user/acme/u1",
        "assignment/acme/u1/hosted-exchange",
    ]


@pytest.mark.parametrize("form", list(Form))
def test_every_form_has_a_shaper_for_its_columns(form: Form) -> None:
    assert SHAPERS[form](("",) * len(COLUMNS[form].all)).problems
