"""Reads a whole topic as any client would, for the checker."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import PROVISIONING
from tests.e2e.checker import TopicRecord


async def read_topic(kafka: str, topic: str, partitions: int) -> list[TopicRecord]:
    """Give every record from the beginning to the present end, each partition in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        consumer.assign(places)
        for place in places:
            consumer.seek(place, starts[place])
        records: list[TopicRecord] = []
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for fetched in (await consumer.getmany(timeout_ms=500)).values():
                records += [TopicRecord(r.partition, r.offset, r.key, r.value) for r in fetched]
        return records
    finally:
        await consumer.stop()


async def read_provisioning(kafka: str, prefix: str) -> list[TopicRecord]:
    """Give everything that the engine has said."""
    return await read_topic(kafka, prefix + PROVISIONING.name, PROVISIONING.partitions)
