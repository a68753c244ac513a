"""A 100-user request while a 1,000,000-user request runs: `python -m bench.fairness --users 1000000`.

The clock runs from the wizard's acknowledgement of the small request until the tracker says that it has ended. The
small requests' customers are left out of the large one.
"""

import argparse
import asyncio
import secrets
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from bench.end_to_end import PLANS, SERVICE, TARGET_PLAN, import_directory
from bench.stack import client, has_ended, local_stack, say, until
from bench.table import Row, print_rows
from serving.client import Client
from standalone.stack import Stack

SMALL_USERS = 100
SMALL_REQUESTS = 40
MOST_S = 2.0
_DEADLINE_S = 900.0
_SMALL_DEADLINE_S = 120.0

Users = list[dict[str, str]]


class Small(NamedTuple):
    """The users of a small request: of one customer, on one plan."""

    customer: str
    plan: str
    users: Users


async def measure(users: int) -> list[Row]:
    """Ask for small requests one after the other while the large one runs; gives the row with the slowest percent."""
    async with local_stack() as stack:
        await import_directory(stack, users)
        small = await asyncio.to_thread(_small_requests, stack)
        large = await _ask(stack, PLANS, _everyone_but(small))
        seconds: list[float] = []
        for one in small:
            if await has_ended(stack, large):
                break
            seconds.append(await _timed(stack, one))
        await until(lambda: has_ended(stack, large), _DEADLINE_S)
    say(f"Beside the large one: {', '.join(f'{s:.2f}' for s in seconds)} s")
    p99 = sorted(seconds)[int(len(seconds) * 0.99)]
    what = f"{SMALL_USERS} users beside {users:,}: p99 of {len(seconds)} requests"
    return [Row("6", what, f"{p99:.2f} s", "2 s", p99 <= MOST_S)]


def _everyone_but(small: list[Small]) -> dict[str, Any]:
    return {"all_customers": True, "all_users": True, "excluded_customers": [one.customer for one in small]}


def _small_requests(stack: Stack) -> list[Small]:
    """Find customers with enough users on one plan."""
    with client(stack, "wizard") as wizard:
        found: list[Small] = []
        for one in _candidates(wizard):
            found.append(one)
            if len(found) == SMALL_REQUESTS:
                break
        return found


def _candidates(wizard: Client) -> Iterator[Small]:
    for page in wizard.pages("/v1/customers", service=SERVICE, plan=PLANS[0], limit=200):
        for customer in page["items"]:
            path = f"/v1/customers/{customer['customer']}/users"
            users = wizard.get(path, service=SERVICE, plan=PLANS[0], limit=SMALL_USERS)["items"]
            if len(users) == SMALL_USERS:
                named = [{"customer": customer["customer"], "user": user["user"]} for user in users]
                yield Small(customer["customer"], PLANS[0], named)


async def _ask(stack: Stack, plans: tuple[str, ...], selection: dict[str, Any]) -> str:
    body = {
        "service": SERVICE,
        "name": "Fairness",
        "mappings": [{"from_plan": plan, "to_plan": TARGET_PLAN} for plan in plans],
        "selection": selection,
        "generate_missing_packages": True,
    }
    with client(stack, "wizard") as wizard:
        answer = await asyncio.to_thread(wizard.post, "/v1/migrations", body, idempotency_key=secrets.token_hex(8))
    return str(answer["request"])


async def _timed(stack: Stack, one: Small) -> float:
    request = await _ask(stack, (one.plan,), {"users": one.users})
    started = time.perf_counter()
    await until(lambda: has_ended(stack, request), _SMALL_DEADLINE_S)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    print_rows(asyncio.run(measure(parser.parse_args().users)))


if __name__ == "__main__":
    main()
