"""What can't be read is kept whole, published, and can be sent again."""

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from eventlog.connections import KafkaSettings
from eventlog.database import Connection, Pool
from eventlog.quarantine import QuarantinePublisher, get, list_page, put, replay
from eventlog.reader import Reader, Subscription
from eventlog.record import IncomingRecord
from tests.integration.eventlog.conftest import NewTopicOf
from tests.integration.eventlog.records import read_topic, running
from tests.waiting import eventually

BAD = IncomingRecord(
    "log", 2, 40, 1234, b"\xff key", b"\xff\x00 value", (("a\x00b", b"\xff"), ("type", b"t")), "t", None, None
)


async def test_a_record_is_kept_once_and_whole(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await put(conn, BAD, "not-json", "line 1,\x00\ncolumn 2")
        await put(conn, BAD, "not-json", "again")
        await put(conn, BAD._replace(offset=41, key=None, value=None, headers=()), "empty", "x" * 9_000)
        first, second = await list_page(conn)
        assert (first.topic, first.partition, first.offset, first.key, first.value, first.headers) == (
            "log",
            2,
            40,
            BAD.key,
            BAD.value,
            BAD.headers,
        )
        assert (first.reason, first.detail, first.published) == ("not-json", "line 1,  column 2", False)
        assert (second.key, second.value, len(second.detail)) == (None, None, 2_000)
        assert await get(conn, second.id) == second
        assert await get(conn, 999) is None
        assert await list_page(conn, after_id=first.id, limit=1) == [second]
        assert await list_page(conn, after_id=second.id) == []


async def test_the_publisher_sends_them_in_order_with_where_they_came_from(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf
) -> None:
    await new_topic("quarantine")
    async with pool.acquire() as conn:
        for offset in range(25):
            await put(conn, BAD._replace(offset=offset), "not-json", "why")
    publisher = QuarantinePublisher(pool, settings, topic="quarantine", poll_s=0.05)

    async def all_marked() -> bool:
        return bool(await pool.fetchval("SELECT bool_and(published) FROM quarantine"))

    async with running(publisher.run()):
        await eventually(all_marked)
        async with pool.acquire() as conn:
            await put(conn, BAD._replace(offset=25, value=None), "empty", "why")
        publisher.wake()
        await eventually(all_marked)
    records = await read_topic(settings, "quarantine")
    assert [record.key for record in records] == [b"log/2/%d" % offset for offset in range(26)]
    assert [record.value for record in records] == [BAD.value] * 25 + [None]
    assert records[3].headers == (
        *BAD.headers,
        ("planshift-reason", b"not-json"),
        ("planshift-detail", b"why"),
        ("planshift-topic", b"log"),
        ("planshift-partition", b"2"),
        ("planshift-offset", b"3"),
    )


async def test_a_reader_quarantines_in_its_fold_and_goes_on_and_a_replay_brings_the_record_back(
    pool: Pool, settings: KafkaSettings, new_topic: NewTopicOf, producer: AIOKafkaProducer
) -> None:
    topic = settings.topic(await new_topic("log", 3))
    good: list[bytes | None] = []

    async def fold(conn: Connection, records: Sequence[IncomingRecord]) -> None:
        for record in records:
            if record.value == b"bad":
                await put(conn, record, "bad", "as it says")
            else:
                good.append(record.value)

    for value in (b"one", b"bad", b"two"):
        await producer.send_and_wait(topic, value, key=b"k", partition=1, headers=[("h", b"\x01")])
    async with running(Reader(pool, settings, "reader", [Subscription("log")], fold).run()):
        await eventually(lambda: good == [b"one", b"two"])
    async with pool.acquire() as conn:
        (kept,) = await list_page(conn)
    again = await replay(pool, settings, kept.id, by="an operator")
    assert again is not None
    assert again.replayed_at is not None
    assert again.replayed_by == "an operator"
    original, copy = (r for r in await read_topic(settings, "log", 1) if r.value == b"bad")
    assert copy._replace(offset=0, timestamp_ms=0) == original._replace(offset=0, timestamp_ms=0)
    assert await replay(pool, settings, 999, by="an operator") is None
