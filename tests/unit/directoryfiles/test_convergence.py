"""Directory and migrations converge: an unchanged file never undoes a migration, a real change wins."""

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from contracts.directory import UserPlanAssigned, UserPlanUnassigned
from directoryfiles.difference import revision_to_publish, revision_to_remove
from directoryfiles.facts import assignment_fact, digest_of, removal_tail
from directoryfiles.index import Known
from services.wizard.domain.registers import Moved, Registers, Source, merge, visible_plan

KEY = "assignment/acme/u1/exchange"
PLANS = st.sampled_from(["bronze", "silver", "gold"])
IMPORT_FILE = st.tuples(st.just("import"), PLANS | st.none())
IMPORT_UNCHANGED = st.tuples(st.just("again"), st.none())
MIGRATE = st.tuples(st.just("migrate"), PLANS)
ANOTHER_SOURCE = st.tuples(st.just("another source"), PLANS)
STEPS = st.lists(IMPORT_FILE | IMPORT_UNCHANGED | MIGRATE | ANOTHER_SOURCE, max_size=12)


@dataclass
class World:
    """One user on one service: the last word of the topic, every word ever said, and the night's file."""

    last: Known | None = None
    words: list[Registers] = field(default_factory=list)
    file: str | None = None
    clock: int = 0
    migrations: int = 0

    def shown(self) -> str | None:
        """Give the plan that every view shows."""
        known = Registers()
        for word in self.words:
            known = merge(known, word)
        return visible_plan(known)

    def take(self, plan: str | None) -> bool:
        """Import the file; gives whether anything was published."""
        self.clock += 10
        if plan is None:
            digest, revision = _gone(), revision_to_remove(self.last, self.clock)
        else:
            digest = _on(plan)
            revision = revision_to_publish(self.last, digest, self.clock)
        if revision is not None:
            self._say(plan, digest, revision)
        self.file = plan
        return revision is not None

    def hear(self, plan: str) -> None:
        """Let another source say something, with its own idea of time."""
        self.clock += 10
        self._say(plan, _on(plan), self.clock + 1_000_000)

    def migrate(self, plan: str) -> bool:
        """Move the user, as the engine does: on the revision that it knows."""
        if self.shown() is None or self.last is None:
            return False
        self.migrations += 1
        self.words.append(Registers(moved=Moved(self.last.revision, self.migrations, plan)))
        return True

    def _say(self, plan: str | None, digest: int, revision: int) -> None:
        if self.last is None or revision >= self.last.revision:
            self.last = Known(digest, revision, plan is not None)
        self.words.append(Registers(source=Source(revision, plan)))


def _on(plan: str) -> int:
    return digest_of(UserPlanAssigned.TYPE, assignment_fact("acme", "u1", "exchange", plan).tail)


def _gone() -> int:
    return digest_of(UserPlanUnassigned.TYPE, removal_tail(UserPlanUnassigned.TYPE, KEY))


@given(STEPS)
def test_an_unchanged_file_changes_nothing_and_a_changed_one_wins(steps: list[tuple[str, str | None]]) -> None:
    world = World()
    said_by_the_source: str | None = None
    for step, plan in steps:
        before = world.shown()
        if step == "migrate" and plan is not None:
            moved = world.migrate(plan)
            assert world.shown() == (plan if moved else before)
        elif step == "another source" and plan is not None:
            world.hear(plan)
            assert world.shown() == plan
            said_by_the_source = plan
        else:
            wanted = world.file if step == "again" else plan
            published = world.take(wanted)
            assert published == (wanted != said_by_the_source)
            assert world.shown() == (wanted if published else before)
            said_by_the_source = wanted


@given(STEPS, st.randoms(use_true_random=False))
def test_a_view_that_reads_in_another_order_shows_the_same(
    steps: list[tuple[str, str | None]], chance: random.Random
) -> None:
    world = World()
    for step, plan in steps:
        if step == "migrate" and plan is not None:
            world.migrate(plan)
        elif step == "another source" and plan is not None:
            world.hear(plan)
        else:
            world.take(world.file if step == "again" else plan)
    shown = world.shown()
    chance.shuffle(world.words)
    assert world.shown() == shown


@given(STEPS, PLANS)
def test_last_night_s_file_does_not_undo_a_migration(steps: list[tuple[str, str | None]], destination: str) -> None:
    world = World()
    for step, plan in steps:
        if step == "import":
            world.take(plan)
    if world.migrate(destination):
        assert not world.take(world.file)
        assert world.shown() == destination


def test_a_real_change_after_a_migration_wins() -> None:
    world = World()
    world.take("gold")
    world.migrate("platinum")
    assert world.shown() == "platinum"
    assert world.take("silver")
    assert world.shown() == "silver"


def test_a_weak_statement_only_says_that_something_exists() -> None:
    assert revision_to_publish(None, 1, 100, weak=True) == 100
    assert revision_to_publish(Known(2, 50, present=True), 1, 100, weak=True) is None
    assert revision_to_publish(Known(2, 50, present=False), 1, 100, weak=True) == 100


def test_a_revision_is_above_the_one_that_is_known_even_if_that_is_from_the_future() -> None:
    assert revision_to_publish(Known(2, 5000, present=True), 1, 100) == 5001
    assert revision_to_remove(Known(2, 5000, present=True), 100) == 5001


def test_what_is_gone_is_not_removed_again() -> None:
    assert revision_to_remove(None, 100) is None
    assert revision_to_remove(Known(2, 50, present=False), 100) is None
