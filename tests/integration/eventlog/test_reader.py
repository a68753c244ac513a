"""A reader folds every record once, in order, wherever it was interrupted."""

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from eventlog.connections import KafkaSettings
from eventlog.database import Connection, Pool
from eventlog.positions import PartitionKey, load_all, move_by_hand
from eventlog.reader import Reader, Subscription
from eventlog.record import IncomingRecord
from tests.integration.eventlog.conftest import NewTopicOf
from tests.integration.eventlog.records import fold_ids, folded_ids, ids, running, send
from tests.waiting import eventually

LOG = Subscription("log", sequenced=True)
PLAIN = Subscription("log")


def _reader(
    pool: Pool,
    settings: KafkaSettings,
    subscription: Subscription = LOG,
    **options: Any,  # noqa: ANN401 - whatever a Reader takes
) -> Reader:
    return Reader(pool, settings, "reader", [subscription], options.pop("fold", fold_ids("reader")), **options)


async def _folds(pool: Pool, expected: Sequence[str], within: float = 15) -> None:
    async def matches() -> bool:
        return await folded_ids(pool) == list(expected)

    await eventually(matches, within=within, what=f"{len(expected)} ids folded in order")


def _is_idle(reader: Reader) -> Callable[[], bool]:
    return lambda: reader.ready and reader.lag == 0


def _kinds(reader: Reader) -> list[str]:
    return [alarm.kind for alarm in reader.alarms.standing]


@pytest.fixture
async def topic(settings: KafkaSettings, new_topic: NewTopicOf) -> str:
    return settings.topic(await new_topic("log"))


async def test_what_is_there_and_what_comes_is_folded_once_over_many_starts(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    for turn in range(3):
        await send(producer, topic, range(turn * 10 + 1, turn * 10 + 6))
        reader = _reader(pool, settings)
        async with running(reader.run()):
            await send(producer, topic, range(turn * 10 + 6, turn * 10 + 11))
            await _folds(pool, ids(*range(1, turn * 10 + 11)))
            assert await reader.wait_for({("log", 0): turn * 10 + 10}, within_s=5)
            await eventually(_is_idle(reader))
            assert reader.seconds_behind == 0
            place = reader.places[0]
            assert (place.next_offset, place.last_sequence, place.stopped) == (turn * 10 + 10, turn * 10 + 10, None)


async def test_lower_sequences_are_dropped(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 1, 2, 3, 2, 4])
    async with running(_reader(pool, settings).run()):
        await _folds(pool, ids(1, 2, 3, 4))


async def test_a_gap_stops_alarms_and_ends_when_the_missing_one_comes(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 4, 5])
    reader = _reader(pool, settings)
    async with running(reader.run()):
        await eventually(lambda: _kinds(reader) == ["gap"])
        assert await folded_ids(pool) == ids(1, 2)
        assert "sequence 3 is missing before 4 at offset 2" in reader.alarms.standing[0].text
        await send(producer, topic, [3])
        await _folds(pool, ids(1, 2, 3, 4, 5))
        await eventually(lambda: _kinds(reader) == [])
        await send(producer, topic, [6])
        await _folds(pool, ids(1, 2, 3, 4, 5, 6))


async def test_a_gap_outlives_a_start_and_ends_when_everything_is_republished(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 5, 6])
    first = _reader(pool, settings)
    async with running(first.run()):
        await eventually(lambda: _kinds(first) == ["gap"])
        await send(producer, topic, [3])
        await _folds(pool, ids(1, 2, 3))
    await send(producer, topic, [4, 5, 6, 7])
    async with running(_reader(pool, settings).run()):
        await _folds(pool, ids(1, 2, 3, 4, 5, 6, 7))


