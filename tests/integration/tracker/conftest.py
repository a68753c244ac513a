"""Trackers on fresh topics and a fresh database, as real processes."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from standalone.kafka import create_topics
from tests.integration.tracker.process import Tracker


@pytest.fixture
async def tracker(tmp_path: Path, kafka: str, topic_prefix: str, database: str) -> AsyncIterator[Tracker]:
    """Give a tracker that hasn't been started."""
    one = Tracker(tmp_path, kafka, topic_prefix, database)
    yield one
    await one.stop()


@pytest.fixture(scope="module")
async def shared_tracker(tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str) -> AsyncIterator[Tracker]:
    """Give a tracker that the tests of a module share; none of them changes what another one looks at."""
    name = f"test_{secrets.token_hex(6)}"
    async with _topics(kafka, f"{name}."), _database(postgres, name) as url:
        one = Tracker(tmp_path_factory.mktemp("tracker"), kafka, f"{name}.", url)
        yield one
        await one.stop()


@asynccontextmanager
async def _topics(kafka: str, prefix: str) -> AsyncIterator[None]:
    await create_topics(kafka, TOPICS, prefix=prefix)
    yield
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    finally:
        await admin.close()


@asynccontextmanager
async def _database(postgres: str, name: str) -> AsyncIterator[str]:
    connection = await asyncpg.connect(postgres)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()
