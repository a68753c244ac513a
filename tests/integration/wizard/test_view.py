"""The view in Postgres converges to what the pure registers say, and its counts are always right."""

import itertools
from functools import reduce

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.directory import (
    CustomerRegistered,
    CustomerRemoved,
    PackageProvisioned,
    PackageRemoved,
    UserPlanAssigned,
    UserPlanUnassigned,
    UserRemoved,
)
from contracts.provisioning import BatchFinished, BatchPlanned, BatchReopened, NotMigrated, PackageGenerated
from contracts.reasons import UserReason
from contracts.statuses import Outcome
from eventlog.record import IncomingRecord
from services.wizard.domain.registers import Moved, Registers, Source, merge, visible_plan
from tests.integration.wizard.conftest import View
from tests.integration.wizard.records import catalogue, customer, record

_names = itertools.count()
_PLANS = st.sampled_from(["bronze", "silver", "gold"])
_SOURCES = st.tuples(st.just("source"), st.integers(0, 4), st.none() | _PLANS)
_REMOVALS = st.tuples(st.just("removed"), st.integers(0, 4), st.none())
_MOVES = st.tuples(st.just("moved"), st.integers(0, 4), _PLANS)
_WORDS = st.lists(_SOURCES | _REMOVALS | _MOVES, min_size=1, max_size=8)
_ON_POSTGRES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def batch(name: str, users: list[str], *, number: int = 0, plan: str = "gold", revision: int = 1) -> BatchPlanned:
    return BatchPlanned(
        request=f"r-{name}",
        customer=name,
        batch=number,
        service="mail",
        from_plan="silver",
        to_plan=plan,
        users=tuple(users),
        revision=revision,
        hash="0",
    )


def finished(
    planned: BatchPlanned, *left_out: int, attempt: int = 1, outcome: Outcome = Outcome.FAILED
) -> BatchFinished:
    reason = UserReason.REFUSED_BY_CONNECTOR
    return BatchFinished(
        request=planned.request,
        customer=planned.customer,
        batch=planned.batch,
        attempt=attempt,
        migrated=len(planned.users) - len(left_out),
        failed=len(left_out) if outcome is Outcome.FAILED else 0,
        skipped=len(left_out) if outcome is Outcome.SKIPPED else 0,
        cancelled=0,
        not_migrated=tuple(NotMigrated(position=at, outcome=outcome, reason=reason) for at in left_out),
    )


def as_registers(word: tuple[str, int, str | None], sequence: int) -> Registers:
    kind, revision, plan = word
    if kind == "source":
        return Registers(source=Source(revision, plan))
    return Registers(moved=Moved(revision, sequence, plan or "")) if kind == "moved" else Registers(removed=revision)


def as_records(name: str, word: tuple[str, int, str | None], sequence: int) -> list[IncomingRecord]:
    kind, revision, plan = word
    if kind == "moved":
        planned = batch(name, ["u"], number=sequence, plan=plan or "", revision=revision)
        return [record(planned, 2 * sequence), record(finished(planned), 2 * sequence + 1)]
    if kind == "removed":
        return [record(UserRemoved(revision=revision, customer=name, user="u"))]
    if plan is None:
        return [record(UserPlanUnassigned(revision=revision, customer=name, user="u", service="mail"))]
    return [record(UserPlanAssigned(revision=revision, customer=name, user="u", service="mail", plan=plan))]


@_ON_POSTGRES
@given(_WORDS, st.data())
async def test_whatever_is_read_first_the_view_shows_what_the_registers_say(
    view: View, words: list[tuple[str, int, str | None]], data: st.DataObject
) -> None:
    name = f"c{next(_names)}"
    numbered = list(enumerate(words, 1))
    known = reduce(merge, (as_registers(word, number) for number, word in numbered), Registers())
    for number, word in data.draw(st.permutations(numbered)):
        await view.fold(as_records(name, word, number))
    assert (await view.plans(name)).get("u") == visible_plan(known)
    assert await view.counts_are_right()


@_ON_POSTGRES
@given(_WORDS, st.data())
async def test_one_fold_of_many_records_is_the_same_as_many_folds(
    view: View, words: list[tuple[str, int, str | None]], data: st.DataObject
) -> None:
    name = f"c{next(_names)}"
    known = reduce(merge, (as_registers(word, number) for number, word in enumerate(words, 1)), Registers())
    of_source = [r for n, w in enumerate(words, 1) if w[0] != "moved" for r in as_records(name, w, n)]
    of_engine = [r for n, w in enumerate(words, 1) if w[0] == "moved" for r in as_records(name, w, n)]
    for records in data.draw(st.permutations([of_source, of_engine])):
        if records:
            await view.fold(records)
    assert (await view.plans(name)).get("u") == visible_plan(known)
    assert await view.counts_are_right()


async def test_users_move_when_their_batch_has_finished_and_not_before(view: View) -> None:
    await view.fold([record(e) for e in [*catalogue(), *customer("acme", {"1": "silver", "2": "silver"})]])
    planned = batch("acme", ["1", "2"])
    await view.fold([record(planned, 1)])
    assert await view.plans("acme") == {"1": "silver", "2": "silver"}
    await view.fold([record(finished(planned), 2)])
    assert await view.plans("acme") == {"1": "gold", "2": "gold"}
    assert await view.counts_are_right()
    assert await view.conn.fetchval("SELECT count(*) FROM open_batch") == 0


