"""1,000,000 users end to end, and the SQL limit in the same run: `python -m bench.end_to_end --users 1000000`.

The clock runs from the wizard's acknowledgement of MigrationRequested until the tracker says that every user has
migrated; planning is included, all services run, and the wizard's view folds along.
"""

import argparse
import asyncio
import csv
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import sql_limit
from bench.stack import answer_about, client, cpu_seconds, local_stack, planshift, say, until, watched_memory
from bench.table import Row, print_rows
from standalone.stack import Stack

SERVICE = "hosted-exchange"
PLANS = ("bronze", "silver", "gold")
TARGET_PLAN = "platinum"
USERS = 1_180_000
"""Users of the directory, so that 1,000,000 of them are on one of the plans and migrate."""

LEAST_RATE = 20_000
LEAST_SHARE = 0.3
LEAST_IMPORT_RATE = 20_000
_DEADLINE_S = 900.0


@dataclass(frozen=True)
class Result:
    """What one run measured; memory is each service's highest in MiB, CPU of each part while the users migrated."""

    directory: int
    users: int
    imported_s: float
    planned_s: float
    ended_s: float
    memory: dict[str, float]
    import_cpu: dict[str, float]
    cpu: dict[str, float]
    limit: float = 0.0

    @property
    def rate(self) -> float:
        """Users a second, end to end."""
        return self.users / self.ended_s


async def run(users: int, *, with_limit: bool, engines: int = 1) -> Result:
    """Import a directory, migrate everybody on one plan of it, and measure both."""
    async with local_stack(engines) as stack, watched_memory(stack) as memory:
        idle = cpu_seconds(stack)
        imported_s = await import_directory(stack, users)
        before = cpu_seconds(stack)
        planned_s, ended_s, migrated = await migrate(stack)
        cpu = {name: seconds - before.get(name, 0.0) for name, seconds in cpu_seconds(stack).items()}
        import_cpu = {name: seconds - idle.get(name, 0.0) for name, seconds in before.items()}
        limit = await sql_limit.best(stack.postgres_url, migrated) if with_limit else 0.0
        return Result(users, migrated, imported_s, planned_s, ended_s, dict(memory), import_cpu, cpu, limit)


async def import_directory(stack: Stack, users: int) -> float:
    """Generate a directory and import it; gives the seconds until wizard and engine both know it."""
    with tempfile.TemporaryDirectory(prefix="planshift-bench-") as folder:
        made = Path(folder) / "directory"
        say(f"Generating a directory of {users:,} users")
        await planshift(stack, "directory", "generate", "--users", str(users), "--seed", "1", "--out", str(made))
        _lift_limits(made / "packages.csv")
        say("Importing it")
        started = time.perf_counter()
        await planshift(stack, "directory", "import", str(made))
        return time.perf_counter() - started


def _lift_limits(packages: Path) -> None:
    """Let every user fit, so that a directory of a size migrates the same number of users whatever the seed."""
    lifted = packages.with_suffix(".lifted")
    with packages.open(encoding="utf-8", newline="") as source, lifted.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(out, rows.fieldnames or ())
        writer.writeheader()
        writer.writerows({**row, "seat_limit": ""} for row in rows)
    lifted.replace(packages)


async def migrate(stack: Stack) -> tuple[float, float, int]:
    """Migrate everybody; gives seconds until planned, seconds until all have migrated, and how many they are."""
    body = {
        "service": SERVICE,
        "name": "Benchmark",
        "mappings": [{"from_plan": plan, "to_plan": TARGET_PLAN} for plan in PLANS],
        "selection": {"all_customers": True, "all_users": True},
        "generate_missing_packages": True,
    }
    with client(stack, "wizard") as wizard:
        answer = await asyncio.to_thread(wizard.post, "/v1/migrations", body, idempotency_key=secrets.token_hex(8))
    started, request, planned_s = time.perf_counter(), str(answer["request"]), 0.0
    last: dict[str, int] = {}

    async def ended() -> bool:
        nonlocal planned_s
        found = await answer_about(stack, request)
        if found is None:
            return False
        if not planned_s and found["status"] not in {"Requested", "Planning"}:
            planned_s = time.perf_counter() - started
        last.update(found["counts"])
        return bool(found["ended"])

    await until(ended, _DEADLINE_S)
    return planned_s, time.perf_counter() - started, last["migrated"]


def rows_of(result: Result) -> list[Row]:
    """Give the figures as rows of the table."""
    share = result.rate / result.limit if result.limit else 0.0
    import_rate = result.directory / result.imported_s
    return [
        Row(
            "1",
            f"End to end, {result.users:,} of {result.directory:,} users",
            f"{result.rate:,.0f}/s",
            "20,000/s",
            result.rate >= LEAST_RATE,
        ),
        Row("1", "… of which planning", f"{result.planned_s:.1f} s", "", None),
        *_cpu_rows("1", result.cpu, result.users),
        Row("3", "SQL limit, same run", f"{result.limit:,.0f}/s", "", None),
        Row("3", "… end to end against it", f"{share:.2f}", f"{LEAST_SHARE}", share >= LEAST_SHARE),
        Row("5", "Import until both know it", f"{import_rate:,.0f}/s", "20,000/s", import_rate >= LEAST_IMPORT_RATE),
        *_cpu_rows("5", result.import_cpu, result.directory),
        *(Row("8", f"Memory of {name}", f"{mib:,.0f} MiB", "", None) for name, mib in sorted(result.memory.items())),
    ]


def _cpu_rows(number: str, cpu: dict[str, float], users: int) -> list[Row]:
    return [
        Row(number, f"… CPU of {name}", f"{seconds / users * 1e6:.1f} us/user", "", None)
        for name, seconds in cpu.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=USERS, help="of the directory; 85 of 100 migrate")
    parser.add_argument("--engines", type=int, default=1)
    given = parser.parse_args()
    print_rows(rows_of(asyncio.run(run(given.users, with_limit=True, engines=given.engines))))


if __name__ == "__main__":
    main()
