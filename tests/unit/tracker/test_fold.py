"""The tracker's fold is the same however topics and partitions are read, and its counts always add up."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.topics import PROVISIONING
from eventlog.record import IncomingRecord
from services.request_tracker.domain.outcomes import unpack
from tests.tracker_model import Model
from tests.tracker_story import Request, Story


def _story(seed: int) -> Story:
    story = Story(seed)
    story.whole(
        Request(
            "r-one",
            {"anna": 23, "bert": 7, "carl": 41},
            excluded={"anna": 3, "dora": 2},
            failing=0.3,
            batch_size=10,
        ),
        retry=True,
    )
    story.whole(Request("r-two", {"anna": 9, "emil": 30}, failing=0.1, batch_size=7))
    preview = Request("r-three", {"bert": 12}, mode="preview")
    story.asked_for(preview)
    story.plan(preview)
    return story


def _in_order(story: Story) -> list[IncomingRecord]:
    return [record for key in sorted(story.records) for record in story.records[key]]


def _interleaved(story: Story, chance: Random) -> list[IncomingRecord]:
    """Some order in which the records of each partition keep theirs."""
    logs = [list(reversed(log)) for log in story.records.values()]
    mixed = []
    while logs:
        log = chance.choice(logs)
        mixed += [log.pop() for _ in range(min(len(log), chance.randint(1, 30)))]
        logs = [one for one in logs if one]
    return mixed


def _folded(records: list[IncomingRecord], chance: Random, most: int) -> Model:
    model, start = Model(), 0
    while start < len(records):
        end = start + chance.randint(1, most)
        model.fold(records[start:end])
        start = end
    return model


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 3), order=st.integers(0, 2**32), most=st.sampled_from([1, 7, 60, 1000]))
def test_every_interleaving_and_grouping_gives_the_same_dump(seed: int, order: int, most: int) -> None:
    story, chance = _story(seed), Random(order)
    expected = Model()
    expected.fold(_in_order(story))
    assert _folded(_interleaved(story, chance), chance, most).dump() == expected.dump()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.integers(0, 2**32))
def test_counts_per_shard_and_customer_are_the_sums_over_batches_after_every_group(order: int) -> None:
    chance, model = Random(order), Model()
    records = _interleaved(_story(1), chance)
    for start in range(0, len(records), 20):
        model.fold(records[start : start + 20])
        _check_sums(model)


def _check_sums(model: Model) -> None:
    for request in {row.request for row in model.rows.batches.values()}:
        batches = [row for row in model.rows.batches.values() if row.request == request]
        shards = [row.counts for row in model.rows.shards.values() if row.request == request]
        customers = [row.counts for row in model.rows.customers.values() if row.request == request]
        for name in ("migrated", "failed", "skipped", "cancelled"):
            expected = sum(getattr(batch, name) for batch in batches)
            assert sum(getattr(counts, name) for counts in shards) == expected
            assert sum(getattr(counts, name) for counts in customers) == expected
        assert sum(counts.planned for counts in shards) == sum(batch.n for batch in batches)
        for batch in batches:
            settled = batch.migrated + batch.failed + batch.skipped + batch.cancelled
            assert batch.outcome.count(0) == batch.n - settled


def test_the_outcomes_are_those_that_the_story_tells() -> None:
    story = Story(5)
    request = Request("r", {"anna": 200}, failing=0.4, batch_size=50)
    story.whole(request)
    model = Model()
    model.fold(_in_order(story))
    found = {name: sum(getattr(row, name) for row in model.rows.batches.values()) for name in request.tally}
    assert found == request.tally
    assert not model.skipped


def test_a_retry_keeps_the_outcome_of_the_first_attempt() -> None:
    story = Story(5)
    request = Request("r", {"anna": 40}, failing=0.5, batch_size=40)
    story.whole(request, retry=True)
    model = Model()
    model.fold(_in_order(story))
    (row,) = model.rows.batches.values()
    again = request.reopened[0]
    assert sorted(map(int, row.history)) == again
    assert all(told[0]["outcome"] == "failed" and told[0]["attempt"] == 1 for told in row.history.values())
    assert row.failed == 0
    assert row.attempt == 2


def test_a_batch_of_users_that_migrate_in_one_go_is_one_run() -> None:
    story = Story()
    story.whole(Request("r", {"anna": 500}, batch_size=500))
    model = Model()
    model.fold(_in_order(story))
    (row,) = model.rows.batches.values()
    assert [(run.position, run.n) for run in row.runs] == [(0, 500)]
    assert unpack(b"") == []


def test_the_same_outcome_twice_is_counted_once_and_noted() -> None:
    story = Story()
    request = Request("r", {"anna": 3})
    story.asked_for(request)
    story.plan(request)
    story.work(request)
    story.work(request)
    model = Model()
    model.fold(_in_order(story))
    (row,) = model.rows.batches.values()
    assert row.migrated == 3
    assert {reason for _, _, reason in model.skipped} == {"second-outcome"}


def test_an_outcome_without_its_batch_is_noted_and_changes_nothing() -> None:
    story = Story()
    request = Request("r", {"anna": 3})
    story.plan(request)
    story.work(request)
    records = [record for record in _in_order(story) if not record.type or "batch-planned" not in record.type]
    model = Model()
    model.fold(records)
    assert not model.rows.batches
    assert {reason for _, _, reason in model.skipped} == {"stray"}


def test_records_that_nobody_understands_are_counted_by_reason() -> None:
    story = Story()
    request = Request("r", {"anna": 3})
    story.whole(request)
    first = next(log[0] for (topic, _), log in story.records.items() if topic == PROVISIONING.name)
    strange = [
        first._replace(type="planshift.provisioning.of-tomorrow.v9"),
        first._replace(sequence=None),
        first._replace(type="planshift.provisioning.user-migrated.v1", value=b"{}"),
        first._replace(type="planshift.provisioning.user-migrated.v1", value=None),
        first._replace(type="planshift.provisioning.batch-planned.v1", value=b"\xff"),
    ]
    model = Model()
    model.fold(strange)
    assert {reason: n for (_, _, reason), n in model.skipped.items()} == {
        "unknown-type": 1,
        "no-sequence": 1,
        "wrong-shape": 3,
    }