async def test_a_gap_of_one_partition_leaves_the_others_alone(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    name = settings.topic(await new_topic("log", 2))
    await send(producer, name, [1, 3], partition=0)
    await send(producer, name, [1, 2, 3], partition=1)
    reader = _reader(pool, settings)
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
    first = _reader(pool, settings)
    async with running(first.run()):
        await eventually(lambda: _kinds(first) == ["stopped"])
        assert first.ready
        assert "sequence 2 came with id 'other2' at offset 3" in str(first.places[0].stopped)
    again = _reader(pool, settings)
    async with running(again.run()):
        await eventually(lambda: _kinds(again) == ["stopped"])
        assert await folded_ids(pool) == ids(1, 2, 3)
        async with pool.acquire() as conn:
            assert await move_by_hand(conn, "reader", PartitionKey("log", 0), 4)
        await _folds(pool, ids(1, 2, 3, 4))
        assert _kinds(again) == []


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
    reader = _reader(pool, settings, Subscription("log", sequenced=True, mark=mark))
    async with running(reader.run()):
        await _folds(pool, ["ours1", "foreign1", "foreign2", "foreign3", "ours2"])


async def test_a_topic_that_is_not_counted_is_folded_by_offset_alone(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [7, 3, 3])
    async with running(_reader(pool, settings, PLAIN).run()):
        await _folds(pool, ids(7, 3, 3))


async def test_skipped_types_are_counted_but_not_folded(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1])
    await send(producer, topic, [2, 3], event_type="noise.v1")
    await send(producer, topic, [4])
    await producer.send_and_wait(topic, b"no type", partition=0, headers=[("id", b"typeless")])
    for skip, wanted in ((["noise.v1"], None), ([], ["made.up.v1"])):
        reader = _reader(pool, settings, skip_types=skip, wanted_types=wanted)
        async with running(reader.run()):
            await _folds(pool, [*ids(1, 4), "typeless"])
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
        reader = _reader(pool, settings, PLAIN)
        async with running(reader.run()):
            for number in range(turn * 5, turn * 5 + 5):
                async with foreign.transaction():
                    await foreign.send(topic, b"v", partition=0, headers=[("id", b"e%d" % number)])
                expected.append(f"e{number}")
            await _folds(pool, expected)
            await eventually(_is_idle(reader))
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
    reader = _reader(pool, settings)
    async with running(reader.run()):
        await eventually(lambda: _kinds(reader) == ["out-of-range"])
        assert "position 5 is outside the topic, which has 0 to 3" in reader.alarms.standing[0].text
        # The broker had lost its tail, and the relay publishes it again: now the position exists.
        await send(producer, topic, [4, 5, 6])
        await _folds(pool, ids(6))
        assert _kinds(reader) == []


