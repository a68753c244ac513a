"""Telling a part that is away (and comes back) from a mistake (that stays)."""

import asyncpg

_AWAY = (
    OSError,  # refused, reset, no such socket, name not found, timed out
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, terminated by an administrator
    asyncpg.TooManyConnectionsError,
)


def is_away(error: BaseException) -> bool:
    """Say whether the error means that Postgres or the network is away, so that trying again later helps."""
    if isinstance(error, asyncpg.InterfaceError):
        return "connection is closed" in str(error) or "pool is clos" in str(error)
    return isinstance(error, _AWAY)
