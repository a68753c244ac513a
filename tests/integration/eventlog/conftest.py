"""Small topics and databases with the event log's own schema, for the mechanics alone."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from eventlog.connections import KafkaSettings, make_producer
from eventlog.database import Pool, connect_pool
from eventlog.ledger import ensure_shards
from eventlog.migrate import migrate

NewTopicOf = Callable[..., Awaitable[str]]


@pytest.fixture
async def settings(kafka: str) -> AsyncIterator[KafkaSettings]:
    """Give Kafka's address with a topic prefix of the test's own; its topics are deleted afterwards."""
    settings = KafkaSettings(kafka, topic_prefix=f"e{secrets.token_hex(5)}.")
    yield settings
    async with _admin(kafka) as admin:
        ours = [name for name in await admin.list_topics() if name.startswith(settings.topic_prefix)]
        if ours:
            await admin.delete_topics(ours)


@pytest.fixture
def new_topic(settings: KafkaSettings) -> NewTopicOf:
    """Give a function that makes a topic: name, partitions, configuration."""

    async def make(name: str = "log", partitions: int = 1, **config: str) -> str:
        configs = {key.replace("_", "."): value for key, value in config.items()}
        async with _admin(settings.bootstrap) as admin:
            await admin.create_topics([NewTopic(settings.topic(name), partitions, 1, topic_configs=configs)])
        return name

    return make


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Give a pool on a database with the event log's schema and three shards, and a table for what was folded."""
    pool = await connect_pool(database, max_size=20)
    async with pool.acquire() as conn:
        await migrate(conn, schema_folders=[])
        await ensure_shards(conn, 3)
        await conn.execute("CREATE TABLE folded (place serial, reader text, topic text, partition int, id text)")
    yield pool
    pool.terminate()


@pytest.fixture
async def producer(settings: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer, as any other program would have one."""
    producer = make_producer(settings)
    await producer.start()
    yield producer
    await producer.stop()


class _admin:  # noqa: N801 - used as a function
    """A started admin client."""

    def __init__(self, bootstrap: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.close()


@pytest.fixture
async def topic(settings: KafkaSettings, new_topic: NewTopicOf) -> str:
    return settings.topic(await new_topic("log"))
