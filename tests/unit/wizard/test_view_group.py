"""A fold's records are reduced to the newest word on each entity, and what can't be read is counted."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import encode, headers_for
from contracts.directory import (
    DirectoryEvent,
    PackageProvisioned,
    PackageRemoved,
    UserPlanAssigned,
    UserPlanUnassigned,
    UserRemoved,
)
from contracts.envelope import wrap
from eventlog.record import IncomingRecord
from services.wizard.domain.registers import Registers, Source, merge
from services.wizard.edges.view_group import DirectoryGroup, directory_group

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def record(event: DirectoryEvent, key: str | None = None) -> IncomingRecord:
    envelope = wrap(event, event_id="e", source="/elsewhere", time=NOW)
    headers = tuple(headers_for(envelope))
    named = (key or event.key()).encode()
    return IncomingRecord("directory.events", 0, 0, 0, named, encode(envelope), headers, envelope.type, "e", None)


def assigned(revision: int, plan: str | None) -> DirectoryEvent:
    if plan is None:
        return UserPlanUnassigned(revision=revision, customer="a", user="1", service="mail")
    return UserPlanAssigned(revision=revision, customer="a", user="1", service="mail", plan=plan)


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.sampled_from(["gold", "silver"])), min_size=1))
def test_the_newest_assignment_of_a_fold_is_the_one_that_the_registers_keep(
    words: list[tuple[int, str | None]],
) -> None:
    group, kept = DirectoryGroup(), Registers()
    for revision, plan in words:
        group.add(assigned(revision, plan))
        kept = merge(kept, Registers(source=Source(revision, plan)))
    assert group.assignments["a", "mail", "1"] == (kept.source.revision, kept.source.plan or "")


def test_the_newest_word_on_a_package_is_kept() -> None:
    group = DirectoryGroup()
    place = {"customer": "a", "service": "mail", "plan": "gold"}
    group.add(PackageRemoved(revision=3, **place))
    group.add(PackageProvisioned(revision=2, seat_limit=5, **place))
    assert group.packages == {("a", "mail", "gold"): (3, False, -1)}


def test_the_newest_removal_is_kept() -> None:
    group = DirectoryGroup()
    for revision in (3, 2):
        group.add(UserRemoved(revision=revision, customer="a", user="1"))
    assert group.removals == {("a", "1"): 3}


def test_what_cannot_be_read_is_counted_and_the_rest_is_folded() -> None:
    skipped: list[str] = []
    good = record(assigned(1, "gold"))
    records = [
        good._replace(value=None),
        good._replace(value=b"{", headers=(), type=None),
        record(assigned(1, "gold"), key="user/a/1"),
        good,
    ]
    group = directory_group(records, skipped.append)
    assert skipped == ["tombstone", "not-json", "wrong-key"]
    assert len(group.assignments) == 1
