"""Tells whether a history is right, from the outside: the records of `provisioning.events` and nothing else.

A pure fold that shares no code with the services: it reads the documents as JSON and knows only what the contract says.
`check(records)` gives what happened to every user and every fault that it found; an empty list means a right history.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SHARDS = 16
_PREFIX = "planshift.provisioning."
_TERMINAL = {
    "user-migrated.v1": "migrated",
    "user-migration-failed.v1": "failed",
    "user-migration-skipped.v1": "skipped",
    "user-migration-cancelled.v1": "cancelled",
}
OUTCOMES = ("migrated", "failed", "skipped", "cancelled")


class TopicRecord(NamedTuple):
    """A record as any client reads it; `key` and `value` are the bytes on the wire."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes


class UserAttempt(NamedTuple):
    """One attempt at one user in one request."""

    request: str
    customer: str
    user: str
    attempt: int


@dataclass
class Batch:
    """A batch of the manifest and what has become of it."""

    users: list[str]
    execute: bool
    finished: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class RequestFold:
    """What the topic says of one request."""

    planned: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    packages: int = 0
    manifest: dict[str, Any] | None = None
    finished: dict[str, Any] | None = None
    rejected: dict[str, Any] | None = None
    """What ended the request before it did anything: a rejection or a decline."""
    last_sequence: dict[int, int] = field(default_factory=dict)
    execute: bool = True


@dataclass
class History:
    """The fold of a topic: requests, batches, each user's outcome, and every fault."""

    faults: list[str] = field(default_factory=list)
    requests: dict[str, RequestFold] = field(default_factory=lambda: defaultdict(RequestFold))
    batches: dict[tuple[str, int], Batch] = field(default_factory=dict)
    outcomes: dict[UserAttempt, str] = field(default_factory=dict)
    plans: dict[tuple[str, str, str], str] = field(default_factory=dict)
    packages: set[tuple[str, str, str]] = field(default_factory=set)
    used: set[tuple[str, str, str]] = field(default_factory=set)
    duplicates: int = 0
    documents: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def fault(self, text: str) -> None:
        """Note a fault."""
        self.faults.append(text)


def murmur2(data: bytes) -> int:
    """Give the hash that Kafka's own clients choose partitions with (32 bits, seed 0x9747b28c)."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    value = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * factor & mask
        word = (word ^ (word >> 24)) * factor & mask
        value = (value * factor & mask) ^ word
    if len(data) > whole:
        value = (value ^ int.from_bytes(data[whole:], "little")) * factor & mask
    value = (value ^ (value >> 13)) * factor & mask
    return value ^ (value >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """Give the partition of a key, as Kafka's own clients choose it."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def check(records: Iterable[TopicRecord], *, everything_ended: bool = True) -> History:
    """Fold the records, each partition in the order of its offsets, and find every fault.

    `everything_ended`: every planned user of an executed request must have come to its end.
    """
    history = History()
    last: dict[int, int] = defaultdict(int)
    ids: dict[tuple[int, int], str] = {}
    for record in records:
        event = json.loads(record.value)
        if _is_next(history, record, event, last, ids):
            history.documents[record.partition].append(record.value)
            _fold(history, record, event)
    _check_requests(history, everything_ended=everything_ended)
    return history


def _is_next(
    history: History, record: TopicRecord, event: dict[str, Any], last: dict[int, int], ids: dict[tuple[int, int], str]
) -> bool:
    """Apply the readers' arithmetic: fold last + 1, drop what was seen, and call everything else a fault."""
    where = f"{record.partition}@{record.offset}"
    sequence, partition = int(event["sequence"]), record.partition
    seen = ids.get((partition, sequence))
    if seen is not None:
        history.duplicates += 1
        if seen != event["id"]:
            history.fault(f"{where}: sequence {sequence} has the id {event['id']}, and before it had {seen}")
        return False
    if sequence != last[partition] + 1:
        history.fault(f"{where}: sequence {sequence} after {last[partition]}")
    last[partition] = max(sequence, last[partition])
    ids[partition, sequence] = event["id"]
    key = record.key or b""
    if partition_of(key, SHARDS) != partition:
        history.fault(f"{where}: the key {key!r} belongs to partition {partition_of(key, SHARDS)}")
    return True


def _fold(history: History, record: TopicRecord, event: dict[str, Any]) -> None:
    data, kind = event["data"], event["type"].removeprefix(_PREFIX)
    request = history.requests[data["request"]]
    request.last_sequence[record.partition] = int(event["sequence"])
    if kind in _TERMINAL:
        _fold_user(history, request, data, _TERMINAL[kind])
        return
    folding = _FOLDS.get(kind)
    if folding is not None:
        folding(history, request, data)


def _fold_user(history: History, request: RequestFold, data: dict[str, Any], outcome: str) -> None:
    attempt = UserAttempt(data["request"], data["customer"], data["user"], data["attempt"])
    if attempt in history.outcomes:
        history.fault(f"{attempt}: {outcome} after {history.outcomes[attempt]}")
        return
    history.outcomes[attempt] = outcome
    request.outcomes[outcome] += 1
    batch = history.batches.get((data["request"], data["batch"]))
    if batch is None:
        history.fault(f"{attempt}: its batch {data['batch']} was not planned before")
    elif data["position"] >= len(batch.users) or batch.users[data["position"]] != data["user"]:
        history.fault(f"{attempt}: position {data['position']} of batch {data['batch']} is another user")
    elif data["attempt"] in batch.finished:
        history.fault(f"{attempt}: its batch {data['batch']} had finished before")
    elif not batch.execute:
        history.fault(f"{attempt}: a preview has {outcome} a user")
    if outcome == "migrated":
        history.plans[data["customer"], data["service"], data["user"]] = data["to_plan"]
        history.used.add((data["customer"], data["service"], data["to_plan"]))


