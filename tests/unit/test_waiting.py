"""Waiting for a condition."""

from collections.abc import Iterator

import pytest

from tests.waiting import eventually


@pytest.fixture
def answers() -> Iterator[int]:
    return iter([0, 0, 3])


async def test_it_answers_the_first_true_answer(answers: Iterator[int]) -> None:
    assert await eventually(lambda: next(answers), within=5) == 3


async def test_it_takes_async_conditions_and_their_errors_as_not_yet(answers: Iterator[int]) -> None:
    async def condition() -> int:
        return 10 // next(answers)

    assert await eventually(condition, within=5) == 3


async def test_it_fails_after_the_deadline_and_says_what_it_saw_last() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.1 s: three is two \(last answer False\)"):
        await eventually(lambda: False, within=0.1, what="three is two")
