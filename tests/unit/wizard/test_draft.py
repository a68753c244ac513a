"""The nine steps of a draft say what is done, what is missing and what is wrong."""

from dataclasses import replace
from datetime import UTC, datetime

from services.wizard.domain.checks import MappingWish
from services.wizard.domain.draft import Catalogue, Draft, Totals, all_problems, steps_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
EMPTY = Draft(
    draft="d",
    caller="anna",
    state="open",
    version=1,
    options_chosen=False,
    all_customers=False,
    all_users=False,
    generate_missing_packages=False,
    service=None,
    mappings=(),
    customers_base=False,
    users_base=False,
    name="",
    description="",
    created_at=NOW,
    updated_at=NOW,
    request=None,
)
WHOLE = replace(
    EMPTY, options_chosen=True, service="mail", mappings=(MappingWish("gold", "silver"),), name="Down one level"
)
MAIL = Catalogue(service_known=True, plans={"gold": True, "silver": True})
NOTHING = Totals(0, 0, 0, 0, 0)
SOME = Totals(2, 2, 3, 10, 12)


def complete(draft: Draft, catalogue: Catalogue = MAIL, totals: Totals = SOME) -> set[str]:
    return {step.name for step in steps_of(draft, catalogue, totals) if step.complete}


def test_there_are_nine_steps_in_the_originals_order() -> None:
    steps = steps_of(EMPTY, MAIL, NOTHING)
    assert [(step.number, step.name) for step in steps] == list(
        enumerate(
            ["open", "options", "service", "sources", "destinations", "customers", "users", "details", "finish"], 1
        )
    )


def test_a_new_draft_has_only_its_first_step_done() -> None:
    assert complete(EMPTY, totals=NOTHING) == {"open"}


def test_a_whole_draft_lacks_only_its_end() -> None:
    assert all_problems(WHOLE, MAIL, SOME) == []
    expected = {"open", "options", "service", "sources", "destinations", "customers", "users", "details"}
    assert complete(WHOLE) == expected
    assert complete(replace(WHOLE, state="finished", request="mr-1")) == {*expected, "finish"}


def test_a_plan_that_was_retired_meanwhile_is_a_problem_of_its_step() -> None:
    problems = {step.name: step.problems for step in steps_of(WHOLE, replace(MAIL, plans={"gold": True}), SOME)}
    assert [problem.code for problem in problems["destinations"]] == ["plan-unknown"]
    assert problems["sources"] == ()


def test_an_empty_selection_is_a_problem_of_the_step_that_mends_it() -> None:
    def with_problems(totals: Totals) -> list[str]:
        return [step.name for step in steps_of(WHOLE, MAIL, totals) if step.problems]

    assert with_problems(Totals(0, 0, 3, 0, 12)) == ["customers"]
    assert with_problems(Totals(2, 0, 3, 0, 12)) == ["users"]


def test_every_problem_of_every_step_is_found_at_once() -> None:
    draft = replace(WHOLE, options_chosen=False, name="", mappings=(MappingWish("gold", "gold"),))
    codes = {problem.code for problem in all_problems(draft, MAIL, SOME)}
    assert codes == {"options-missing", "mapping-to-itself", "name-invalid"}
