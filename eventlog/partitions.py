"""Kafka's own choice of a partition from a key: murmur2, as every Java client does it."""

from __future__ import annotations

from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_WORD_BYTES = 4


def murmur2(data: bytes) -> int:
    """32-bit murmur2 with Kafka's seed, as an unsigned number."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length - length % _WORD_BYTES
    for start in range(0, whole, _WORD_BYTES):
        k = int.from_bytes(data[start : start + _WORD_BYTES], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """Partition of a key in a topic of `partitions` partitions, equal to Kafka's default partitioner."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
