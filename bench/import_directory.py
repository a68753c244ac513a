"""Import of a directory until wizard and engine both know it: `python -m bench.import_directory --users 1000000`."""

import argparse
import asyncio

from bench.end_to_end import LEAST_IMPORT_RATE, import_directory
from bench.stack import local_stack
from bench.table import Row, print_rows


async def measure(users: int) -> list[Row]:
    """Import once on a stack of its own."""
    async with local_stack() as stack:
        rate = users / await import_directory(stack, users)
    return [
        Row(
            "5",
            f"Import of {users:,} users until both know it",
            f"{rate:,.0f}/s",
            "20,000/s",
            rate >= LEAST_IMPORT_RATE,
        )
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    print_rows(asyncio.run(measure(parser.parse_args().users)))


if __name__ == "__main__":
    main()
