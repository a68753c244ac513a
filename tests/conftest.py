"""What every test can ask for: a real Kafka, a real Postgres, fresh topics and fresh databases on them."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from standalone.kafka import create_topics
from tests import real_parts

NewDatabase = Callable[[], Awaitable[str]]


def pytest_report_header() -> list[str]:
    """Say at the top where Kafka and Postgres will come from."""
    return [
        real_parts.planned("kafka", real_parts.KAFKA_VARIABLE),
        real_parts.planned("postgres", real_parts.POSTGRES_VARIABLE),
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what it was."""
    for part, source in real_parts.used.items():
        terminalreporter.write_line(f"{part}: {source}")


@pytest.fixture(scope="session")
async def kafka() -> AsyncIterator[str]:
    """Give the bootstrap address of a real Kafka, host:port."""
    async with real_parts.kafka() as address:
        yield address


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[str]:
    """Give a superuser's URL of a real Postgres 18."""
    async with real_parts.postgres() as url:
        yield url


@pytest.fixture
async def topic_prefix(kafka: str) -> AsyncIterator[str]:
    """Give a prefix that nobody else uses; the topics of the contracts exist with it until the test ends."""
    prefix = f"t{secrets.token_hex(5)}."
    await create_topics(kafka, TOPICS, prefix=prefix)
    yield prefix
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        ours = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(ours)
    finally:
        await admin.close()


@pytest.fixture
async def new_database(postgres: str) -> AsyncIterator[NewDatabase]:
    """Give a function that makes an empty database and answers its URL; all are dropped when the test ends."""
    made: list[str] = []

    async def make() -> str:
        name = f"test_{secrets.token_hex(6)}"
        await _execute(postgres, f'CREATE DATABASE "{name}"')
        made.append(name)
        return urlsplit(postgres)._replace(path=f"/{name}").geturl()

    yield make
    for name in made:
        await _execute(postgres, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
async def database(new_database: NewDatabase) -> str:
    """Give the URL of an empty database of the test's own."""
    return await new_database()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
