"""What the services need on a Kafka and a Postgres that run already: topics, roles, databases, tables."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import asyncpg
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from standalone.databases import make_database
from standalone.kafka import create_topics
from standalone.problems import StackProblem, not_reachable, wrong_call
from standalone.secret_files import SUPERUSER, TOKENS, password_file
from standalone.service_plans import COMMANDS, SERVICES

_POLL_S = 0.5
_CONNECT_TIMEOUT_S = 5.0


class Ground(NamedTuple):
    """Where the servers are, as host:port, the folder with the secrets, and how many seconds the servers may take."""

    kafka: str
    postgres: str
    secrets: Path
    topic_prefix: str = ""
    patience_s: float = 60.0


async def prepare_ground(ground: Ground, progress: Callable[[str], None]) -> None:
    """Make what is missing; what is there stays. Raises StackProblem if that isn't possible."""
    passwords = _passwords(ground.secrets)
    await _within(ground, lambda: create_topics(ground.kafka, TOPICS, prefix=ground.topic_prefix), ground.kafka)
    progress(f"Kafka at {ground.kafka}: {', '.join(ground.topic_prefix + topic.name for topic in TOPICS)}")
    await _within(ground, lambda: _make_databases(ground.postgres, passwords), ground.postgres)
    progress(f"Postgres at {ground.postgres}: {', '.join(SERVICES)}")
    for service in SERVICES:
        for line in await _migrate(ground, service):
            progress(f"{service}: {line}")
        progress(f"{service}: tables up to date")


def _passwords(folder: Path) -> dict[str, str]:
    files = {role: password_file(folder, role) for role in (SUPERUSER, *SERVICES)}
    missing = [file.name for file in (*files.values(), folder / TOKENS) if not file.is_file()]
    if missing:
        raise wrong_call(f"{folder} lacks {', '.join(missing)}: `planshift prepare secrets` makes them.")
    return {role: file.read_text(encoding="utf-8").strip() for role, file in files.items()}


async def _within(ground: Ground, work: Callable[[], Awaitable[None]], place: str) -> None:
    """Do it as soon as the server answers; servers that start say many things before that."""
    reason = "no answer"
    try:
        async with asyncio.timeout(ground.patience_s):
            while True:
                try:
                    return await work()
                except asyncpg.InvalidAuthorizationSpecificationError as error:
                    raise wrong_call(
                        f"Postgres at {place} refuses the password of its superuser ({error}): "
                        "its data was laid out with another one."
                    ) from error
                except (KafkaError, asyncpg.PostgresError, OSError, TimeoutError) as error:
                    reason = str(error) or type(error).__name__
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise not_reachable(f"{place} was not ready within {ground.patience_s:g} s: {reason}") from None


async def _make_databases(place: str, passwords: dict[str, str]) -> None:
    connection = await asyncpg.connect(
        f"postgresql://postgres@{place}/postgres", password=passwords[SUPERUSER], timeout=_CONNECT_TIMEOUT_S
    )
    try:
        for service in SERVICES:
            await make_database(connection, service, passwords[service])
    finally:
        await connection.close()


async def _migrate(ground: Ground, service: str) -> list[str]:
    """Let the service itself do it, in a process of its own: only it knows its tables."""
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[service][:-1],
        "migrate",
        env={
            **os.environ,
            "PLANSHIFT_KAFKA": ground.kafka,
            "PLANSHIFT_TOPIC_PREFIX": ground.topic_prefix,
            "PLANSHIFT_DATABASE_URL": f"postgresql://{service}@{ground.postgres}/{service}",
            "PLANSHIFT_DATABASE_PASSWORD_FILE": str(password_file(ground.secrets, service)),
            "PLANSHIFT_TOKENS_FILE": str(ground.secrets / TOKENS),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    if process.returncode:
        last = (complained.decode(errors="replace").strip().splitlines() or ["it does not say why"])[-1]
        raise StackProblem(f"{service}: the tables could not be brought up to date: {last}", process.returncode)
    return said.decode(errors="replace").splitlines()
