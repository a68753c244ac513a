"""A made-up history on the real topics: what the engine says of one request, as fast as it can be written."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from contracts import provisioning as said
from contracts import requests as asked
from contracts.codec import encode, headers_for
from contracts.envelope import ENGINE_SOURCE, WIZARD_SOURCE, AnyEnvelope, wrap
from contracts.statuses import RequestStatus
from contracts.topics import PROVISIONING, REQUEST_PARTITIONS, REQUESTS, SHARDS
from eventlog.connections import KafkaSettings, make_producer
from eventlog.partitions import partition_of

REQUEST = "bench-rebuild"
USERS_PER_CUSTOMER = 50
_TIME = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_PLANS = {"service": "hosted-exchange", "from_plan": "silver", "to_plan": "gold"}
_MAPPING = asked.Mapping(from_plan="silver", to_plan="gold")


class Batch(NamedTuple):
    """A customer's users, in one batch."""

    number: int
    customer: str
    users: tuple[str, ...]


class Log:
    """A partition that is being written: counts sequences and sends full batches."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partition: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._batch = producer.create_batch()
        self.sequence = 0

    async def append(self, key: str, envelope: AnyEnvelope) -> None:
        """Add one event; its envelope has the next sequence already."""
        await self.append_bytes(key.encode(), encode(envelope), headers_for(envelope))

    async def append_bytes(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Add one finished event."""
        self.sequence += 1
        while self._batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            await self.send()

    async def send(self) -> None:
        """Send what has been gathered."""
        await (await self._producer.send_batch(self._batch, self._topic, partition=self._partition))
        self._batch = self._producer.create_batch()


class History:
    """Writes the history of one request for `users` users."""

    def __init__(self, producer: AIOKafkaProducer, kafka: KafkaSettings, users: int) -> None:
        topic = kafka.topic(PROVISIONING.name)
        self._shards = [Log(producer, topic, number) for number in range(SHARDS)]
        self._home = self._shards[partition_of(REQUEST, SHARDS)]
        number = partition_of(REQUEST, REQUEST_PARTITIONS)
        self._requests = Log(producer, kafka.topic(REQUESTS.name), number)
        self._users = users

    async def write(self) -> int:
        """Write everything; gives the number of events."""
        await self._ask()
        await self._plan()
        await self._say(self._home, said.MigrationStarted(request=REQUEST, planned=self._users), "started")
        for batch in self._batches():
            await self._migrate(batch)
        await self._finish()
        logs = [*self._shards, self._requests]
        for log in logs:
            await log.send()
        return sum(log.sequence for log in logs)

    def _batches(self) -> Iterator[Batch]:
        for number, start in enumerate(range(0, self._users, USERS_PER_CUSTOMER)):
            n = min(USERS_PER_CUSTOMER, self._users - start)
            yield Batch(number, f"customer-{number:06d}", tuple(f"user-{start + i:08d}" for i in range(n)))

    def _log(self, customer: str) -> Log:
        return self._shards[partition_of(customer, SHARDS)]

    async def _say(self, log: Log, data: said.ProvisioningEvent, name: str) -> None:
        envelope = wrap(
            data,
            event_id=f"{REQUEST}/{name}",
            source=ENGINE_SOURCE,
            time=_TIME,
            sequence=log.sequence + 1,
            correlation_id=REQUEST,
        )
        await log.append(data.key(), envelope)

    async def _ask(self) -> None:
        data = asked.MigrationRequested(
            request=REQUEST,
            name="Benchmark",
            service=_PLANS["service"],
            mappings=(_MAPPING,),
            selection=asked.Selection(all_customers=True, all_users=True),
            requested_by="bench",
        )
        envelope = wrap(data, event_id=f"{REQUEST}/requested", source=WIZARD_SOURCE, time=_TIME, sequence=1)
        await self._requests.append(REQUEST, envelope)

    async def _plan(self) -> None:
        started = said.MigrationPlanningStarted(
            request=REQUEST,
            mode="execute",
            service=_PLANS["service"],
            mappings=(_MAPPING,),
            generate_missing_packages=False,
        )
        await self._say(self._home, started, "planning")
        number = 0
        for batch in self._batches():
            data = said.BatchPlanned(
                request=REQUEST,
                customer=batch.customer,
                batch=batch.number,
                users=batch.users,
                revision=1,
                hash="0" * 64,
                **_PLANS,
            )
            await self._say(self._log(batch.customer), data, f"{batch.number}/planned")
            number += 1
        await self._say(self._home, self._manifest(number), "planned")

    def _manifest(self, batches: int) -> said.MigrationPlanned:
        return said.MigrationPlanned(
            request=REQUEST,
            mode="execute",
            selected=self._users,
            planned=self._users,
            excluded=0,
            excluded_by_reason={},
            customers=batches,
            batches=batches,
            packages=(),
            hash="1" * 64,
            planned_last_sequence={str(shard): log.sequence for shard, log in enumerate(self._shards)},
        )

    async def _migrate(self, batch: Batch) -> None:
        log, key = self._log(batch.customer), batch.customer.encode()
        first = said.UserMigrated(
            request=REQUEST,
            customer=batch.customer,
            user="USER",
            batch=batch.number,
            position=0,
            attempt=1,
            revision=2,
            **_PLANS,
        )
        envelope = wrap(first, event_id="ID", source=ENGINE_SOURCE, time=_TIME, sequence=0, correlation_id=REQUEST)
        template = (
            encode(envelope).decode().replace('"position":0', '"position":POSITION').replace("0" * 20, "SEQUENCE")
        )
        for position, user in enumerate(batch.users):
            event_id, sequence = f"{REQUEST}/{batch.number}/{position}/1", log.sequence + 1
            text = template.replace("USER", user).replace('"ID"', f'"{event_id}"')
            text = text.replace("POSITION", str(position)).replace("SEQUENCE", f"{sequence:020d}")
            headers = headers_for(envelope)
            headers[2:] = [("id", event_id.encode()), ("sequence", b"%d" % sequence)]
            await log.append_bytes(key, text.encode(), headers)
        finished = said.BatchFinished(
            request=REQUEST,
            customer=batch.customer,
            batch=batch.number,
            attempt=1,
            migrated=len(batch.users),
            failed=0,
            skipped=0,
            cancelled=0,
        )
        await self._say(log, finished, f"{batch.number}/finished")

    async def _finish(self) -> None:
        ends = {str(shard): log.sequence for shard, log in enumerate(self._shards) if log.sequence}
        ends[str(self._shards.index(self._home))] += 1
        data = said.MigrationFinished(
            request=REQUEST,
            status=RequestStatus.PROVISIONED,
            planned=self._users,
            migrated=self._users,
            failed=0,
            skipped=0,
            cancelled=0,
            packages_generated=0,
            last_sequence=ends,
        )
        await self._say(self._home, data, "finished")


async def write_history(kafka: KafkaSettings, users: int) -> int:
    """Publish a whole history; gives the number of events."""
    producer = make_producer(kafka)
    await producer.start()
    try:
        return await History(producer, kafka, users).write()
    finally:
        await producer.stop()
