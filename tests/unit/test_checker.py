"""The checker of histories finds every fault that is planted into a right one."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.checker import SHARDS, History, TopicRecord, UserAttempt, check, partition_of

CUSTOMERS = {"acme": ["u1", "u2", "u3"], "borealis": ["u1"], "corvus": ["u4", "u5"]}
Records = list[TopicRecord]


class Writer:
    """Writes a history as the engine would: a sequence per partition, one id per event."""

    def __init__(self) -> None:
        self.last: dict[int, int] = defaultdict(int)
        self.records: Records = []

    def write(self, kind: str, key: str, **data: object) -> None:
        partition = partition_of(key.encode(), SHARDS)
        self.last[partition] += 1
        event = {
            "type": f"planshift.provisioning.{kind}.v1",
            "id": f"{kind}/{partition}/{self.last[partition]}",
            "sequence": f"{self.last[partition]:020d}",
            "data": {"request": "r1", **data},
        }
        offset = self.last[partition] - 1
        self.records.append(TopicRecord(partition, offset, key.encode(), json.dumps(event).encode()))


def right_history() -> Records:
    """A request of six users of three customers: one user fails, a seventh is left out, one package is generated."""
    writer = Writer()
    writer.write("migration-planning-started", "r1", mode="execute")
    for number, (customer, users) in enumerate(CUSTOMERS.items()):
        writer.write("batch-planned", customer, customer=customer, batch=number, users=users)
    writer.write("users-excluded", "acme", customer="acme", reason="seat-limit-reached", users=["u9"])
    writer.write("migration-planned", "r1", selected=7, planned=6, excluded=1)
    writer.write("package-generated", "corvus", customer="corvus", service="hex", plan="gold")
    for number, (customer, users) in enumerate(CUSTOMERS.items()):
        write_outcomes(writer, number, customer, users)
    ends = {str(shard): sequence for shard, sequence in writer.last.items()}
    home = str(partition_of(b"r1", SHARDS))
    counts = {"planned": 6, "migrated": 5, "failed": 1, "skipped": 0, "cancelled": 0, "packages_generated": 1}
    writer.write("migration-finished", "r1", **counts, last_sequence={**ends, home: int(ends[home]) + 1})
    return writer.records


def write_outcomes(writer: Writer, number: int, customer: str, users: list[str]) -> None:
    failed = [user for user in users if user == "u5"]
    for position, user in enumerate(users):
        kind = "user-migration-failed" if user in failed else "user-migrated"
        place = {"customer": customer, "user": user, "batch": number, "position": position, "attempt": 1}
        writer.write(kind, customer, **place, service="hex", from_plan="silver", to_plan="gold")
    counts = {"migrated": len(users) - len(failed), "failed": len(failed), "skipped": 0, "cancelled": 0}
    writer.write("batch-finished", customer, customer=customer, batch=number, attempt=1, **counts)


def index_of(records: Records, kind: str) -> int:
    return next(i for i, record in enumerate(records) if f".{kind}.v1".encode() in record.value)


def changed(record: TopicRecord, change: Callable[[dict[str, Any]], None]) -> TopicRecord:
    event = json.loads(record.value)
    change(event)
    return record._replace(value=json.dumps(event).encode())


def numbered(sequence: int) -> Callable[[dict[str, Any]], None]:
    return lambda event: event.update(sequence=f"{sequence:020d}", id=f"fresh/{sequence}")


def renumbered(records: Records) -> Records:
    """Give each partition gapless sequences again, as a faulty writer with a working ledger would."""
    last: dict[int, int] = defaultdict(int)
    fresh = []
    for record in records:
        last[record.partition] += 1
        fresh.append(changed(record, numbered(last[record.partition])))
    return fresh


def without(kind: str) -> Callable[[Records], Records]:
    return lambda records: [r for i, r in enumerate(records) if i != index_of(records, kind)]


def doubled_effect(records: Records) -> Records:
    place = index_of(records, "user-migrated")
    return renumbered([*records[: place + 1], records[place], *records[place + 1 :]])


def another_id(records: Records) -> Records:
    place = index_of(records, "user-migrated")
    return [*records, changed(records[place], lambda event: event.update(id="other"))]


def wrong_count(records: Records) -> Records:
    place = index_of(records, "migration-finished")
    finished = changed(records[place], lambda event: event["data"].update(migrated=6))
    return [*records[:place], finished, *records[place + 1 :]]


def wrong_batch_count(records: Records) -> Records:
    place = index_of(records, "batch-finished")
    finished = changed(records[place], lambda event: event["data"].update(migrated=0, skipped=3))
    return [*records[:place], finished, *records[place + 1 :]]


def wrong_manifest(records: Records) -> Records:
    place = index_of(records, "migration-planned")
    return [*records[:place], changed(records[place], lambda e: e["data"].update(planned=5)), *records[place + 1 :]]


def wrong_partition(records: Records) -> Records:
    place = index_of(records, "package-generated")
    return [*records[:place], records[place]._replace(key=b"acme"), *records[place + 1 :]]


def package_after_its_users(records: Records) -> Records:
    package = records[index_of(records, "package-generated")]
    rest = [record for record in records if record is not package]
    finished = index_of(rest, "migration-finished")
    return renumbered([*rest[:finished], package, *rest[finished:]])


def two_packages(records: Records) -> Records:
    place = index_of(records, "package-generated")
    return renumbered([*records[:place], records[place], *records[place:]])


def outcome_of_another_position(records: Records) -> Records:
    place = index_of(records, "user-migrated")
    return [*records[:place], changed(records[place], lambda e: e["data"].update(position=2)), *records[place + 1 :]]


def outcome_before_its_plan(records: Records) -> Records:
    place = index_of(records, "batch-planned")
    return renumbered([*records[:place], *records[place + 1 :], records[place]])


def a_lost_outcome(records: Records) -> Records:
    return renumbered(without("user-migrated")(records))


def a_preview_that_works(records: Records) -> Records:
    place = index_of(records, "batch-planned")
    preview = changed(records[place], lambda event: event["data"].update(mode="preview"))
    return [*records[:place], preview, *records[place + 1 :]]


FAULTS: dict[str, Callable[[Records], Records]] = {
    "after ": without("user-migrated"),
    "migrated after migrated": doubled_effect,
    "and before it had": another_id,
    "its users say": wrong_count,
    "its users {": wrong_batch_count,
    "its batches have": wrong_manifest,
    "belongs to partition": wrong_partition,
    "comes after its first user": package_after_its_users,
    "is generated twice": two_packages,
    "is another user": outcome_of_another_position,
    "was not planned before": outcome_before_its_plan,
    "'pending': 1": a_lost_outcome,
    "a preview has migrated": a_preview_that_works,
    "has not ended": lambda records: renumbered(without("migration-finished")(records)),
    "has not finished": lambda records: renumbered(without("batch-finished")(records)),
}


def test_a_right_history_has_no_fault_and_its_counts() -> None:
    history = check(right_history())

    assert history.faults == []
    assert history.requests["r1"].outcomes == {"migrated": 5, "failed": 1}
    assert history.requests["r1"].excluded == {"seat-limit-reached": 1}
    assert history.outcomes[UserAttempt("r1", "corvus", "u5", 1)] == "failed"
    assert history.plans["acme", "hex", "u1"] == "gold"
    assert ("corvus", "hex", "u5") not in history.plans


def test_the_same_events_once_more_are_dropped_and_counted() -> None:
    records = right_history()

    history: History = check([*records, *records[3:9]])

    assert history.faults == []
    assert history.duplicates == 6


@pytest.mark.parametrize("words", FAULTS)
def test_a_planted_fault_is_found(words: str) -> None:
    faults = check(FAULTS[words](right_history())).faults

    assert any(words in fault for fault in faults), faults


def test_kafkas_own_partitioner_is_the_one_that_is_checked() -> None:
    # Values of org.apache.kafka.common.utils.Utils.murmur2, from Kafka's own tests.
    assert partition_of(b"21", 2**31) == (-973932308 & 0x7FFFFFFF)
    assert partition_of(b"foobar", 2**31) == (-790332482 & 0x7FFFFFFF)
    assert partition_of(b"a-little-bit-long-string", 2**31) == (-985981536 & 0x7FFFFFFF)
