"""The registers of users and packages end alike whatever the order in which sources are read."""

from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.provisioning_engine.domain.registers import (
    AssignmentRegisters,
    PackageRegisters,
    effective_package,
    effective_plan,
    with_generated,
    with_move,
    with_package_source,
    with_removal,
    with_source,
)

sources = st.tuples(st.just("source"), st.integers(0, 5), st.none() | st.sampled_from(["gold", "silver"]))
removals = st.tuples(st.just("removal"), st.integers(0, 5), st.none())
moves = st.tuples(st.just("move"), st.integers(0, 5), st.sampled_from(["gold", "bronze"]))
Word = tuple[str, int, str | None]


def taken(known: AssignmentRegisters, word: Word) -> AssignmentRegisters:
    """Take one word."""
    kind, revision, plan = word
    if kind == "removal":
        return with_removal(known, revision)
    return with_move(known, revision, plan or "") if kind == "move" else with_source(known, revision, plan)


@given(st.lists(sources | removals), st.lists(moves, max_size=1), st.randoms(use_true_random=False))
def test_sources_removals_and_a_migration_commute_and_repeat(
    said: list[Word], moved: list[Word], order: Random
) -> None:
    words = [*said, *moved]
    again = [*words, *words]
    order.shuffle(again)
    assert reduce(taken, again, AssignmentRegisters()) == reduce(taken, words, AssignmentRegisters())


def test_a_migration_holds_until_the_source_is_newer() -> None:
    known = with_move(with_source(AssignmentRegisters(), 3, "silver"), 3, "gold")
    assert effective_plan(known) == "gold"
    assert effective_plan(with_source(known, 3, "tin")) == "gold"
    assert effective_plan(with_source(known, 4, "tin")) == "tin"
    assert effective_plan(with_source(known, 4, None)) is None


def test_a_migration_never_makes_a_user() -> None:
    assert effective_plan(with_move(AssignmentRegisters(), 3, "gold")) is None


def test_a_removal_holds_until_the_source_is_newer() -> None:
    known = with_removal(with_source(AssignmentRegisters(), 3, "silver"), 3)
    assert effective_plan(known) is None
    assert effective_plan(with_source(known, 4, "gold")) == "gold"


packages = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.none() | st.integers(0, 3)))


@given(packages, st.none() | st.integers(0, 4), st.randoms(use_true_random=False))
def test_packages_commute_and_repeat(
    said: list[tuple[int, bool, int | None]], generated: int | None, order: Random
) -> None:
    def folded(words: list[tuple[int, bool, int | None]]) -> PackageRegisters:
        known = PackageRegisters()
        for revision, given_, seats in words:
            limit = seats if given_ else None
            known = with_package_source(known, revision, provisioned=given_, seat_limit=limit)
        return known if generated is None else with_generated(known, generated, 9)

    again = [*said, *said]
    order.shuffle(again)
    assert effective_package(folded(again)) == effective_package(folded(said))


def test_a_generated_package_holds_until_the_source_is_newer() -> None:
    known = with_generated(PackageRegisters(), 2, 10)
    assert effective_package(known) == (True, 10)
    assert effective_package(with_package_source(known, 2, provisioned=False, seat_limit=None)) == (True, 10)
    assert effective_package(with_package_source(known, 3, provisioned=False, seat_limit=None)) == (False, None)
