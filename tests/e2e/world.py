"""A small made-up directory of one test's own, on the real topic: nobody else's customers, service or plans."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts import directory
from contracts.codec import encode, headers_for
from contracts.envelope import wrap
from contracts.topics import DIRECTORY
from eventlog.partitions import partition_of

SOURCE = "/e2e"


def _now_us() -> int:
    return time.time_ns() // 1000


@dataclass
class World:
    """A service with the plans silver, gold and bronze, and customers with users on silver.

    `users` are per customer; `without_gold` has customers that lack the destination package, `seats` the limits of
    others' gold package.
    """

    users: dict[str, int]
    without_gold: frozenset[str] = frozenset()
    seats: dict[str, int] = field(default_factory=dict)
    connector: directory.ConnectorChoice = field(default_factory=directory.ConnectorChoice)
    name: str = field(default_factory=lambda: f"w{secrets.token_hex(4)}")

    @property
    def service(self) -> str:
        """The service's id."""
        return f"{self.name}-mail"

    def customer(self, short: str) -> str:
        """Give a customer's id."""
        return f"{self.name}-{short}"

    def user(self, number: int) -> str:
        """Give a user's id."""
        return f"user-{number:06d}"

    @property
    def total(self) -> int:
        """How many users there are."""
        return sum(self.users.values())

    def facts(self) -> Iterable[directory.DirectoryEvent]:
        """Give everything, what is referred to first."""
        revision = _now_us()
        reseller = f"{self.name}-reseller"
        yield directory.ResellerRegistered(reseller=reseller, name="Reseller", revision=revision)
        yield directory.ServiceDefined(service=self.service, name="Mail", connector=self.connector, revision=revision)
        for plan in ("silver", "gold", "bronze"):
            yield directory.UserPlanDefined(service=self.service, plan=plan, name=plan, revision=revision)
        for short, count in self.users.items():
            customer = self.customer(short)
            yield directory.CustomerRegistered(customer=customer, reseller=reseller, name=short, revision=revision)
            yield from self._packages(short, revision)
            for number in range(count):
                user = self.user(number)
                yield directory.UserRegistered(customer=customer, user=user, name=user, revision=revision)
                yield directory.UserPlanAssigned(
                    customer=customer, user=user, service=self.service, plan="silver", revision=revision
                )

    def _packages(self, short: str, revision: int) -> Iterable[directory.PackageProvisioned]:
        for plan in ("silver", "gold"):
            if plan == "gold" and short in self.without_gold:
                continue
            yield directory.PackageProvisioned(
                customer=self.customer(short),
                service=self.service,
                plan=plan,
                seat_limit=self.seats.get(short) if plan == "gold" else None,
                revision=revision,
            )

    def request(self, name: str = "Silver to Gold", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of the body
        """Give the body of a request for all users of this world."""
        selection = {"all_customers": True, "all_users": True}
        mappings = [{"from_plan": "silver", "to_plan": "gold"}]
        return {"service": self.service, "name": name, "mappings": mappings, "selection": selection, **more}

    async def publish(self, kafka: str, prefix: str) -> dict[int, int]:
        """Publish everything; gives the next offset of each partition behind it."""
        return await publish(kafka, prefix, self.facts())


async def publish(kafka: str, prefix: str, facts: Iterable[directory.DirectoryEvent]) -> dict[int, int]:
    """Publish directory events; gives the next offset of each partition that got any."""
    topic, ends = prefix + DIRECTORY.name, dict[int, int]()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, compression_type="lz4", linger_ms=20)
    await producer.start()
    try:
        pending = []
        for fact in facts:
            envelope = wrap(fact, event_id=f"{fact.key()}@{fact.revision}", source=SOURCE, time=datetime.now(UTC))
            pending.append(
                await producer.send(
                    topic,
                    encode(envelope),
                    key=fact.key().encode(),
                    partition=partition_of(fact.key(), DIRECTORY.partitions),
                    headers=headers_for(envelope),
                )
            )
        for future in pending:
            record = await future
            ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
    finally:
        await producer.stop()
    return ends
