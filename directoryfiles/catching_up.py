"""Bringing the index up to date from the topic, from where it was read last."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.directory import UserRemoved
from contracts.topics import DIRECTORY
from directoryfiles.facts import digest_of, removal_tail
from directoryfiles.index import Index, Position, Statement
from directoryfiles.reading import Progress, Stage
from directoryfiles.sending import StalledError
from directoryfiles.statements import statement_of
from eventlog.connections import KafkaSettings, make_consumer

_RECORDS_AT_ONCE = 4000
_WAIT_MS = 500
_MOST_QUIET_WAITS = 120


class AnotherTopicError(Exception):
    """The topic isn't the one that the index was made from, although it has its name."""


async def cluster_of(kafka: KafkaSettings) -> str:
    """Give the cluster's id. Raises KafkaError when it can't be reached."""
    admin = AIOKafkaAdminClient(**kafka.client_arguments())
    try:
        await admin.start()
        return str((await admin.describe_cluster()).get("cluster_id"))
    finally:
        await admin.close()


async def catch_up(index: Index, kafka: KafkaSettings, progress: Progress) -> None:
    """Read what the topic has beyond the index. Raises KafkaError when it can't be reached, and StalledError."""
    consumer = make_consumer(kafka)
    await consumer.start()
    try:
        try:
            await _catch_up(index, kafka.topic(DIRECTORY.name), consumer, progress)
        except AnotherTopicError:
            index.clear()
            await _catch_up(index, kafka.topic(DIRECTORY.name), consumer, progress)
    finally:
        await consumer.stop()


async def _catch_up(index: Index, topic: str, consumer: AIOKafkaConsumer, progress: Progress) -> None:
    partitions = [TopicPartition(topic, number) for number in range(DIRECTORY.partitions)]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    positions = await _seek(index, consumer, partitions, ends)
    total = sum(ends[each] - positions[each.partition].next_offset for each in partitions)
    done = quiet = 0
    removed: list[Statement] = []
    while any([await consumer.position(each) < ends[each] for each in partitions]):
        fetched = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_RECORDS_AT_ONCE)
        quiet = 0 if fetched else quiet + 1
        if quiet > _MOST_QUIET_WAITS:
            raise StalledError(f"Kafka has given nothing for {quiet * _WAIT_MS // 1000} seconds.")
        statements: list[Statement] = []
        for partition, records in fetched.items():
            _check_place(positions[partition.partition], records[0])
            for record in records:
                statement = statement_of(record.key, record.value, record.headers)
                if statement is not None:
                    statements.append(statement)
            positions[partition.partition] = Position(records[-1].offset + 1, records[-1].timestamp)
            done += len(records)
        removed += [each for each in statements if not each.present and _is_removed_user(each)]
        index.take(statements, positions)
        progress(Stage.CATCHING_UP, min(done, total), total)
    # Only now: a user's assignments are on other partitions, which may have been read later.
    index.take((), {}, removed)


def _is_removed_user(statement: Statement) -> bool:
    return statement.key.startswith("user/") and statement.digest == digest_of(
        UserRemoved.TYPE, removal_tail(UserRemoved.TYPE, statement.key)
    )


async def _seek(
    index: Index, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], ends: dict[TopicPartition, int]
) -> dict[int, Position]:
    """Go to where the index ends, one record earlier, which tells whether the index was made from this topic."""
    starts = await consumer.beginning_offsets(partitions)
    positions = index.positions()
    for each in partitions:
        known = positions.setdefault(each.partition, Position(starts[each], -1))
        if known.next_offset > ends[each]:
            raise AnotherTopicError
        consumer.seek(each, max(starts[each], known.next_offset - 1))
    return positions


class _Record:
    """What is needed of a client's record."""

    offset: int
    timestamp: int


def _check_place(known: Position, first: _Record) -> None:
    if first.offset == known.next_offset - 1 and first.timestamp != known.last_timestamp:
        raise AnotherTopicError
