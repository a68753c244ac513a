"""A view of its own in Postgres, and wizards as real processes."""

import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from eventlog.ledger import ensure_shards
from eventlog.migrate import migrate
from eventlog.record import IncomingRecord
from services.wizard import main
from services.wizard.edges.directory_fold import DirectoryFold
from services.wizard.edges.provisioning_fold import ProvisioningFold
from serving import idempotency
from serving.postgres import Connection, prepare
from standalone.kafka import create_topics
from tests.integration.wizard.process import Wizard
from tests.integration.wizard.records import publish, world

MIGRATIONS = Path(main.__file__).parent / "migrations"


class View:
    """The view's tables, and the folds that fill them."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.skipped: list[str] = []
        self._directory = DirectoryFold(self.skipped.append)
        self._provisioning = ProvisioningFold(self.skipped.append)

    async def fold(self, records: Sequence[IncomingRecord]) -> None:
        """Fold records of one topic in one transaction."""
        fold = self._directory if records[0].topic == "directory.events" else self._provisioning
        async with self.conn.transaction():
            await fold(self.conn, records)

    async def plans(self, customer: str) -> dict[str, str]:
        """Give the plan of each visible user of a customer."""
        rows = await self.conn.fetch(
            "SELECT user_id, plan FROM assignment WHERE customer = $1 AND plan IS NOT NULL", customer
        )
        return {row["user_id"]: row["plan"] for row in rows}

    async def counts_are_right(self) -> bool:
        """Say whether the counts are what counting everybody gives."""
        wrong = await self.conn.fetch(
            """
            SELECT * FROM (SELECT service, plan, customer, count(*) AS users FROM assignment
                           WHERE plan IS NOT NULL GROUP BY 1, 2, 3) a
            FULL JOIN (SELECT * FROM plan_count WHERE users <> 0) n USING (service, plan, customer)
            WHERE a.users IS DISTINCT FROM n.users
            """
        )
        return wrong == []


@pytest.fixture
async def view(database: str) -> AsyncIterator[View]:
    """Give an empty view."""
    conn = await asyncpg.connect(database)
    try:
        await prepare(conn)
        await migrate(conn, schema_folders=[idempotency.MIGRATIONS, MIGRATIONS])
        await ensure_shards(conn, 4)
        yield View(conn)
    finally:
        await conn.close()


@pytest.fixture
async def wizard(tmp_path: Path, kafka: str, topic_prefix: str, database: str) -> AsyncIterator[Wizard]:
    """Give a wizard of the test's own, not started."""
    one = Wizard(tmp_path, kafka, topic_prefix, database)
    yield one
    await one.end()


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str) -> AsyncIterator[Wizard]:
    """Give a running wizard that knows the made-up world; the tests of a module share it and don't change the world."""
    name = f"wizard_{secrets.token_hex(6)}"
    await create_topics(kafka, TOPICS, prefix=f"{name}.")
    admin = await asyncpg.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
    one = Wizard(tmp_path_factory.mktemp("wizard"), kafka, f"{name}.", url)
    try:
        await one.start()
        await one.knows(await publish(kafka, one.prefix, world()))
        yield one
    finally:
        await one.end()
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()
        topics = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await topics.start()
        await topics.delete_topics([f"{name}.{topic.name}" for topic in TOPICS])
        await topics.close()
