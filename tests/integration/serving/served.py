"""A real uvicorn on a free loopback port, in the test's own event loop, and a fresh database."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI

from serving.process import listen
from serving.settings import ServiceSettings
from serving.tokens import new_token, write_tokens

POSTGRES = os.environ.get("PLANSHIFT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
SCOPED = {"reader": "read", "operator": "operate", "publisher": "publish"}


def write_sample_tokens(folder: Path) -> dict[str, str]:
    """Write tokens.json with one token per scope and `admin` with all; gives the tokens by name."""
    made = {
        "reader": new_token("reader", ["read"]),
        "operator": new_token("operator", ["operate"]),
        "publisher": new_token("publisher", ["publish"]),
        "admin": new_token("admin", ["read", "operate", "publish"]),
    }
    write_tokens(folder / "tokens.json", [record for _, record in made.values()])
    return {name: token for name, (token, _) in made.items()}


def sample_settings(folder: Path, database_url: str = POSTGRES, **more: object) -> ServiceSettings:
    """Give settings without the environment; tokens.json is in `folder`."""
    values: dict[str, object] = {
        "kafka": "127.0.0.1:9092",
        "database_url": database_url,
        "tokens_file": folder / "tokens.json",
        **more,
    }
    return ServiceSettings.model_validate(values)


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve the application; gives its base URL."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            if task.done():
                task.result()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


def calling(base_url: str, token: str | None) -> httpx.AsyncClient:
    """Give a client with this token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False, timeout=10)


def database_at(url: str, database: str) -> str:
    """Give the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path="/" + database))


@contextlib.asynccontextmanager
async def fresh_database() -> AsyncIterator[str]:
    """Give the URL of an empty database that is dropped at the end."""
    name = f"serving_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(POSTGRES)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield database_at(POSTGRES, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()
