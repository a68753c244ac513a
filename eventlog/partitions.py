"""Kafka's own choice of a partition from a key: murmur2, as every Java client does it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from struct import Struct

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_WORD_BYTES = 4
_WORDS_REMEMBERED = 16_384


class _Mixed(dict[int, int]):
    """What becomes of a word before it joins the hash; keys have much in common, so most words were seen before."""

    def __missing__(self, word: int) -> int:
        if len(self) >= _WORDS_REMEMBERED:
            self.clear()
        k = word * _M & _MASK
        mixed = self[word] = (k ^ (k >> 24)) * _M & _MASK
        return mixed


_mixed = _Mixed()


@cache
def _words_of(count: int) -> Callable[[bytes], tuple[int, ...]]:
    """Reader of so many words; keys are short, so there are few of these."""
    return Struct(f"<{count}I").unpack_from


def murmur2(data: bytes) -> int:
    """32-bit murmur2 with Kafka's seed, as an unsigned number."""
    length = len(data)
    h = _SEED ^ length
    for word in _words_of(length // _WORD_BYTES)(data):
        h = (h * _M & _MASK) ^ _mixed[word]
    if length % _WORD_BYTES:
        h = (h ^ int.from_bytes(data[-(length % _WORD_BYTES) :], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """Partition of a key in a topic of `partitions` partitions, equal to Kafka's default partitioner."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
