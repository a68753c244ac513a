"""A reader whose fold fails, whose servers go away, or whose records are odd."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from eventlog.connections import KafkaSettings
from eventlog.database import Connection, Pool
from eventlog.positions import PartitionKey, load_all
from eventlog.record import IncomingRecord
from tests.integration.eventlog.conftest import NewTopicOf
from tests.integration.eventlog.readers import alarm_kinds, all_folded, reader_of
from tests.integration.eventlog.records import fold_ids, folded_ids, ids, running, send
from tests.waiting import eventually


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

    reader = reader_of(pool, settings, fold=fold)
    await send(producer, topic, [1, 2, 3], prefix="bad", partition=0)
    async with running(reader.run()):
        await eventually(lambda: alarm_kinds(reader) == ["poison"])
        await send(producer, topic, [1, 2, 3], partition=1)
        await all_folded(pool, ids(1, 2, 3))
        await eventually(lambda: attempts[0] >= 2)
        assert attempts[0] < 10
        spoilt[0] = False
        await all_folded(pool, [*ids(1, 2, 3), *ids(1, 2, 3, prefix="bad")])
        await eventually(lambda: alarm_kinds(reader) == [])


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

    reader = reader_of(pool, settings, fold=fold)
    await send(producer, topic, [1, 2, 3])
    async with running(reader.run()):
        await all_folded(pool, ids(1, 2, 3))
        assert alarm_kinds(reader) == []


async def test_connections_that_the_server_ends_cost_nothing(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer, database: str
) -> None:
    admin = await asyncpg.connect(database)
    reader = reader_of(pool, settings, max_records=50)
    async with running(reader.run()):
        for first in range(1, 2001, 100):
            await send(producer, topic, range(first, first + 100))
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await eventually(lambda: reader.places[0].next_offset == 2000, within=60)
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
    async with running(reader_of(pool, settings, fold=fold).run()):
        await eventually(lambda: len(seen) == 4)
    assert [(r.key, r.value if len(r.value or b"") < 10 else len(r.value or b""), r.headers) for r in seen] == [
        (b"\xff", b"\xff\xfe", (("type", b"\xff"),)),
        (b"k", None, (("a", b"1"), ("a", b"2"))),
        (None, b"", ()),
        (None, 900_000, ()),
    ]
    assert seen[0].type is None


class _BadName(str):
    """A header name that no client of good manners would send."""

    __slots__ = ()

    def encode(self, *_args: object) -> bytes:
        return b"\xff\xfe"


@pytest.mark.parametrize("compression", [0, 3, 4])
async def test_a_header_name_that_is_not_utf8_stops_nothing(
    pool: Pool, settings: KafkaSettings, topic: str, compression: int
) -> None:
    seen: list[IncomingRecord] = []

    async def fold(_conn: Connection, records: Sequence[IncomingRecord]) -> None:
        seen.extend(records)

    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap)
    await producer.start()
    await producer.send_and_wait(topic, b"before", partition=0)
    batch = producer.create_batch()
    batch._builder = _DefaultRecordBatchBuilderPy(
        2, compression, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=10_000
    )
    for value, name in ((b"good", "fine"), (b"bad", _BadName("x")), (b"good too", "fine")):
        batch.append(timestamp=1, key=b"k", value=value, headers=[(name, b"v")])
    await asyncio.wait_for(await producer.send_batch(batch, topic, partition=0), 10)
    await producer.send_and_wait(topic, b"after", partition=0)
    await producer.stop()
    async with running(reader_of(pool, settings, fold=fold).run()):
        await eventually(lambda: [r.value for r in seen] == [b"before", b"good", b"bad", b"good too", b"after"])
    assert seen[2].headers == (("\\xff\\xfe", b"v"),)


async def test_a_record_of_five_megabytes_passes(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    topic = settings.topic(await new_topic("log", max_message_bytes=str(8 * 1024 * 1024)))
    sizes: list[int] = []

    async def fold(_conn: Connection, records: Sequence[IncomingRecord]) -> None:
        sizes.extend(len(r.value or b"") for r in records)

    for size in (10, 5_000_000, 20):
        await producer.send_and_wait(topic, bytes(size), partition=0)
    async with running(reader_of(pool, settings, fold=fold).run()):
        await eventually(lambda: sizes == [10, 5_000_000, 20])


async def test_folded_records_are_told_after_the_commit_and_offsets_are_hinted(
    pool: Pool, settings: KafkaSettings, topic: str, producer: AIOKafkaProducer
) -> None:
    told: list[str | None] = []
    reader = reader_of(pool, settings, after_commit=lambda records: told.extend(r.id for r in records))
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
    reader = reader_of(pool, settings)
    async with running(reader.run()):
        await eventually(lambda: reader._fetching.consumer is not None)
        assert not reader.ready
        await new_topic("log")
        await send(producer, settings.topic("log"), [1, 2])
        await all_folded(pool, ids(1, 2), within=40)
