"""Reading `provisioning.events` along, as any other program would."""

import asyncio
import contextlib
import json
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import PROVISIONING
from tests.e2e.checker import TopicRecord
from tests.waiting import eventually

Document = dict[str, Any]
_PREFIX = "planshift.provisioning."


class Listener:
    """Keeps every record of the topic, and the documents of each request by type, in the order of their arrival."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._kafka, self._topic = kafka, prefix + PROVISIONING.name
        self.records: list[TopicRecord] = []
        self._by_request: dict[str, list[Document]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._read(), name="listener")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def said(self, request: str, kind: str | None = None) -> list[Document]:
        """Give what was said of a request until now: documents of one type (without version), or all."""
        documents = self._by_request[request]
        return documents if kind is None else [one for one in documents if one["type"] == f"{_PREFIX}{kind}.v1"]

    def data(self, request: str, kind: str) -> list[Document]:
        """Give the data of the documents of one type."""
        return [document["data"] for document in self.said(request, kind)]

    async def until(self, request: str, kind: str, *, within: float = 20, times: int = 1) -> Document:
        """Wait until a type was said of a request so many times; gives the data of the last."""

        def there() -> bool:
            return len(self.said(request, kind)) >= times

        await eventually(there, within, what=f"{kind} of {request}: {[one['type'] for one in self.said(request)][-9:]}")
        return dict(self.data(request, kind)[-1])

    async def ended(self, request: str, *, within: float = 20) -> Document:
        """Wait until the request has finished and its last sequences have come."""
        finished = await self.until(request, "migration-finished", within=within)

        def all_there() -> bool:
            last: dict[str, int] = defaultdict(int)
            for record in self.records:
                last[str(record.partition)] += 1
            return all(last[shard] >= sequence for shard, sequence in finished["last_sequence"].items())

        await eventually(all_there, within=20, what=f"all events of {request} are there")
        return finished

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, max_partition_fetch_bytes=4 << 20)
        await consumer.start()
        try:
            places = [TopicPartition(self._topic, number) for number in range(PROVISIONING.partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            while True:
                for place, records in (await consumer.getmany(timeout_ms=100)).items():
                    for record in records:
                        document = json.loads(record.value or b"{}")
                        self.records.append(
                            TopicRecord(place.partition, record.offset, record.key, record.value or b"")
                        )
                        self._by_request[document["data"]["request"]].append(document)
        finally:
            await consumer.stop()
