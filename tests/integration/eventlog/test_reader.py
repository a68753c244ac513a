"""A reader folds every record once, in order, wherever it was interrupted."""

from aiokafka import AIOKafkaProducer

from eventlog.connections import KafkaSettings
from eventlog.database import Pool
from eventlog.positions import PartitionKey, move_by_hand
from eventlog.reader import Subscription
from tests.integration.eventlog.conftest import NewTopicOf
from tests.integration.eventlog.readers import PLAIN, alarm_kinds, all_folded, is_idle, reader_of
from tests.integration.eventlog.records import folded_ids, ids, running, send
from tests.waiting import eventually


async def test_what_is_there_and_what_comes_is_folded_once_over_many_starts(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    for turn in range(3):
        await send(producer, topic, range(turn * 10 + 1, turn * 10 + 6))
        reader = reader_of(pool, settings)
        async with running(reader.run()):
            await send(producer, topic, range(turn * 10 + 6, turn * 10 + 11))
            await all_folded(pool, ids(*range(1, turn * 10 + 11)))
            assert await reader.wait_for({("log", 0): turn * 10 + 10}, within_s=5)
            await eventually(is_idle(reader))
            assert reader.seconds_behind == 0
            place = reader.places[0]
            assert (place.next_offset, place.last_sequence, place.stopped) == (turn * 10 + 10, turn * 10 + 10, None)


async def test_lower_sequences_are_dropped(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 1, 2, 3, 2, 4])
    async with running(reader_of(pool, settings).run()):
        await all_folded(pool, ids(1, 2, 3, 4))


async def test_a_gap_stops_alarms_and_ends_when_the_missing_one_comes(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 4, 5])
    reader = reader_of(pool, settings)
    async with running(reader.run()):
        await eventually(lambda: alarm_kinds(reader) == ["gap"])
        assert await folded_ids(pool) == ids(1, 2)
        assert "sequence 3 is missing before 4 at offset 2" in reader.alarms.standing[0].text
        await send(producer, topic, [3])
        await all_folded(pool, ids(1, 2, 3, 4, 5))
        await eventually(lambda: alarm_kinds(reader) == [])
        await send(producer, topic, [6])
        await all_folded(pool, ids(1, 2, 3, 4, 5, 6))


async def test_a_gap_outlives_a_start_and_ends_when_everything_is_republished(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 5, 6])
    first = reader_of(pool, settings)
    async with running(first.run()):
        await eventually(lambda: alarm_kinds(first) == ["gap"])
        await send(producer, topic, [3])
        await all_folded(pool, ids(1, 2, 3))
    await send(producer, topic, [4, 5, 6, 7])
    async with running(reader_of(pool, settings).run()):
        await all_folded(pool, ids(1, 2, 3, 4, 5, 6, 7))


async def test_a_gap_of_one_partition_leaves_the_others_alone(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    name = settings.topic(await new_topic("log", 2))
    await send(producer, name, [1, 3], partition=0)
    await send(producer, name, [1, 2, 3], partition=1)
    reader = reader_of(pool, settings)
    async with running(reader.run()):

        async def other_is_done() -> bool:
            return await folded_ids(pool, partition=1) == ids(1, 2, 3)

        await eventually(other_is_done)
        assert await folded_ids(pool, partition=0) == ids(1)


async def test_the_same_sequence_with_another_id_is_never_folded_and_never_silent(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 3])
    await send(producer, topic, [2], prefix="other")
    await send(producer, topic, [4])
    first = reader_of(pool, settings)
    async with running(first.run()):
        await eventually(lambda: alarm_kinds(first) == ["stopped"])
        assert first.ready
        assert "sequence 2 came with id 'other2' at offset 3" in str(first.places[0].stopped)
    again = reader_of(pool, settings)
    async with running(again.run()):
        await eventually(lambda: alarm_kinds(again) == ["stopped"])
        assert await folded_ids(pool) == ids(1, 2, 3)
        async with pool.acquire() as conn:
            assert await move_by_hand(conn, "reader", PartitionKey("log", 0), 4)
        await all_folded(pool, ids(1, 2, 3, 4))
        assert alarm_kinds(again) == []


