"""Connections to Postgres: their types, their timeouts, and which errors mean 'try again'."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]
    Pool = asyncpg.Pool[Any]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

OWNER_IDLE_TIMEOUT_MS = 3_000
"""A transaction that its process leaves alone for so long is ended by the server, and its locks are free.

Shorter than a lease, so that the locks of an owner that was stopped are gone when its successor comes.
"""

TRANSIENT_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What asyncpg says when the connection is cut in the middle of a transaction's end.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.CannotConnectNowError,
    OSError,
    TimeoutError,
)
"""Errors of a database that is away, overloaded or was in a conflict: the same work may succeed later."""


async def connect_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    application_name: str = "planshift",
    init: Callable[[Any], Coroutine[Any, Any, None]] | None = None,
    schema: str | None = None,
) -> Pool:
    """Pool whose connections are safe for owners of shards (see OWNER_IDLE_TIMEOUT_MS).

    Raises what asyncpg raises if the database is away; `connections.keep_trying` waits for it.
    """
    settings = {
        "application_name": application_name,
        "idle_in_transaction_session_timeout": str(OWNER_IDLE_TIMEOUT_MS),
        "tcp_user_timeout": "5000",
    }
    if schema is not None:
        settings["search_path"] = schema
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        init=init,
        server_settings=settings,
        command_timeout=60,
    )
