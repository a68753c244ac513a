"""A long list is cut into parts that fit."""

from hypothesis import given
from hypothesis import strategies as st

from services.wizard.domain.parts import PartCutter


def cut(sizes: list[int], limit: int, limit_bytes: int) -> list[list[int]]:
    cutter = PartCutter(limit, limit_bytes)
    parts: list[list[int]] = [[]]
    for size in sizes:
        if cutter.begins(size):
            parts.append([])
        parts[-1].append(size)
    return parts


@given(st.lists(st.integers(1, 20), min_size=1, max_size=200), st.integers(1, 10), st.integers(20, 60))
def test_no_part_is_too_long_or_too_large_and_nothing_is_lost(sizes: list[int], limit: int, limit_bytes: int) -> None:
    parts = cut(sizes, limit, limit_bytes)
    assert [size for part in parts for size in part] == sizes
    assert all(0 < len(part) <= limit and sum(part) <= limit_bytes for part in parts)


def test_parts_are_as_full_as_they_can_be() -> None:
    assert [len(part) for part in cut([1] * 12_000, 5000, 1 << 20)] == [5000, 5000, 2000]
