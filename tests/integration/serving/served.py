"""A real uvicorn on a free loopback port, in the test's own event loop, and settings for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import uvicorn
from fastapi import FastAPI

from serving.process import listen
from serving.settings import ServiceSettings
from serving.tokens import new_token, write_tokens
from tests.gate import Gate

NOWHERE = "postgresql://postgres@127.0.0.1:1/nowhere"


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


def sample_settings(folder: Path, database_url: str = NOWHERE, **more: object) -> ServiceSettings:
    """Give settings without the environment; tokens.json is in `folder`."""
    url, password = without_password(database_url)
    values: dict[str, object] = {
        "kafka": "127.0.0.1:9092",
        "database_url": url,
        "database_password": password,
        "tokens_file": folder / "tokens.json",
        **more,
    }
    return ServiceSettings.model_validate(values)


def without_password(url: str) -> tuple[str, str | None]:
    """Give the URL as settings want it, and the password that was in it."""
    parts = urlsplit(url)
    user_and_place = f"{parts.username or 'postgres'}@{parts.hostname}:{parts.port or 5432}"
    return urlunsplit(parts._replace(netloc=user_and_place)), parts.password


def place_of(url: str) -> tuple[str, int]:
    """Give host and port of a server's URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 5432


def behind(gate: Gate, url: str) -> str:
    """Give the URL of the same user and database as seen through the gate."""
    parts = urlsplit(url)
    who = parts.netloc.rpartition("@")[0] or "postgres"
    return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{gate.port}"))


def database_at(url: str, database: str) -> str:
    """Give the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path="/" + database))


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
