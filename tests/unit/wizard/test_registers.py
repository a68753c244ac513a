"""An assignment's registers converge, whatever the order of reading."""

from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.wizard.domain.registers import Moved, Registers, Source, merge, visible_plan

PLANS = st.sampled_from(["bronze", "gold", "silver"])
REVISIONS = st.integers(0, 4)
SOURCES = st.builds(lambda revision, plan: Registers(source=Source(revision, plan)), REVISIONS, st.none() | PLANS)
MOVES = st.builds(
    lambda revision, sequence, plan: Registers(moved=Moved(revision, sequence, plan)),
    REVISIONS,
    st.integers(1, 9),
    PLANS,
)
REMOVALS = st.builds(lambda revision: Registers(removed=revision), REVISIONS)
WORDS = st.lists(SOURCES | MOVES | REMOVALS, max_size=12)


@given(WORDS, st.randoms(use_true_random=False))
def test_any_order_of_reading_gives_the_same_plan(words: list[Registers], chance: Random) -> None:
    shuffled = list(words)
    chance.shuffle(shuffled)
    assert reduce(merge, shuffled, Registers()) == reduce(merge, words, Registers())


@given(WORDS)
def test_reading_everything_again_changes_nothing(words: list[Registers]) -> None:
    once = reduce(merge, words, Registers())
    assert reduce(merge, words, once) == once


@given(st.lists(MOVES | REMOVALS, max_size=8))
def test_a_migration_alone_makes_nobody_visible(words: list[Registers]) -> None:
    assert visible_plan(reduce(merge, words, Registers())) is None


def test_a_migration_wins_over_the_word_that_it_built_on() -> None:
    known = Registers(Source(5, "gold"), Moved(5, 1, "platinum"))
    assert visible_plan(known) == "platinum"


def test_a_newer_word_of_the_source_wins_over_a_migration() -> None:
    known = Registers(Source(6, "gold"), Moved(5, 1, "platinum"))
    assert visible_plan(known) == "gold"


def test_the_later_of_two_migrations_on_one_revision_wins() -> None:
    known = merge(Registers(Source(5, "gold"), Moved(5, 8, "bronze")), Registers(moved=Moved(5, 7, "platinum")))
    assert visible_plan(known) == "bronze"


def test_a_removal_hides_what_is_not_newer() -> None:
    assert visible_plan(Registers(Source(5, "gold"), removed=5)) is None
    assert visible_plan(Registers(Source(6, "gold"), removed=5)) == "gold"


def test_an_unassignment_hides_a_migrated_user() -> None:
    assert visible_plan(Registers(Source(5, None), Moved(5, 1, "platinum"))) is None
