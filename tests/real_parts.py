"""The real Kafka and Postgres that tests run on: named ones, containers, or our own local stack, in this order."""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path

from docker.errors import DockerException

from standalone.ports import Ports
from standalone.stack import Stack, StackSettings
from tests import containers

KAFKA_VARIABLE = "PLANSHIFT_TEST_KAFKA"
POSTGRES_VARIABLE = "PLANSHIFT_TEST_POSTGRES"

used: dict[str, str] = {}
"""What the tests of this run have got, by part: for the report."""


def planned(part: str, variable: str) -> str:
    """Say for the report's header where a part will come from."""
    if os.environ.get(variable):
        return f"{part}: the one that {variable} names"
    return f"{part}: a container" if containers.engine_runs() else f"{part}: the local stack's"


@contextlib.asynccontextmanager
async def kafka() -> AsyncIterator[str]:
    """A broker's bootstrap address."""
    async with _one_of("kafka", KAFKA_VARIABLE, containers.kafka_container(), _own_kafka()) as address:
        yield address


@contextlib.asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """A superuser's URL."""
    async with _one_of("postgres", POSTGRES_VARIABLE, containers.postgres_container(), _own_postgres()) as url:
        yield url


@contextlib.asynccontextmanager
async def _one_of(
    part: str, variable: str, container: AbstractContextManager[str], own: AbstractAsyncContextManager[str]
) -> AsyncIterator[str]:
    named = os.environ.get(variable)
    async with contextlib.AsyncExitStack() as stack:
        if named:
            used[part] = f"named by {variable}"
            yield named
            return
        place = _container(part, container, stack) if containers.engine_runs() else None
        if place is None:
            place = await stack.enter_async_context(own)
            used[part] = used.get(part, "local stack")
        yield place


def _container(part: str, container: AbstractContextManager[str], stack: contextlib.AsyncExitStack) -> str | None:
    """Give the place of a container that runs until the stack is left, or None if the engine can't make it."""
    try:
        containers.remove_leftovers()
        place = stack.enter_context(container)
    except (DockerException, TimeoutError, OSError) as error:
        # An engine that runs may be unable to get the image.
        used[part] = f"local stack (no container: {type(error).__name__})"
        return None
    used[part] = "container"
    return place


@contextlib.asynccontextmanager
async def _own_kafka() -> AsyncIterator[str]:
    async with _own_stack("kafka") as stack:
        yield stack.kafka


@contextlib.asynccontextmanager
async def _own_postgres() -> AsyncIterator[str]:
    async with _own_stack("postgres") as stack:
        yield stack.postgres_url


@contextlib.asynccontextmanager
async def _own_stack(part: str) -> AsyncIterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="planshift-tests-", ignore_cleanup_errors=True) as folder:
        settings = StackSettings(ports=Ports.free(), folder=Path(folder) / part, parts=frozenset({part}), quick=True)
        async with Stack(settings) as stack:
            await stack.start()
            yield stack
        stack.erase()
