"""What can go wrong in an event log, by name."""

from __future__ import annotations


class EventLogError(Exception):
    """Base of all errors of this package."""


class LostLease(EventLogError):  # noqa: N818 - it reads as what happened
    """Another process owns the shard now; nothing of the transaction may stay."""

    def __init__(self, shard: int, epoch: int) -> None:
        super().__init__(f"shard {shard} is no longer held with epoch {epoch}")
        self.shard = shard
        self.epoch = epoch


class UnknownShard(EventLogError):  # noqa: N818
    """The database has no such shard; `ledger.ensure_shards` makes them."""


class EventTooLarge(EventLogError):  # noqa: N818
    """An event is larger than the ledger takes; refused before anything is stored."""

    def __init__(self, event_id: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"event {event_id} has {size_bytes} bytes, the limit is {limit_bytes}")
        self.event_id = event_id
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class MalformedEvent(EventLogError):  # noqa: N818
    """An event contains a tab or a line feed, or its number differs from what was announced."""


class LedgerHole(EventLogError):  # noqa: N818
    """The ledger lacks sequences in its middle; somebody deleted rows by hand."""

    def __init__(self, shard: int, missing: int, found: int) -> None:
        super().__init__(f"the ledger of shard {shard} has no sequence {missing}, but {found}: restore the rows")
        self.shard = shard


class TopicAhead(EventLogError):  # noqa: N818
    """The topic holds sequences that the ledger never gave out: the database is an older copy of itself.

    Working on would give sequences out a second time, to other events.
    """

    def __init__(self, topic: str, shard: int, topic_last: int, ledger_last: int) -> None:
        super().__init__(
            f"{topic} partition {shard} ends with sequence {topic_last}, but the ledger with {ledger_last}: the "
            f"database was restored from a copy that is older than the topic. Stop all writers and either restore "
            f"a newer copy (up to sequence {topic_last} or later), or start the topic anew and republish the "
            f"whole ledger into it, and then rebuild every reader"
        )
        self.topic = topic
        self.shard = shard
        self.topic_last = topic_last
        self.ledger_last = ledger_last


class MigrationChanged(EventLogError):  # noqa: N818
    """A migration that was applied differs from the file, or is missing; names every one."""