async def test_records_of_other_writers_pass_uncounted_beside_ours(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    mark = b'"source":"/ours"'
    for name, value, headers in [
        ("ours1", b"{%s}" % mark, [("sequence", b"1")]),
        ("foreign1", b"x", []),
        ("foreign2", b"x", [("sequence", b"99")]),
        ("foreign3", b"x", [("ce_type", b"t"), ("ce_sequence", b"7")]),
        ("ours2", b"{%s}" % mark, [("sequence", b"2")]),
        ("ours2", b"{%s}" % mark, [("sequence", b"2")]),
    ]:
        await producer.send(topic, value, partition=0, headers=[("id", name.encode()), *headers])
    await producer.flush()
    reader = reader_of(pool, settings, Subscription("log", sequenced=True, mark=mark))
    async with running(reader.run()):
        await all_folded(pool, ["ours1", "foreign1", "foreign2", "foreign3", "ours2"])


async def test_a_topic_that_is_not_counted_is_folded_by_offset_alone(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [7, 3, 3])
    async with running(reader_of(pool, settings, PLAIN).run()):
        await all_folded(pool, ids(7, 3, 3))


async def test_skipped_types_are_counted_but_not_folded(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1])
    await send(producer, topic, [2, 3], event_type="noise.v1")
    await send(producer, topic, [4])
    await producer.send_and_wait(topic, b"no type", partition=0, headers=[("id", b"typeless")])
    for skip, wanted in ((["noise.v1"], None), ([], ["made.up.v1"])):
        reader = reader_of(pool, settings, skip_types=skip, wanted_types=wanted)
        async with running(reader.run()):
            await all_folded(pool, [*ids(1, 4), "typeless"])
            assert await reader.wait_for({("log", 0): 5}, within_s=5)
        await pool.execute("TRUNCATE folded; TRUNCATE reader_position")


async def test_offsets_without_a_record_are_passed_over_in_the_middle_and_at_the_end(
    pool: Pool, settings: KafkaSettings, topic: str
) -> None:
    # Each transaction of another program ends with a marker that takes an offset, as compaction takes records away.
    foreign = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=settings.topic("foreign"))
    await foreign.start()
    expected: list[str] = []
    for turn in range(3):
        reader = reader_of(pool, settings, PLAIN)
        async with running(reader.run()):
            for number in range(turn * 5, turn * 5 + 5):
                async with foreign.transaction():
                    await foreign.send(topic, b"v", partition=0, headers=[("id", b"e%d" % number)])
                expected.append(f"e{number}")
            await all_folded(pool, expected)
            await eventually(is_idle(reader))
            assert await reader.wait_for({("log", 0): 10 * turn + 10}, within_s=5)
            assert reader.seconds_behind == 0
    await foreign.stop()


async def test_a_position_outside_the_topic_is_an_alarm_and_no_jump(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 3])
    await pool.execute(
        "INSERT INTO reader_position (reader, topic, partition, next_offset, last_sequence, last_id)"
        " VALUES ('reader', 'log', 0, 5, 5, 'e5')"
    )
    reader = reader_of(pool, settings)
    async with running(reader.run()):
        await eventually(lambda: alarm_kinds(reader) == ["out-of-range"])
        assert "position 5 is outside the topic, which has 0 to 3" in reader.alarms.standing[0].text
        # The broker had lost its tail, and the relay publishes it again: now the position exists.
        await send(producer, topic, [4, 5, 6])
        await all_folded(pool, ids(6))
        assert alarm_kinds(reader) == []


async def test_a_topic_that_loses_its_records_while_it_is_read_is_an_alarm(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 3])
    reader = reader_of(pool, settings)
    async with running(reader.run()):
        await all_folded(pool, ids(1, 2, 3))
        await pool.execute("UPDATE reader_position SET next_offset = 9")
        await send(producer, topic, [4])  # makes the reader look: its position was moved by another hand
        await eventually(lambda: alarm_kinds(reader) == ["out-of-range"])
        assert await folded_ids(pool) == ids(1, 2, 3)


async def test_two_readers_share_partitions_and_a_leaving_ones_are_taken_over(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    topic = settings.topic(await new_topic("log", 4))
    one, two = reader_of(pool, settings), reader_of(pool, settings)

    async def done(last: int) -> bool:
        return all([await folded_ids(pool, partition=p) == ids(*range(1, last + 1)) for p in range(4)])

    async with running(one.run()):
        await eventually(lambda: len(one.places) == 4)
        async with running(two.run()):
            for number in range(1, 101):
                for partition in range(4):
                    await send(producer, topic, [number], partition=partition)
            await eventually(lambda: len(one.places) == 2 and len(two.places) == 2, within=20)
            assert await one.wait_for({("log", p): 100 for p in range(4)}, within_s=10)
        for partition in range(4):
            await send(producer, topic, range(101, 201), partition=partition)
        await eventually(lambda: done(200), within=20)


async def test_two_readers_that_both_think_a_partition_theirs_fold_it_once(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    readers = [reader_of(pool, settings, alone=True, max_records=7) for _ in range(3)]
    async with running(*(reader.run() for reader in readers)):
        for first in range(1, 301, 5):
            await send(producer, topic, range(first, first + 5))
        await all_folded(pool, ids(*range(1, 301)), within=30)


async def test_a_reader_without_a_partition_is_ready_and_takes_over_the_alarms_with_the_partition(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 3])
    one, two = reader_of(pool, settings), reader_of(pool, settings)
    async with running(two.run()):
        async with running(one.run()):
            await eventually(lambda: one.ready and two.ready and len(one.places) + len(two.places) == 1, within=20)
            await eventually(lambda: sorted(alarm_kinds(one) + alarm_kinds(two)) == ["gap"])
        await eventually(lambda: alarm_kinds(two) == ["gap"], within=20)
