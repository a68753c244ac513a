"""How many shards are whose: a pure rule that every member works out alike."""

from __future__ import annotations

from collections.abc import Sequence


def fair_share(shards: int, live_members: Sequence[str], owner: str) -> int:
    """Shards that `owner` should have among the live members; the shares differ by one at most.

    0 for somebody who isn't a live member. All members that see the same list agree on shares that add up to
    `shards`.
    """
    if owner not in live_members:
        return 0
    each, left_over = divmod(shards, len(live_members))
    return each + (sorted(live_members).index(owner) < left_over)
