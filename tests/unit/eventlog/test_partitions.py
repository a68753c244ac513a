"""Our partitions are Kafka's."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from eventlog.partitions import murmur2, partition_of


@pytest.mark.parametrize(
    "key, signed",
    [
        # From Kafka's own UtilsTest.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_hashes_are_those_of_kafkas_own_test(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32


@given(st.text(min_size=1, max_size=40), st.integers(1, 64))
def test_partitions_are_those_of_the_clients_partitioner(key: str, partitions: int) -> None:
    every = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key.encode(), every, every)
