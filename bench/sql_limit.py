"""The limit: the same effect by hand-written SQL on the same Postgres, a transaction per 2,000 users, without Kafka.

The effect is what a careful script would leave: each user on the new plan, if still on the old one; a row that says so
for each user, only once and found by the user; and the package's count.
`python -m bench.sql_limit --url postgresql://… --users 1000000`
"""

import argparse
import asyncio
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

USERS_PER_CUSTOMER = 50
USERS_PER_TRANSACTION = 2000
_SCHEMA = Path(__file__).with_name("sql_limit.sql").read_text(encoding="utf-8")

_MIGRATE = """
WITH moved AS (
    UPDATE assignment SET plan = 'gold', moved_revision = assignment.source_revision
    FROM unnest($1::text[], $2::text[]) AS chosen (customer, user_id)
    WHERE assignment.customer = chosen.customer AND assignment.service = 'hosted-exchange'
      AND assignment.user_id = chosen.user_id AND assignment.plan = 'silver'
    RETURNING assignment.customer, assignment.user_id
), counted AS (
    UPDATE package SET used = used + moved_users.n
    FROM (SELECT customer, count(*) AS n FROM moved GROUP BY customer) AS moved_users
    WHERE package.customer = moved_users.customer AND package.plan = 'gold'
)
INSERT INTO outcome (request, customer, user_id, attempt, service, from_plan, to_plan, outcome)
SELECT 'bench', customer, user_id, 1, 'hosted-exchange', 'silver', 'gold', 'migrated' FROM moved
"""


async def measure(url: str, users: int, connections: int) -> float:
    """Give users per second in a database of its own, which is dropped afterwards."""
    name = f"bench_limit_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    try:
        own = urlsplit(url)._replace(path=f"/{name}").geturl()
        async with asyncpg.create_pool(own, min_size=connections, max_size=connections) as pool:
            return await _measure(pool, users, connections)
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


async def best(url: str, users: int) -> float:
    """Give the better of one connection and two: two cores can serve both."""
    return max([await measure(url, users, connections) for connections in (1, 2)])


async def _measure(pool: asyncpg.Pool, users: int, connections: int) -> float:
    await pool.execute(_SCHEMA)
    await pool.execute("SELECT fill($1, $2)", users, USERS_PER_CUSTOMER)
    await pool.execute("VACUUM ANALYZE assignment")
    chosen = [(f"customer-{number // USERS_PER_CUSTOMER}", f"user-{number}") for number in range(users)]
    batches = [chosen[at : at + USERS_PER_TRANSACTION] for at in range(0, users, USERS_PER_TRANSACTION)]
    started = time.perf_counter()
    await asyncio.gather(*(_work(pool, batches[worker::connections]) for worker in range(connections)))
    seconds = time.perf_counter() - started
    assert await pool.fetchval("SELECT count(*) FROM outcome") == users
    return users / seconds


async def _work(pool: asyncpg.Pool, batches: Sequence[Sequence[tuple[str, str]]]) -> None:
    async with pool.acquire() as connection:
        for batch in batches:
            customers, users = zip(*batch, strict=True)
            await connection.execute(_MIGRATE, customers, users)


def main() -> None:
    """Print the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--users", type=int, default=1_000_000)
    given = parser.parse_args()
    print(f"limit: {asyncio.run(best(given.url, given.users)):,.0f} users/s")


if __name__ == "__main__":
    main()