async def test_who_did_not_migrate_stays_and_may_be_tried_again(view: View) -> None:
    await view.fold([record(e) for e in customer("acme", {str(n): "silver" for n in range(4)})])
    planned = batch("acme", ["0", "1", "2", "3"])
    await view.fold([record(planned, 1), record(finished(planned, 1, 3), 2)])
    assert await view.plans("acme") == {"0": "gold", "1": "silver", "2": "gold", "3": "silver"}
    again = BatchReopened(request=planned.request, customer="acme", batch=0, attempt=2, positions=(1, 3))
    await view.fold([record(again, 3), record(finished(planned, 3, attempt=2, outcome=Outcome.SKIPPED), 4)])
    assert await view.plans("acme") == {"0": "gold", "1": "gold", "2": "gold", "3": "silver"}
    assert await view.counts_are_right()


async def test_two_attempts_of_a_batch_in_one_fold_are_both_folded(view: View) -> None:
    await view.fold([record(e) for e in customer("acme", {"0": "silver", "1": "silver"})])
    planned = batch("acme", ["0", "1"])
    again = BatchReopened(request=planned.request, customer="acme", batch=0, attempt=2, positions=(1,))
    events = [planned, finished(planned, 1), again, finished(planned, attempt=2)]
    await view.fold([record(event, number) for number, event in enumerate(events, 1)])
    assert await view.plans("acme") == {"0": "gold", "1": "gold"}


async def test_revisions_of_single_users_count(view: View) -> None:
    assigned = [
        UserPlanAssigned(revision=revision, customer="acme", user=str(number), service="mail", plan="silver")
        for number, revision in enumerate([3, 5, 7])
    ]
    await view.fold([record(event) for event in assigned])
    planned = batch("acme", ["0", "1", "2"], revision=3).model_copy(update={"revisions": {"1": 5}})
    ended = finished(planned).model_copy(update={"revisions": {"2": 7}})
    await view.fold([record(planned, 1), record(ended, 2)])
    assert await view.plans("acme") == {"0": "gold", "1": "gold", "2": "gold"}
    await view.fold([record(planned.model_copy(update={"batch": 1, "to_plan": "bronze"}), 3)])
    await view.fold([record(finished(planned).model_copy(update={"batch": 1}), 4)])
    assert await view.plans("acme") == {"0": "bronze", "1": "bronze", "2": "gold"}
    assert await view.counts_are_right()


async def test_a_previews_batch_changes_nothing(view: View) -> None:
    await view.fold([record(e) for e in customer("acme", {"1": "silver"})])
    await view.fold([record(batch("acme", ["1"]).model_copy(update={"mode": "preview"}), 1)])
    assert await view.conn.fetchval("SELECT count(*) FROM open_batch") == 0


async def packages(view: View) -> list[tuple[str, int | None]]:
    rows = await view.conn.fetch("SELECT plan, seat_limit FROM package WHERE customer = 'acme' AND present ORDER BY 1")
    return [tuple(row) for row in rows]


async def test_a_generated_package_is_there_whichever_topic_is_read_first(view: View) -> None:
    place = {"customer": "acme", "service": "mail", "plan": "gold"}
    made = PackageGenerated(request="r", revision=4, seat_limit=9, **place)
    await view.fold([record(made, 1)])
    assert await packages(view) == [("gold", 9)]
    await view.fold([record(PackageRemoved(revision=4, **place))])
    assert await packages(view) == [("gold", 9)]
    await view.fold([record(PackageProvisioned(revision=5, seat_limit=3, **place))])
    assert await packages(view) == [("gold", 3)]
    await view.fold([record(PackageRemoved(revision=6, **place))])
    assert await packages(view) == []


async def test_a_removed_customer_is_not_shown_until_it_is_registered_again(view: View) -> None:
    await view.fold([record(e) for e in [*catalogue(), *customer("acme", {"1": "silver"})]])
    await view.fold([record(CustomerRemoved(revision=2, customer="acme"))])
    assert await view.conn.fetchval("SELECT count(*) FROM customer WHERE NOT removed") == 0
    again = CustomerRegistered(revision=3, customer="acme", reseller="provider", name="Acme again")
    await view.fold([record(again)])
    assert await view.conn.fetchval("SELECT name FROM customer WHERE NOT removed") == "Acme again"


async def test_reading_the_same_records_twice_changes_nothing(view: View) -> None:
    records = [record(e) for e in [*catalogue(), *customer("acme", {"1": "silver", "2": "bronze"})]]
    for _ in range(2):
        await view.fold(records)
    assert await view.plans("acme") == {"1": "silver", "2": "bronze"}
    assert await view.counts_are_right()


async def test_what_cannot_be_read_is_counted_and_skipped(view: View) -> None:
    good = record(next(customer("acme", {})))
    newer = b'{"specversion":"1.0","type":"planshift.directory.new.v1","source":"/planshift/x","id":"1"}'
    await view.fold([good._replace(value=b"\xff"), good._replace(value=newer, headers=()), good])
    assert view.skipped == ["not-utf8", "unknown-type-of-ours"]
    assert await view.conn.fetchval("SELECT count(*) FROM customer") == 1
