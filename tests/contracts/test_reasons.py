"""Every reason has its text and advice."""

import pytest

from contracts.reasons import USER_REASONS, UserReason


@pytest.mark.parametrize("reason", list(UserReason))
def test_every_reason_of_a_user_has_text_and_advice(reason: UserReason) -> None:
    text = USER_REASONS[reason]
    assert text.text.endswith(".")
    assert text.advice.endswith((".", "service"))
