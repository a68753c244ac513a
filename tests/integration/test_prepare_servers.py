"""`planshift prepare servers` on a Kafka and a Postgres that run already."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from standalone.ground import Ground, prepare_ground
from standalone.ports import Ports
from standalone.problems import NOT_REACHABLE, WRONG_CALL, StackProblem
from standalone.secret_files import make_secret_files, password_file
from standalone.stack import Stack, StackSettings, say_nothing

SERVICES = ("wizard", "engine", "tracker")


@pytest.fixture(scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Give servers of the test's own, as roles are the whole server's, and secrets with its superuser's password."""
    folder = tmp_path_factory.mktemp("prepare")
    settings = StackSettings(
        ports=Ports.free(), folder=folder / "stack", parts=frozenset({"kafka", "postgres"}), quick=True
    )
    async with Stack(settings) as stack:
        await stack.start()
        make_secret_files(folder / "secrets")
        _replace(
            password_file(folder / "secrets", "superuser"), (stack.folder.secrets / "postgres-postgres").read_text()
        )
        yield Ground(stack.kafka, f"127.0.0.1:{settings.ports.postgres}", folder / "secrets", topic_prefix="prepared.")
    stack.erase()


def _replace(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text)


async def _connect(ground: Ground, role: str, database: str) -> "asyncpg.Connection[asyncpg.Record]":
    password = password_file(ground.secrets, role).read_text()
    return await asyncpg.connect(f"postgresql://{role}@{ground.postgres}/{database}", password=password)


async def test_topics_roles_databases_and_tables_are_made_and_a_second_time_nothing_is(ground: Ground) -> None:
    first: list[str] = []
    await prepare_ground(ground, first.append)
    assert any("applied" in line for line in first)
    again: list[str] = []
    await prepare_ground(ground, again.append)
    assert not [line for line in again if "applied" in line]
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.kafka)
    await admin.start()
    try:
        assert {f"prepared.{topic.name}" for topic in TOPICS} <= set(await admin.list_topics())
    finally:
        await admin.close()


async def test_a_service_gets_into_its_own_database_and_into_no_other(ground: Ground) -> None:
    await prepare_ground(ground, say_nothing)
    for role in SERVICES:
        connection = await _connect(ground, role, role)
        rights = await connection.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        await connection.close()
        assert rights is not None
        assert not any(rights)
        for other in set(SERVICES) - {role}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await _connect(ground, role, other)


async def test_another_superusers_password_is_one_clear_line(ground: Ground, tmp_path: Path) -> None:
    make_secret_files(tmp_path)
    with pytest.raises(StackProblem, match="laid out with another one") as caught:
        await prepare_ground(ground._replace(secrets=tmp_path), say_nothing)
    assert caught.value.exit_code == WRONG_CALL


async def test_missing_secrets_are_named_all_at_once(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(StackProblem, match=r"postgres-superuser, .*postgres-tracker, tokens\.json") as caught:
        await prepare_ground(ground._replace(secrets=tmp_path), say_nothing)
    assert caught.value.exit_code == WRONG_CALL


async def test_a_server_that_does_not_answer_ends_the_wait(ground: Ground) -> None:
    nobody = ground._replace(kafka=f"127.0.0.1:{Ports.free().kafka}", patience_s=1.0)
    with pytest.raises(StackProblem, match="not ready within 1 s") as caught:
        await prepare_ground(nobody, say_nothing)
    assert caught.value.exit_code == NOT_REACHABLE