def _fold_batch_planned(history: History, request: RequestFold, data: dict[str, Any]) -> None:
    key = (data["request"], data["batch"])
    if key in history.batches:
        history.fault(f"batch {key} is planned twice")
        return
    history.batches[key] = Batch(data["users"], data.get("mode", "execute") == "execute")
    request.planned += len(data["users"])


def _fold_batch_finished(history: History, _request: RequestFold, data: dict[str, Any]) -> None:
    key = (data["request"], data["batch"])
    batch = history.batches.get(key)
    if batch is None or data["attempt"] in batch.finished:
        history.fault(f"batch {key} finishes {'twice' if batch else 'without having been planned'}")
        return
    batch.finished[data["attempt"]] = data
    found = Counter(
        history.outcomes.get(UserAttempt(data["request"], data["customer"], user, data["attempt"]), "pending")
        for user in batch.users
    )
    said = Counter({name: data[name] for name in OUTCOMES if data[name]})
    if data["attempt"] == 1 and found != said:
        history.fault(f"batch {key} says {dict(said)}, its users {dict(found)}")


def _fold_excluded(_history: History, request: RequestFold, data: dict[str, Any]) -> None:
    request.excluded[data["reason"]] += len(data["users"])


def _fold_package(history: History, request: RequestFold, data: dict[str, Any]) -> None:
    package = (data["customer"], data["service"], data["plan"])
    if package in history.packages:
        history.fault(f"the package {package} is generated twice")
    if package in history.used:
        history.fault(f"the package {package} comes after its first user")
    history.packages.add(package)
    request.packages += 1


def _fold_planned(_history: History, request: RequestFold, data: dict[str, Any]) -> None:
    request.manifest = data


def _fold_planning(_history: History, request: RequestFold, data: dict[str, Any]) -> None:
    request.execute = data["mode"] == "execute"


def _fold_rejected(_history: History, request: RequestFold, data: dict[str, Any]) -> None:
    request.rejected = data


def _fold_finished(history: History, request: RequestFold, data: dict[str, Any]) -> None:
    if request.finished is not None:
        history.fault(f"request {data['request']} finishes twice")
    request.finished = data


_FOLDS: dict[str, Callable[[History, RequestFold, dict[str, Any]], None]] = {
    "migration-planning-started.v1": _fold_planning,
    "batch-planned.v1": _fold_batch_planned,
    "batch-finished.v1": _fold_batch_finished,
    "users-excluded.v1": _fold_excluded,
    "package-generated.v1": _fold_package,
    "migration-planned.v1": _fold_planned,
    "migration-rejected.v1": _fold_rejected,
    "migration-ended-by-decline.v1": _fold_rejected,
    "migration-finished.v1": _fold_finished,
}


def _check_requests(history: History, *, everything_ended: bool) -> None:
    for name, request in history.requests.items():
        _check_manifest(history, name, request)
        if request.finished is not None:
            _check_finished(history, name, request, request.finished)
        elif everything_ended and request.rejected is None and request.execute:
            history.fault(f"request {name} has not ended")
    if everything_ended:
        _check_every_user(history)


def _check_manifest(history: History, name: str, request: RequestFold) -> None:
    manifest = request.manifest
    if manifest is None:
        return
    if manifest["planned"] != request.planned:
        history.fault(f"request {name} plans {manifest['planned']}, its batches have {request.planned}")
    if manifest["excluded"] != request.excluded.total():
        history.fault(f"request {name} excludes {manifest['excluded']}, the events name {request.excluded.total()}")
    if manifest["selected"] != manifest["planned"] + manifest["excluded"]:
        history.fault(f"request {name}: selected {manifest['selected']} is not planned + excluded")


def _check_finished(history: History, name: str, request: RequestFold, finished: dict[str, Any]) -> None:
    said = {outcome: finished[outcome] for outcome in OUTCOMES}
    found = {outcome: request.outcomes[outcome] for outcome in OUTCOMES}
    if said != found:
        history.fault(f"request {name} finishes with {said}, its users say {found}")
    if finished["planned"] != sum(said.values()):
        history.fault(f"request {name}: planned {finished['planned']} is not the sum of {said}")
    if finished["packages_generated"] != request.packages:
        history.fault(f"request {name} says {finished['packages_generated']} packages, not {request.packages}")
    last = {int(shard): sequence for shard, sequence in finished["last_sequence"].items()}
    if last != request.last_sequence:
        history.fault(f"request {name}: last_sequence {last} is not {request.last_sequence}")


def _check_every_user(history: History) -> None:
    for (request, number), batch in history.batches.items():
        if not batch.execute or history.requests[request].finished is None:
            continue
        if 1 not in batch.finished:
            history.fault(f"batch {number} of {request} has not finished")
