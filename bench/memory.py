"""Memory of each process at 100,000 and at 1,000,000 users: `python -m bench.memory`.

The whole main job runs twice, each time on a stack of its own; what counts is each service's highest resident memory.
"""

import argparse
import asyncio

from bench.end_to_end import run
from bench.table import Row, print_rows

MOST_GROWTH = 1.10
SMALL, LARGE = 100_000, 1_000_000


def rows_of(small: dict[str, float], large: dict[str, float]) -> list[Row]:
    """Give a row for each process: its growth from the small to the large run."""
    return [
        Row("8", f"Memory of {name}", *_growth(small[name], large[name]))
        for name in sorted(small.keys() & large.keys())
    ]


def _growth(small: float, large: float) -> tuple[str, str, bool]:
    return f"{small:,.0f} → {large:,.0f} MiB ({large / small:.2f} times)", "1.10 times", large / small <= MOST_GROWTH


async def measure(small: int, large: int) -> list[Row]:
    """Run both sizes and compare."""
    first = await run(small, with_limit=False)
    second = await run(large, with_limit=False)
    return rows_of(first.memory, second.memory)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--large", type=int, default=LARGE)
    given = parser.parse_args()
    print_rows(asyncio.run(measure(given.small, given.large)))


if __name__ == "__main__":
    main()
