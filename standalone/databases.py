"""A database and a least-privileged role for each service, on any Postgres."""

from pathlib import Path

import asyncpg

from eventlog.sqlfile import load_queries

_QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def make_database(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    """Make a service's role and its database, which no other role can enter; does nothing that is done already.

    The connection is a superuser's. The password of a role that is there is set anew.
    """
    await connection.execute(await connection.fetchval(_QUERIES["role_statement"], role, password))
    if not await connection.fetchval(_QUERIES["database_exists"], role):
        await connection.execute(await connection.fetchval(_QUERIES["database_statement"], role, role))
    await connection.execute(await connection.fetchval(_QUERIES["fence_statement"], role))
