"""Cuts a long list into parts that fit into one event each, by number and by size, without holding the list."""

from contracts.requests import PART_LIMIT

PART_BYTES = 700 * 1024
"""Size of a part's entries at the most, so that the event with its envelope stays below what a ledger takes."""

INLINE_BYTES = 150 * 1024
"""Size of a list inside the request's own event; four such lists fit."""


class PartCutter:
    """Says where a new part begins, entry by entry."""

    def __init__(self, limit: int = PART_LIMIT, limit_bytes: int = PART_BYTES) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._entries = 0
        self._bytes = 0

    def begins(self, entry_bytes: int) -> bool:
        """Count an entry in; True if the part before it was full, so that it begins the next one."""
        full = self._entries == self._limit or self._bytes + entry_bytes > self._limit_bytes
        begins = full and self._entries > 0
        if begins:
            self._entries = self._bytes = 0
        self._entries += 1
        self._bytes += entry_bytes
        return begins
