"""Events as a reader hands them over, and a small made-up directory."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts.codec import TOPIC_BY_TYPE, encode, headers_for
from contracts.directory import (
    CustomerRegistered,
    DirectoryEvent,
    PackageProvisioned,
    ResellerRegistered,
    ServiceDefined,
    UserPlanAssigned,
    UserPlanDefined,
    UserRegistered,
)
from contracts.envelope import wrap
from contracts.topics import TOPICS
from eventlog.partitions import partition_of
from eventlog.record import IncomingRecord

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}
_numbers = itertools.count(1)


def record(event: Any, sequence: int | None = None) -> IncomingRecord:  # noqa: ANN401 - any event of the contracts
    """Give an event as a fold gets it."""
    event_id = f"e{next(_numbers)}"
    envelope = wrap(event, event_id=event_id, source="/test", time=NOW, sequence=sequence)
    topic, headers = TOPIC_BY_TYPE[event.TYPE], tuple(headers_for(envelope))
    key = event.key().encode()
    return IncomingRecord(topic, 0, 0, 0, key, encode(envelope), headers, event.TYPE, event_id, sequence)


async def publish(kafka: str, prefix: str, events: Iterable[Any]) -> dict[str, int]:
    """Publish events with their keys; gives the next offset of each partition of `directory.events` written to."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    sent: list[asyncio.Future[Any]] = []
    ends: dict[str, int] = {}
    sequences: dict[int, int] = {}
    try:
        for event in events:
            topic = TOPIC_BY_TYPE[event.TYPE]
            partition = partition_of(event.key(), PARTITIONS[topic])
            sequence = None
            if topic == "provisioning.events":
                sequence = sequences[partition] = sequences.get(partition, 0) + 1
            one = record(event, sequence)
            headers = list(one.headers)
            sent.append(await producer.send(prefix + topic, one.value, one.key, partition, headers=headers))
        for place in await asyncio.gather(*sent):
            if place.topic.endswith("directory.events"):
                ends[str(place.partition)] = max(place.offset + 1, ends.get(str(place.partition), 0))
    finally:
        await producer.stop()
    return ends


def catalogue() -> Iterator[DirectoryEvent]:
    """Give one service with the plans bronze, silver and gold."""
    yield ResellerRegistered(revision=1, reseller="provider", name="The provider")
    yield ServiceDefined(revision=1, service="mail", name="Hosted Exchange")
    for plan in ("bronze", "silver", "gold"):
        yield UserPlanDefined(revision=1, service="mail", plan=plan, name=plan.title())


def customer(
    name: str, users: dict[str, str], *, seats: int | None = None, gold: bool = True
) -> Iterator[DirectoryEvent]:
    """Give a customer with users on plans, and with or without a package of gold that has `seats`."""
    yield CustomerRegistered(revision=1, customer=name, reseller="provider", name=f"{name.title()} Ltd")
    if gold:
        yield PackageProvisioned(revision=1, customer=name, service="mail", plan="gold", seat_limit=seats)
    for user, plan in users.items():
        yield UserRegistered(revision=1, customer=name, user=user, name=f"User {user}", email=f"{user}@{name}.example")
        yield UserPlanAssigned(revision=1, customer=name, user=user, service="mail", plan=plan)


def world() -> list[DirectoryEvent]:
    """Give three customers: acme has room, bolt lacks the package, core has one seat."""
    return [
        *catalogue(),
        *customer("acme", {f"a{number}": "silver" for number in range(5)} | {"a9": "bronze"}),
        *customer("bolt", {"b0": "silver", "b1": "silver"}, gold=False),
        *customer("core", {"c0": "silver", "c1": "silver", "c2": "gold"}, seats=2),
    ]
