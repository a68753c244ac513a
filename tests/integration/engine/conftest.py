"""Engines as real processes, alone or shared by a module."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from standalone.kafka import create_topics
from tests.integration.engine.asking import service
from tests.integration.engine.process import Engine
from tests.integration.engine.tables import assert_tables_are_a_fold


@pytest.fixture
async def engine(tmp_path: Path, kafka: str, topic_prefix: str, database: str) -> AsyncIterator[Engine]:
    """Give an engine of the test's own, not started."""
    one = Engine(tmp_path, kafka, topic_prefix, database)
    one.listener.start()
    yield one
    await one.listener.stop()
    await one.end()


@pytest.fixture(scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str) -> AsyncIterator[Engine]:
    """Give a running engine that knows the services; its tests have customers of their own.

    After the last of them its tables must be a pure fold of what it was told and of what it said.
    """
    name = f"engine_{secrets.token_hex(6)}"
    await create_topics(kafka, TOPICS, prefix=f"{name}.")
    admin = await asyncpg.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
    one = Engine(tmp_path_factory.mktemp("engine"), kafka, f"{name}.", url)
    one.listener.start()
    try:
        await one.start()
        await one.learn(
            [
                *service(),
                *service("calendar", connector="simulated", refuse_percent="50", seed="s"),
                *service("files", connector="simulated", refuse_packages_percent="100"),
            ]
        )
        yield one
        await assert_tables_are_a_fold(url, one.told)
    finally:
        await one.listener.stop()
        await one.end()
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()
        topics = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await topics.start()
        await topics.delete_topics([f"{name}.{topic.name}" for topic in TOPICS])
        await topics.close()
