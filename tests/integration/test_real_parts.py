"""The real parts that tests run on."""

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.topics import REQUESTS
from tests.conftest import NewDatabase


async def test_a_test_has_the_topics_of_the_contracts_to_itself(kafka: str, topic_prefix: str) -> None:
    topic = topic_prefix + REQUESTS.name
    async with AIOKafkaProducer(bootstrap_servers=kafka, compression_type="zstd") as producer:
        await producer.send_and_wait(topic, b"hello", partition=REQUESTS.partitions - 1)
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        record = await consumer.getone()
    assert record.value == b"hello"


async def test_a_test_has_postgres_18_databases_to_itself(database: str, new_database: NewDatabase) -> None:
    other = await new_database()
    assert other != database
    connection = await asyncpg.connect(database)
    try:
        version = await connection.fetchval("SHOW server_version_num")
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    assert version.startswith("18")
    assert tables == 0
