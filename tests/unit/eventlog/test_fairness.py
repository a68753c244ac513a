"""Shards are shared fairly."""

from hypothesis import given
from hypothesis import strategies as st

from eventlog.fairness import fair_share


@given(st.integers(1, 64), st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=20))
def test_shares_add_up_and_differ_by_one_at_most(shards: int, members: set[str]) -> None:
    shares = [fair_share(shards, list(members), member) for member in members]
    assert sum(shares) == shards
    assert max(shares) - min(shares) <= 1


def test_who_is_no_member_has_no_share() -> None:
    assert fair_share(16, ["a"], "b") == 0
