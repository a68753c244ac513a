"""Telling a part that is away (and comes back) from a mistake (that stays)."""

import asyncpg

_AWAY = (
    OSError,  # refused, reset, no such socket, name not found, timed out
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, terminated by an administrator
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # the connection was cut in the middle of a transaction's end
)

# asyncpg has one class for lost connections and for wrong calls; a pool takes a lost connection back at once, so
# that the next call on it says "released".
_LOST = ("connection is closed", "connection was closed", "has been released back to the pool", "pool is clos")


def is_away(error: BaseException) -> bool:
    """Say whether the error means that Postgres or the network is away, so that trying again later helps."""
    if isinstance(error, asyncpg.InterfaceError):
        return any(words in str(error) for words in _LOST)
    return isinstance(error, _AWAY)
