"""The topics, how they are split and how long they are kept.

The number of partitions of a topic never changes: a key's partition is murmur2(key) mod that number.
"""

from collections.abc import Mapping
from typing import NamedTuple

MEBIBYTE = 1024 * 1024

RECORD_LIMIT_BYTES = MEBIBYTE
"""A value over this is unreadable (`too-large`), although the broker takes more, so that it can be quarantined."""

SHARDS = 16
"""Partitions of `provisioning.events`; each is one shard with one owner."""

REQUEST_PARTITIONS = 4
DIRECTORY_PARTITIONS = 16


class TopicDefinition(NamedTuple):
    """A topic as it is created: name without prefix, partitions, and the broker's settings for it."""

    name: str
    partitions: int
    description: str
    config: Mapping[str, str]


_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}

DIRECTORY = TopicDefinition(
    "directory.events",
    DIRECTORY_PARTITIONS,
    "What sources report of resellers, customers, services, plans, packages, users and assignments; keyed by entity.",
    {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "3600000",
        "max.message.bytes": str(8 * MEBIBYTE),
    },
)
REQUESTS = TopicDefinition(
    "migration.requests",
    REQUEST_PARTITIONS,
    "Migration requests and what operators say of them later; keyed by request.",
    {**_FOR_EVER, "max.message.bytes": str(8 * MEBIBYTE)},
)
PROVISIONING = TopicDefinition(
    "provisioning.events",
    SHARDS,
    "Everything that the engine did; keyed by customer, events of a whole request by request.",
    {**_FOR_EVER, "max.message.bytes": str(2 * MEBIBYTE)},
)
QUARANTINE = TopicDefinition(
    "migration.quarantine",
    1,
    "Records that could not be read: original bytes and headers, with the reason.",
    {**_FOR_EVER, "max.message.bytes": str(16 * MEBIBYTE)},
)

TOPICS: tuple[TopicDefinition, ...] = (DIRECTORY, REQUESTS, PROVISIONING, QUARANTINE)
