"""The relay publishes a ledger in order and takes up where the topic ends."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import OutOfOrderSequenceNumber

from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings
from eventlog.database import Pool
from eventlog.errors import LostLease, TopicAhead
from eventlog.ledger import Lease
from eventlog.relay import Outlet, Relay, republish
from eventlog.takeover import last_sequence_in_topic
from tests.integration.eventlog.conftest import NewTopicOf
from tests.integration.eventlog.records import append_events, read_topic, running, send, topic_sequences
from tests.waiting import eventually, throughout

LEASE = Lease(0, 1, "a")


@pytest.fixture
async def outlet(settings: KafkaSettings, pool: Pool, new_topic: NewTopicOf) -> Outlet:
    await new_topic("log", 3)
    await pool.execute("UPDATE shard SET owner = 'a', epoch = 1")
    return Outlet(settings)


async def _published(relay: Relay, last: int) -> None:
    await eventually(lambda: relay.published_to == last, within=15)


async def test_a_ledger_is_published_with_headers_key_and_bytes_as_they_were(pool: Pool, outlet: Outlet) -> None:
    _, events = await append_events(pool, 0, 3, lease=LEASE)
    relay = Relay(pool, outlet, "log", LEASE)
    async with running(relay.run()):
        await _published(relay, 3)
        assert relay.unsent == 0
    records = await read_topic(outlet.kafka, "log")
    assert [(r.type, r.key, r.id, r.value) for r in records] == [(e.type, e.key.encode(), e.id, e.body) for e in events]
    assert records[0].headers == (
        ("content-type", b"application/cloudevents+json; charset=UTF-8"),
        ("type", b"made.up.v1"),
        ("id", b"e1"),
        ("sequence", b"1"),
    )
    await outlet.close()


async def test_offered_chunks_and_those_of_others_make_one_line(pool: Pool, outlet: Outlet) -> None:
    relay = Relay(pool, outlet, "log", LEASE, poll_s=0.05)
    async with running(relay.run()):
        await relay.verified()
        for turn in range(30):
            first, events = await append_events(pool, 0, 7, lease=LEASE)
            if turn % 3 == 0:
                relay.offer(first, events)  # the others come out of the database
        await _published(relay, 210)
    assert await topic_sequences(outlet.kafka, "log") == list(range(1, 211))
    await outlet.close()


async def test_large_events_and_many_batches_stay_in_order(pool: Pool, outlet: Outlet) -> None:
    for _ in range(3):
        await append_events(pool, 0, 4_000, lease=LEASE)
    await append_events(pool, 0, 2, lease=LEASE, prefix="x" * 400_000)
    relay = Relay(pool, outlet, "log", LEASE)
    async with running(relay.run()):
        await _published(relay, 12_002)
    assert await topic_sequences(outlet.kafka, "log") == list(range(1, 12_003))
    await outlet.close()


async def test_the_cursor_is_stored_and_a_relay_without_epoch_stops(pool: Pool, outlet: Outlet) -> None:
    await append_events(pool, 0, 5, lease=LEASE)
    relay = Relay(pool, outlet, "log", LEASE, poll_s=0.05)
    task = asyncio.create_task(relay.run())
    await eventually(lambda: pool.fetchval("SELECT cursor = 6 FROM shard WHERE shard = 0"))
    await pool.execute("UPDATE shard SET owner = 'b', epoch = 2 WHERE shard = 0")
    await append_events(pool, 0, 5, lease=Lease(0, 2, "b"))
    with pytest.raises(LostLease):
        await asyncio.wait_for(task, 10)
    assert await pool.fetchval("SELECT cursor FROM shard WHERE shard = 0") == 6
    await outlet.close()


async def test_a_broken_producer_is_dropped_and_nothing_is_lost(pool: Pool, outlet: Outlet) -> None:
    relays = [Relay(pool, outlet, "log", Lease(shard, 1, "a"), poll_s=0.05) for shard in range(3)]
    async with running(*(relay.run() for relay in relays)):
        for turn in range(30):
            for shard in range(3):
                first, events = await append_events(pool, shard, 500, lease=Lease(shard, 1, "a"))
                relays[shard].offer(first, events)
            if turn in {5, 15}:
                producer = await outlet.producer()
                producer._message_accumulator.fail_all(OutOfOrderSequenceNumber())
        for relay in relays:
            await _published(relay, 15_000)
    for shard in range(3):
        in_topic = await topic_sequences(outlet.kafka, "log", shard)
        once = sorted({number for number in in_topic if number is not None})
        assert once == list(range(1, 15_001))
        assert _never_skips(in_topic)
    await outlet.close()


def _never_skips(sequences: list[int | None]) -> bool:
    """Whether each sequence comes after the one before it, however often some come again."""
    highest = 0
    for number in sequences:
        if number is None or number > highest + 1:
            return False
        highest = max(highest, number)
    return True


async def test_a_topic_that_is_ahead_of_the_ledger_is_refused_with_what_to_do(
    pool: Pool, outlet: Outlet, producer: AIOKafkaProducer
) -> None:
    await append_events(pool, 0, 3, lease=LEASE)
    await send(producer, outlet.kafka.topic("log"), range(1, 6))
    alarms = Alarms()
    relay = Relay(pool, outlet, "log", LEASE, alarms=alarms)
    with pytest.raises(TopicAhead, match=r"ends with sequence 5, but the ledger with 3.*restore a newer copy"):
        await relay.run()
    with pytest.raises(TopicAhead):
        await relay.verified()
    assert [alarm.kind for alarm in alarms.standing] == ["topic-ahead"]
    assert await topic_sequences(outlet.kafka, "log") == [1, 2, 3, 4, 5]


async def test_a_topic_that_is_behind_gets_what_it_lost(pool: Pool, outlet: Outlet, producer: AIOKafkaProducer) -> None:
    await append_events(pool, 0, 5, lease=LEASE)
    await pool.execute("UPDATE shard SET cursor = 6 WHERE shard = 0")
    await send(producer, outlet.kafka.topic("log"), [1, 2])
    relay = Relay(pool, outlet, "log", LEASE)
    async with running(relay.run()):
        await _published(relay, 5)
    assert await topic_sequences(outlet.kafka, "log") == [1, 2, 3, 4, 5]
    await outlet.close()


async def test_what_the_predecessor_published_last_is_not_published_again(
    pool: Pool, outlet: Outlet, producer: AIOKafkaProducer
) -> None:
    await append_events(pool, 0, 5, lease=LEASE)
    await send(producer, outlet.kafka.topic("log"), [1, 2, 3])
    relay = Relay(pool, outlet, "log", LEASE)
    async with running(relay.run()):
        await _published(relay, 5)
    assert await topic_sequences(outlet.kafka, "log") == [1, 2, 3, 4, 5]
    await outlet.close()


async def test_the_topics_end_is_found_behind_records_of_others_and_republished_ones(
    pool: Pool, outlet: Outlet, producer: AIOKafkaProducer
) -> None:
    topic = outlet.kafka.topic("log")
    assert await last_sequence_in_topic(outlet.kafka, "log", 0) == 0
    await append_events(pool, 0, 5, lease=LEASE)
    await send(producer, topic, range(1, 6))
    await pool.execute("UPDATE shard SET cursor = 6 WHERE shard = 0")
    for number in range(300):
        await producer.send(topic, b"foreign %d" % number, partition=0)
    await producer.send(topic, b"foreign", partition=0, headers=[("sequence", b"77")])
    await producer.flush()
    assert await republish(pool, outlet.kafka, "log", 0, from_sequence=2, to_sequence=3) == 2
    assert await last_sequence_in_topic(outlet.kafka, "log", 0, mark=b"{}") == 5
    assert await last_sequence_in_topic(outlet.kafka, "log", 0) == 77


async def test_republishing_sends_exactly_the_range(pool: Pool, outlet: Outlet) -> None:
    for _ in range(4):
        await append_events(pool, 0, 3, lease=LEASE)
    await pool.execute("UPDATE shard SET cursor = 12 WHERE shard = 0")
    assert await republish(pool, outlet.kafka, "log", 0, from_sequence=2, to_sequence=8) == 7
    assert await republish(pool, outlet.kafka, "log", 0, from_sequence=11) == 1
    assert await topic_sequences(outlet.kafka, "log") == [2, 3, 4, 5, 6, 7, 8, 11]
    records = await read_topic(outlet.kafka, "log")
    assert {record.headers[-1] for record in records} == {("republished", b"1")}


async def test_a_topic_that_comes_later_is_waited_for(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf
) -> None:
    await pool.execute("UPDATE shard SET owner = 'a', epoch = 1")
    await append_events(pool, 0, 2, lease=LEASE)
    outlet = Outlet(settings)
    relay = Relay(pool, outlet, "later", LEASE)
    async with running(relay.run()):
        await throughout(lambda: relay.published_to == 0, for_s=0.5, what="nothing is published without the topic")
        await new_topic("later")
        await _published(relay, 2)
    await outlet.close()


async def test_kafka_that_is_away_is_waited_for(pool: Pool, settings: KafkaSettings, unused_tcp_port: int) -> None:
    await pool.execute("UPDATE shard SET owner = 'a', epoch = 1")
    outlet = Outlet(KafkaSettings(f"127.0.0.1:{unused_tcp_port}", settings.topic_prefix))
    relay = Relay(pool, outlet, "log", LEASE)
    async with running(relay.run()) as (task,):
        with pytest.raises(AssertionError):
            await eventually(task.done, within=1.5)
    await outlet.close()