async def test_a_topic_that_loses_its_records_while_it_is_read_is_an_alarm(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    await send(producer, topic, [1, 2, 3])
    reader = _reader(pool, settings)
    async with running(reader.run()):
        await _folds(pool, ids(1, 2, 3))
        await pool.execute("UPDATE reader_position SET next_offset = 9")
        await send(producer, topic, [4])  # makes the reader look: its position was moved by another hand
        await eventually(lambda: _kinds(reader) == ["out-of-range"])
        assert await folded_ids(pool) == ids(1, 2, 3)


async def test_two_readers_share_partitions_and_a_leaving_ones_are_taken_over(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    topic = settings.topic(await new_topic("log", 4))
    one, two = _reader(pool, settings), _reader(pool, settings)

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
    readers = [_reader(pool, settings, alone=True, max_records=7) for _ in range(3)]
    async with running(*(reader.run() for reader in readers)):
        for first in range(1, 301, 5):
            await send(producer, topic, range(first, first + 5))
        await _folds(pool, ids(*range(1, 301)), within=30)


async def test_a_fold_that_fails_for_good_alarms_waits_and_leaves_other_partitions_alone(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    topic = settings.topic(await new_topic("log", 2))
    attempts, spoilt = [0], [True]
    inner = fold_ids("reader")

    async def fold(conn: Connection, records: Sequence[IncomingRecord]) -> None:
        await inner(conn, records)
        if spoilt[0] and any(r.id == "bad2" for r in records):
            attempts[0] += 1
            raise RuntimeError("cannot be folded")

    reader = _reader(pool, settings, fold=fold)
    await send(producer, topic, [1, 2, 3], prefix="bad", partition=0)
    async with running(reader.run()):
        await eventually(lambda: _kinds(reader) == ["poison"])
        await send(producer, topic, [1, 2, 3], partition=1)
        await _folds(pool, ids(1, 2, 3))
        await eventually(lambda: attempts[0] >= 2)
        assert attempts[0] < 10
        spoilt[0] = False
        await _folds(pool, [*ids(1, 2, 3), *ids(1, 2, 3, prefix="bad")])
        await eventually(lambda: _kinds(reader) == [])


async def test_lost_connections_and_conflicts_are_retried_without_an_alarm(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    troubles: list[Exception] = [
        asyncpg.SerializationError("conflict"),
        asyncpg.DeadlockDetectedError("deadlock"),
        ConnectionResetError("gone"),
        asyncpg.AdminShutdownError("restart"),
    ]
    inner = fold_ids("reader")

    async def fold(conn: Connection, records: Sequence[IncomingRecord]) -> None:
        await inner(conn, records)
        if troubles:
            raise troubles.pop()

    reader = _reader(pool, settings, fold=fold)
    await send(producer, topic, [1, 2, 3])
    async with running(reader.run()):
        await _folds(pool, ids(1, 2, 3))
        assert _kinds(reader) == []


async def test_connections_that_the_server_ends_cost_nothing(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer, database: str
) -> None:
    admin = await asyncpg.connect(database)
    reader = _reader(pool, settings, max_records=50)
    async with running(reader.run()):
        for first in range(1, 2001, 100):
            await send(producer, topic, range(first, first + 100))
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await eventually(lambda: reader.places[0].next_offset == 2000, within=20)
    await admin.close()
    assert await folded_ids(pool) == ids(*range(1, 2001))


async def test_unreadable_headers_and_empty_values_reach_the_fold_as_they_are(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    seen: list[IncomingRecord] = []

    async def fold(_conn: Connection, records: Sequence[IncomingRecord]) -> None:
        seen.extend(records)

    await producer.send_and_wait(topic, b"\xff\xfe", key=b"\xff", partition=0, headers=[("type", b"\xff")])
    await producer.send_and_wait(topic, None, key=b"k", partition=0, headers=[("a", b"1"), ("a", b"2")])
    await producer.send_and_wait(topic, b"", partition=0)
    await producer.send_and_wait(topic, b"x" * 900_000, partition=0)
    async with running(_reader(pool, settings, fold=fold).run()):
        await eventually(lambda: len(seen) == 4)
    assert [(r.key, r.value if len(r.value or b"") < 10 else len(r.value or b""), r.headers) for r in seen] == [
        (b"\xff", b"\xff\xfe", (("type", b"\xff"),)),
        (b"k", None, (("a", b"1"), ("a", b"2"))),
        (None, b"", ()),
        (None, 900_000, ()),
    ]
    assert seen[0].type is None


async def test_a_record_of_five_megabytes_passes(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    topic = settings.topic(await new_topic("log", max_message_bytes=str(8 * 1024 * 1024)))
    sizes: list[int] = []

    async def fold(_conn: Connection, records: Sequence[IncomingRecord]) -> None:
        sizes.extend(len(r.value or b"") for r in records)

    for size in (10, 5_000_000, 20):
        await producer.send_and_wait(topic, bytes(size), partition=0)
    async with running(_reader(pool, settings, fold=fold).run()):
        await eventually(lambda: sizes == [10, 5_000_000, 20])


async def test_folded_records_are_told_after_the_commit_and_offsets_are_hinted(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    told: list[str | None] = []
    reader = _reader(pool, settings, after_commit=lambda records: told.extend(r.id for r in records))
    await send(producer, topic, [1, 2, 3])
    async with running(reader.run()):
        await eventually(lambda: told == ids(1, 2, 3))
        consumer = reader._fetching.consumer
        assert consumer is not None
        place = next(iter(consumer.assignment()))

        async def hinted() -> bool:
            return bool(await consumer.committed(place) == 3)

        await eventually(hinted)
    async with pool.acquire() as conn:
        assert (await load_all(conn, "reader"))[PartitionKey("log", 0)].next_offset == 3


async def test_kafka_and_topics_that_are_away_at_the_start_are_waited_for(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    reader = _reader(pool, settings)
    async with running(reader.run()):
        await eventually(lambda: reader._fetching.consumer is not None)
        assert not reader.ready
        await new_topic("log")
        await send(producer, settings.topic("log"), [1, 2])
        await _folds(pool, ids(1, 2), within=40)
