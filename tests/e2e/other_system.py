"""Another system: it knows nothing of ours but the AsyncAPI document, and speaks through other libraries.

Run as a program of its own: `other_system.py ASYNCAPI BROKERS PREFIX MODE COMPRESSION`, with the data of a
MigrationRequested as JSON on stdin. It publishes the request as a CloudEvent (MODE structured or binary), reads the
users' events until the end that MigrationFinished names, and prints what it learned as one JSON document.
"""

import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, Message, Producer, TopicPartition

DEADLINE_S = 90.0


class Contract:
    """What the AsyncAPI document says: where the channels are, how they are split, and the messages' types."""

    def __init__(self, document: dict[str, Any], prefix: str) -> None:
        self._document = document
        self._prefix = prefix

    def channel_of(self, message: str) -> dict[str, Any]:
        """Give the channel that carries a message."""
        return next(c for c in self._document["channels"].values() if message in c["messages"])

    def topic_of(self, message: str) -> str:
        """Give the topic that carries a message."""
        return self._prefix + str(self.channel_of(message)["address"])

    def partitions_of(self, message: str) -> int:
        """Give the number of partitions of the message's topic."""
        return int(self.channel_of(message)["bindings"]["kafka"]["partitions"])

    def type_of(self, message: str) -> str:
        """Give the CloudEvents type of a message."""
        return str(self._document["components"]["messages"][message]["headers"]["properties"]["type"]["const"])


def publish(contract: Contract, brokers: str, mode: str, compression: str, data: dict[str, Any]) -> None:
    """Send one request, as the contract asks: keyed by request, partitioned as Kafka's own clients do."""
    attributes = {
        "type": contract.type_of("MigrationRequested"),
        "source": "/crm",
        "id": f"crm/{data['request']}",
        "time": datetime.now(UTC),
        "datacontenttype": "application/json",
        "partitionkey": data["request"],
    }
    event = CloudEvent(attributes, data)
    message = (to_structured if mode == "structured" else to_binary)(event, JSONFormat())
    partitioner = "murmur2_random" if contract.channel_of("MigrationRequested")["x-partitioner"] == "murmur2" else ""
    producer = Producer(
        {"bootstrap.servers": brokers, "partitioner": partitioner, "compression.type": compression, "linger.ms": 5}
    )
    producer.produce(
        contract.topic_of("MigrationRequested"), message.value, message.key, headers=list(message.headers.items())
    )
    if producer.flush(30):
        raise SystemExit("the request was not acknowledged")


def follow(contract: Contract, brokers: str, request: str) -> dict[str, Any]:
    """Read the events of a request until the end that MigrationFinished names."""
    topic, count = contract.topic_of("UserMigrated"), contract.partitions_of("UserMigrated")
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": f"crm-{request}", "enable.auto.commit": False, "log_level": 3}
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(count)])
    try:
        return _until_the_end(contract, consumer, request)
    finally:
        consumer.close()


def event_of(record: Message) -> BaseCloudEvent:
    """Read a record with the CloudEvents SDK."""
    headers: Any = record.headers() or ()
    return from_kafka(KafkaMessage(dict(headers), record.key(), record.value() or b""), JSONFormat())


def _until_the_end(contract: Contract, consumer: Consumer, request: str) -> dict[str, Any]:
    folded: dict[int, int] = {}
    outcomes: Counter[str] = Counter()
    users: dict[str, str] = {}
    finished: dict[str, Any] | None = None
    migrated, ended = contract.type_of("UserMigrated"), contract.type_of("MigrationFinished")
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for record in consumer.consume(500, timeout=0.2):
            if record.error():
                continue
            event = event_of(record)
            folded[int(record.partition() or 0)] = int(event.get_extension("sequence"))
            data: Any = event.get_data()
            if data["request"] != request:
                continue
            outcomes[event.get_type()] += 1
            if event.get_type() == migrated:
                users[str(event.get_subject())] = data["to_plan"]
            if event.get_type() == ended:
                finished = data
        if finished and all(folded.get(int(p), 0) >= last for p, last in finished["last_sequence"].items()):
            return {"finished": finished, "types": outcomes, "users": users}
    raise SystemExit(f"no end within {DEADLINE_S} s; read so far: {dict(outcomes)}")


def main(arguments: list[str]) -> None:
    """Publish, follow, and print what was learned."""
    document, brokers, prefix, mode, compression = arguments
    contract = Contract(json.loads(Path(document).read_text(encoding="utf-8")), prefix)
    data = json.load(sys.stdin)
    publish(contract, brokers, mode, compression, data)
    sys.stdout.write(json.dumps(follow(contract, brokers, data["request"])) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
