"""A deterministic engine for tests of readers: what it would say of requests, in its order, without doing anything.

`Story` keeps sequences per shard; `publish` puts everything on the real topics as the relay does.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts import provisioning as said
from contracts import requests as asked
from contracts.codec import encode, headers_for
from contracts.envelope import ENGINE_SOURCE, WIZARD_SOURCE, wrap
from contracts.reasons import UserReason
from contracts.statuses import RequestStatus, final_status
from contracts.topics import PROVISIONING, REQUEST_PARTITIONS, REQUESTS, SHARDS
from eventlog.partitions import partition_of
from eventlog.record import IncomingRecord

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_TALLY = {"migrated": 0, "failed": 0, "skipped": 0, "cancelled": 0}


@dataclass
class Batch:
    """A planned batch of a story."""

    number: int
    customer: str
    users: tuple[str, ...]


@dataclass
class Request:
    """One request's course; `failing` is the share of its users that do not migrate at the first attempt."""

    id: str
    customers: dict[str, int]
    excluded: dict[str, int] = field(default_factory=dict)
    failing: float = 0.0
    batch_size: int = 50
    mode: str = "execute"
    batches: list[Batch] = field(default_factory=list)
    reopened: dict[int, list[int]] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=lambda: dict(_TALLY))


class Story:
    """Collects records per (topic, partition), with the sequences and headers that the real writers give them."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)
        self._sequences = [0] * SHARDS
        self._wizard_sequences = [0] * REQUEST_PARTITIONS
        self._time = START
        self.records: dict[tuple[str, int], list[IncomingRecord]] = {}

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass between groups of events."""
        self._time += timedelta(seconds=seconds)

    def say(self, data: Any, event_id: str) -> int:  # noqa: ANN401 - any event of the engine
        """Let the engine say something; gives its sequence."""
        shard = partition_of(data.key(), SHARDS)
        self._sequences[shard] += 1
        self._keep(PROVISIONING.name, shard, data, event_id, ENGINE_SOURCE, self._sequences[shard])
        return self._sequences[shard]

    def ask(self, data: Any, event_id: str) -> None:  # noqa: ANN401 - any event of the requests' topic
        """Let the wizard ask for something."""
        partition = partition_of(data.key(), REQUEST_PARTITIONS)
        self._wizard_sequences[partition] += 1
        self._keep(REQUESTS.name, partition, data, event_id, WIZARD_SOURCE, self._wizard_sequences[partition])

    def _keep(self, topic: str, partition: int, data: Any, event_id: str, source: str, sequence: int) -> None:  # noqa: ANN401
        envelope = wrap(
            data, event_id=event_id, source=source, time=self._time, sequence=sequence, correlation_id=data.request
        )
        log = self.records.setdefault((topic, partition), [])
        headers = tuple(headers_for(envelope))
        key, value = data.key().encode(), encode(envelope)
        stamp = int(self._time.timestamp() * 1000)
        log.append(
            IncomingRecord(topic, partition, len(log), stamp, key, value, headers, data.TYPE, event_id, sequence)
        )

    def asked_for(self, request: Request, **more: Any) -> None:  # noqa: ANN401 - members of the event
        """The wizard's MigrationRequested."""
        told = {
            "mode": request.mode,
            "name": f"Gold to Platinum, {request.id}",
            "service": "mail",
            "mappings": (asked.Mapping(from_plan="gold", to_plan="platinum"),),
            "selection": asked.Selection(all_customers=True, all_users=True),
            "requested_by": "someone",
            **more,
        }
        self.ask(asked.MigrationRequested(request=request.id, **told), f"{request.id}/requested")

    def plan(self, request: Request) -> None:
        """The manifest: batches, exclusions, totals."""
        mappings = (asked.Mapping(from_plan="gold", to_plan="platinum"),)
        self.say(
            said.MigrationPlanningStarted(
                request=request.id,
                mode=request.mode,
                service="mail",
                mappings=mappings,
                generate_missing_packages=True,
            ),
            f"{request.id}/planning",
        )
        numbers = itertools.count()
        ends: dict[str, int] = {}
        for customer, n in request.customers.items():
            users = [f"user-{i:05d}" for i in range(n)]
            for start in range(0, n, request.batch_size):
                batch = Batch(next(numbers), customer, tuple(users[start : start + request.batch_size]))
                request.batches.append(batch)
                ends[str(partition_of(customer, SHARDS))] = self._plan_batch(request, batch)
        for number, (customer, n) in enumerate(request.excluded.items()):
            left_out = tuple(f"left-{i:05d}" for i in range(n))
            event = said.UsersExcluded(
                request=request.id,
                customer=customer,
                number=number,
                reason=UserReason.SEAT_LIMIT_REACHED,
                users=left_out,
            )
            ends[str(partition_of(customer, SHARDS))] = self.say(event, f"{request.id}/excluded/{number}")
        self._say_planned(request, ends)

    def _plan_batch(self, request: Request, batch: Batch) -> int:
        return self.say(
            said.BatchPlanned(
                request=request.id,
                customer=batch.customer,
                batch=batch.number,
                service="mail",
                from_plan="gold",
                to_plan="platinum",
                users=batch.users,
                revision=1,
                hash="0" * 64,
                mode=request.mode,
            ),
            f"{request.id}/{batch.number}/planned",
        )

    def _say_planned(self, request: Request, ends: dict[str, int]) -> None:
        planned, excluded = sum(request.customers.values()), sum(request.excluded.values())
        self.say(
            said.MigrationPlanned(
                request=request.id,
                mode=request.mode,
                selected=planned + excluded,
                planned=planned,
                excluded=excluded,
                excluded_by_reason={UserReason.SEAT_LIMIT_REACHED: excluded} if excluded else {},
                customers=len(request.customers),
                batches=len(request.batches),
                packages=(said.PackagePlanned(plan="platinum", customers=1),),
                hash="1" * 64,
                planned_last_sequence=ends,
            ),
            f"{request.id}/planned",
        )

    def start(self, request: Request) -> None:
        """The work begins."""
        self.say(
            said.MigrationStarted(request=request.id, planned=sum(request.customers.values())),
            f"{request.id}/started",
        )

    def work(self, request: Request, batches: Iterable[Batch] | None = None, attempt: int = 1) -> None:
        """Outcomes of the batches' users, and each batch's end."""
        for batch in request.batches if batches is None else batches:
            positions = range(len(batch.users)) if attempt == 1 else request.reopened.get(batch.number, [])
            found = dict(_TALLY)
            for position in positions:
                found[self._settle(request, batch, position, attempt)] += 1
            for outcome, n in found.items():
                request.tally[outcome] += n
            self.say(
                said.BatchFinished(
                    request=request.id, customer=batch.customer, batch=batch.number, attempt=attempt, **found
                ),
                f"{request.id}/{batch.number}/finished/{attempt}",
            )

    def _settle(self, request: Request, batch: Batch, position: int, attempt: int) -> str:
        data: dict[str, Any] = {
            "request": request.id,
            "customer": batch.customer,
            "user": batch.users[position],
            "batch": batch.number,
            "position": position,
            "attempt": attempt,
            "service": "mail",
            "from_plan": "gold",
            "to_plan": "platinum",
        }
        event: Any
        if attempt > 1 or self._random.random() >= request.failing:
            outcome, event = "migrated", said.UserMigrated(**data, revision=2)
        elif self._random.random() < 0.5:
            outcome = "failed"
            reason = UserReason.REFUSED_BY_CONNECTOR
            event = said.UserMigrationFailed(**data, reason=reason, detail="no mailbox", transient=False)
        else:
            outcome, event = "skipped", said.UserMigrationSkipped(**data, reason=UserReason.PLAN_CHANGED)
        self.say(event, f"{request.id}/{batch.number}/{position}/{attempt}")
        if outcome == "failed":
            request.reopened.setdefault(batch.number, []).append(position)
        return outcome

    def retry(self, request: Request) -> None:
        """The failed ones are tried again, and migrate."""
        again = [batch for batch in request.batches if batch.number in request.reopened]
        for batch in again:
            positions = tuple(request.reopened[batch.number])
            event = said.BatchReopened(
                request=request.id, customer=batch.customer, batch=batch.number, attempt=2, positions=positions
            )
            self.say(event, f"{request.id}/{batch.number}/reopened/2")
            request.tally["failed"] -= len(positions)
        self.work(request, again, attempt=2)

    def generate_package(self, request: Request, customer: str) -> None:
        """A package comes into being."""
        event = said.PackageGenerated(
            request=request.id, customer=customer, service="mail", plan="platinum", seat_limit=None, revision=3
        )
        self.say(event, f"{request.id}/package/{customer}")

    def finish(self, request: Request) -> RequestStatus:
        """The end; gives the final status."""
        status = final_status(**request.tally)
        home = partition_of(request.id, SHARDS)
        ends = {str(shard): n for shard, n in enumerate(self._sequences) if n}
        ends[str(home)] = self._sequences[home] + 1
        event = said.MigrationFinished(
            request=request.id,
            status=status,
            planned=sum(request.customers.values()),
            packages_generated=0,
            last_sequence=ends,
            **request.tally,
        )
        self.say(event, f"{request.id}/finished")
        return status

    def whole(self, request: Request, *, retry: bool = False) -> RequestStatus:
        """Everything from the wish to the end."""
        self.asked_for(request)
        self.plan(request)
        self.tick()
        self.start(request)
        self.generate_package(request, next(iter(request.customers)))
        for batch in request.batches:
            self.work(request, [batch])
            self.tick(0.3)
        if retry:
            self.retry(request)
        self.tick()
        return self.finish(request)


async def publish(kafka: str, prefix: str, records: Mapping[tuple[str, int], Sequence[IncomingRecord]]) -> None:
    """Put records on their topics and partitions, in order."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, enable_idempotence=True, compression_type="lz4", max_batch_size=256 * 1024
    )
    await producer.start()
    try:
        for (topic, partition), log in records.items():
            await _publish(producer, prefix + topic, partition, log)
    finally:
        await producer.stop()


async def _publish(producer: AIOKafkaProducer, topic: str, partition: int, log: Sequence[IncomingRecord]) -> None:
    batch = producer.create_batch()
    for record in log:
        fields = {"key": record.key, "value": record.value, "timestamp": None, "headers": list(record.headers)}
        if batch.append(**fields) is None:
            await (await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**fields)
    if batch.record_count():
        await (await producer.send_batch(batch, topic, partition=partition))
