"""A wizard whose parts are away at the start lives, isn't ready, and works as soon as they are there."""

from urllib.parse import urlsplit

from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from standalone.kafka import create_topics
from tests.gate import gate_to
from tests.integration.wizard.process import Wizard
from tests.integration.wizard.records import publish, world
from tests.integration.wizard.test_migrations import body
from tests.waiting import eventually


async def test_it_waits_for_its_database(wizard: Wizard, database: str) -> None:
    parts = urlsplit(database)
    async with gate_to(parts.hostname or "127.0.0.1", parts.port or 5432, opened=False) as gate:
        through = parts._replace(netloc=f"{parts.username}@127.0.0.1:{gate.port}").geturl()
        await wizard.start(wait=False, PLANSHIFT_DATABASE_URL=through)
        assert (await wizard.call("GET", "/livez")).status_code == 200
        assert (await wizard.call("GET", "/readyz")).status_code == 503
        await gate.open()
        await eventually(wizard.ready, within=30)
        await wizard.knows(await publish(wizard.kafka, wizard.prefix, world()))
        await gate.close()
        assert (await wizard.call("POST", "/v1/migrations", body(), key="away")).status_code == 503
        await gate.open()
        await eventually(wizard.ready, within=30)
        asked = await wizard.call("POST", "/v1/migrations", body(), key="away")
        assert len(await wizard.said(asked.json()["request"])) == 1


async def test_it_waits_for_its_topics(wizard: Wizard, kafka: str, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        ours = [name for name in await admin.list_topics() if name.startswith(topic_prefix)]
        await admin.delete_topics(ours)

        async def gone() -> bool:
            return not [name for name in await admin.list_topics() if name.startswith(topic_prefix)]

        await eventually(gone)
    finally:
        await admin.close()
    await wizard.start(wait=False)
    assert (await wizard.call("GET", "/livez")).status_code == 200
    assert (await wizard.call("GET", "/readyz")).status_code == 503
    await create_topics(kafka, TOPICS, prefix=topic_prefix)
    await eventually(wizard.ready, within=60)
    await wizard.knows(await publish(kafka, topic_prefix, world()))
    asked = await wizard.call("POST", "/v1/migrations", body())
    assert len(await wizard.said(asked.json()["request"])) == 1
