"""Every benchmark, one table: `python -m bench`, or with `--users` a smaller one."""

import argparse
import asyncio

from bench import end_to_end, fairness, memory, rebuild
from bench.table import Row, print_rows

_SMALLER = 10


async def measure(users: int) -> list[Row]:
    """Run everything, each part on a stack of its own; memory compares the whole run with a tenth of it."""
    large = await end_to_end.run(users, with_limit=True)
    small = await end_to_end.run(users // _SMALLER, with_limit=False)
    rows = [row for row in end_to_end.rows_of(large) if row.number != "8"]
    async with rebuild.own_parts() as (kafka, postgres):
        rows += rebuild.rows(await rebuild.run(users, kafka, postgres))
    return [*rows, *await fairness.measure(users), *memory.rows_of(small.memory, large.memory)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=end_to_end.USERS)
    print_rows(asyncio.run(measure(parser.parse_args().users)))


if __name__ == "__main__":
    main()
