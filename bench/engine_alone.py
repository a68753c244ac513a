"""The engine without the other services: `python -m bench.engine_alone --users 200000`.

A made-up directory and one request go onto real topics. CPU is of the engine's process and of its Postgres
backends, so that the figures mean something on a machine that others use, too. With --kafka and --postgres it runs
there, else on a local stack of its own.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import psutil

from bench.history import Log
from bench.rebuild import fresh, own_parts
from bench.stack import say, until
from bench.table import Row, print_rows
from contracts import directory as facts
from contracts import requests as asked
from contracts.codec import TOPIC_BY_TYPE, encode, headers_for
from contracts.envelope import IMPORT_SOURCE, wrap
from contracts.topics import TOPICS
from eventlog.connections import KafkaSettings, make_producer
from eventlog.partitions import partition_of

LEAST_RATE = 50_000
REQUEST = "bench-engine"
_ENGINE = (sys.executable, "-m", "services.provisioning_engine.main", "serve")
_DEADLINE_S = 900.0
_TIME = datetime(2026, 3, 1, 9, tzinfo=UTC)
_PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}


@dataclass(frozen=True)
class Phase:
    """What one phase took: seconds, and CPU seconds of the engine and of its backends."""

    seconds: float
    engine_s: float
    postgres_s: float

    def row(self, what: str, users: int, least: int = 0) -> Row:
        """Give the phase as a line of the table."""
        engine, postgres = (round(cpu_s * 1e6 / users, 1) for cpu_s in (self.engine_s, self.postgres_s))
        rate = users / self.seconds
        value = f"{rate:,.0f}/s ({engine} + {postgres} us CPU)"
        return Row("", what, value, f"{least:,}/s" if least else "", rate >= least if least else None)


class Meter:
    """Reads clocks: the wall's, the engine's, and those of the backends of its database."""

    def __init__(self, engine: int, conn: Any) -> None:  # noqa: ANN401 - a connection
        self._engine = psutil.Process(engine)
        self._conn = conn

    async def during(self, work: Callable[[], Awaitable[object]]) -> Phase:
        """Measure some work."""
        before, started = await self._cpu_s(), time.perf_counter()
        await work()
        seconds, after = time.perf_counter() - started, await self._cpu_s()
        return Phase(seconds, after[0] - before[0], after[1] - before[1])

    async def _cpu_s(self) -> tuple[float, float]:
        pids = await self._conn.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return _spent_s(self._engine), sum(_spent_s(psutil.Process(row["pid"])) for row in pids)


def _spent_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def run(users: int, of_a_customer: int, kafka: str, postgres: str) -> list[Row]:
    """Let the engine fold a directory, plan and execute; gives the table."""
    async with fresh(kafka, postgres) as environment:
        say(f"Writing a directory of {users:,} users")
        topics = KafkaSettings(kafka, environment["PLANSHIFT_TOPIC_PREFIX"])
        ends = await _publish(topics, _directory(users, of_a_customer))
        process = await asyncio.create_subprocess_exec(*_ENGINE, env={**os.environ, **environment})
        try:
            conn = await asyncpg.connect(environment["PLANSHIFT_DATABASE_URL"])
            try:
                return await _measure(users, topics, ends, Meter(process.pid, conn), conn)
            finally:
                await conn.close()
        finally:
            process.terminate()
            await process.wait()


async def _measure(users: int, topics: KafkaSettings, ends: dict[str, int], meter: Meter, conn: Any) -> list[Row]:  # noqa: ANN401
    await until(lambda: _has_tables(conn), 30)

    async def is_folded() -> bool:
        rows = await conn.fetch("SELECT partition, next_offset FROM reader_position WHERE topic = 'directory.events'")
        reached = {str(row["partition"]): row["next_offset"] for row in rows}
        return all(reached.get(partition, 0) >= end for partition, end in ends.items())

    async def in_state(*states: str) -> bool:
        return await conn.fetchval("SELECT state FROM request WHERE request = $1", REQUEST) in states

    async def is_published() -> bool:
        return bool(await conn.fetchval("SELECT bool_and(cursor = next_sequence) FROM shard"))

    say("Folding the directory")
    folding = await meter.during(lambda: until(is_folded, _DEADLINE_S))
    say("Planning")
    await _publish(topics, [_request()])
    planning = await meter.during(lambda: until(lambda: in_state("running", "finished"), _DEADLINE_S))
    say("Executing")
    executing = await meter.during(lambda: until(lambda: in_state("finished"), _DEADLINE_S))
    publishing = await meter.during(lambda: until(is_published, _DEADLINE_S))
    whole = Phase(*(a + b for a, b in zip(_fields(executing), _fields(publishing), strict=True)))
    moved = await conn.fetchval("SELECT count(*) FROM assignment WHERE plan = 'gold'")
    assert moved == users, f"{moved:,} of {users:,} users are on gold"
    return [
        folding.row("engine: folding the directory, users", users),
        planning.row("engine: planning", users),
        whole.row("engine: executing until all is published", users, LEAST_RATE),
    ]


def _fields(phase: Phase) -> tuple[float, float, float]:
    return phase.seconds, phase.engine_s, phase.postgres_s


async def _has_tables(conn: Any) -> bool:  # noqa: ANN401 - a connection
    return bool(await conn.fetchval("SELECT to_regclass('request') IS NOT NULL"))


def _directory(users: int, of_a_customer: int) -> Iterator[facts.DirectoryEvent]:
    """Give a service with two plans, and customers of whom every other one has the destination package."""
    yield facts.ServiceDefined(revision=1, service="mail", name="Hosted Exchange")
    for plan in ("silver", "gold"):
        yield facts.UserPlanDefined(revision=1, service="mail", plan=plan, name=plan.title(), default_seat_limit=10)
    for number in range(users):
        customer = f"customer-{number // of_a_customer:06}"
        if number % of_a_customer == 0:
            yield facts.CustomerRegistered(revision=1, customer=customer, reseller="provider", name=customer)
            if number // of_a_customer % 2:
                yield facts.PackageProvisioned(revision=1, customer=customer, service="mail", plan="gold")
        yield facts.UserPlanAssigned(
            revision=1, customer=customer, user=f"user-{number:07}", service="mail", plan="silver"
        )


def _request() -> asked.MigrationRequested:
    return asked.MigrationRequested(
        request=REQUEST,
        name="Benchmark",
        service="mail",
        mappings=(asked.Mapping(from_plan="silver", to_plan="gold"),),
        selection=asked.Selection(all_customers=True, all_users=True),
        generate_missing_packages=True,
        requested_by="bench",
    )


async def _publish(kafka: KafkaSettings, events: Any) -> dict[str, int]:  # noqa: ANN401 - any of the contracts' models
    """Write events in full batches; gives the next offset of each partition that was written to."""
    producer = make_producer(kafka)
    await producer.start()
    logs: dict[tuple[str, int], Log] = {}
    try:
        for number, event in enumerate(events):
            topic, key = TOPIC_BY_TYPE[event.TYPE], event.key()
            place = (topic, partition_of(key, _PARTITIONS[topic]))
            if place not in logs:
                logs[place] = Log(producer, kafka.topic(topic), place[1])
            envelope = wrap(event, event_id=f"{event.TYPE}/{number}", source=IMPORT_SOURCE, time=_TIME)
            await logs[place].append_bytes(key.encode(), encode(envelope), headers_for(envelope))
        for log in logs.values():
            await log.send()
    finally:
        await producer.stop()
    return {str(partition): log.sequence for (_, partition), log in logs.items()}


async def _main(users: int, of_a_customer: int, kafka: str | None, postgres: str | None) -> list[Row]:
    if kafka and postgres:
        return await run(users, of_a_customer, kafka, postgres)
    async with own_parts() as (own_kafka, own_postgres):
        return await run(users, of_a_customer, own_kafka, own_postgres)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--of-a-customer", type=int, default=50)
    parser.add_argument("--kafka")
    parser.add_argument("--postgres")
    given = parser.parse_args()
    print_rows(asyncio.run(_main(given.users, given.of_a_customer, given.kafka, given.postgres)))


if __name__ == "__main__":
    main()
