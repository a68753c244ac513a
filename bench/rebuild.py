"""The tracker's rebuild from offset 0 (targets.md 4): `python -m bench.rebuild --events 1000000`.

A made-up history goes onto real topics; the tracker folds it live, then anew into an empty schema while the first
answers; both dumps must be the same. With --kafka and --postgres it runs there, else on a local stack of its own.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient

from bench.history import REQUEST, write_history
from bench.stack import say, until
from bench.table import Row, print_rows
from contracts.topics import TOPICS
from eventlog.connections import KafkaSettings
from serving.client import Client, ServiceError, Unreachable
from serving.tokens import new_token, write_secret, write_tokens
from standalone.kafka import create_topics
from standalone.ports import Ports
from standalone.stack import Stack, StackSettings

LEAST_RATE = 60_000
_DEADLINE_S = 900.0
_TRACKER = (sys.executable, "-m", "services.request_tracker.main")


@dataclass(frozen=True)
class Result:
    """What was measured; CPU is of the tracker's process, in microseconds an event."""

    events: int
    live_s: float
    live_cpu_us: float
    rebuild_s: float
    rebuild_cpu_us: float
    same: bool

    @property
    def rate(self) -> float:
        """Events a second of the rebuild."""
        return self.events / self.rebuild_s


@contextlib.asynccontextmanager
async def own_parts() -> AsyncIterator[tuple[str, str]]:
    """Kafka's address and a superuser's URL of Postgres, of a stack that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="planshift-bench-", ignore_cleanup_errors=True) as folder:
        parts = frozenset({"kafka", "postgres"})
        async with Stack(StackSettings(ports=Ports.free(), folder=Path(folder) / "data", parts=parts)) as stack:
            await stack.start(say)
            yield stack.kafka, stack.postgres_url
        stack.erase()


@contextlib.asynccontextmanager
async def fresh(kafka: str, postgres: str) -> AsyncIterator[dict[str, str]]:
    """Topics and a database of the benchmark's own; gives the tracker's environment."""
    name = f"bench_{secrets.token_hex(4)}"
    prefix = f"{name}."
    await create_topics(kafka, TOPICS, prefix=prefix)
    admin = await asyncpg.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    with tempfile.TemporaryDirectory() as folder:
        token, record = new_token("bench", ("read",))
        write_tokens(Path(folder) / "tokens.json", [record])
        write_secret(Path(folder) / "token", token)
        url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
        try:
            yield {
                "PLANSHIFT_KAFKA": kafka,
                "PLANSHIFT_DATABASE_URL": url,
                "PLANSHIFT_TOPIC_PREFIX": prefix,
                "PLANSHIFT_TOKENS_FILE": str(Path(folder) / "tokens.json"),
                "PLANSHIFT_HTTP_PORT": str(Ports.free().tracker),
                "PLANSHIFT_LOG_LEVEL": "WARNING",
            }
        finally:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            await admin.close()
            await _delete_topics(kafka, prefix)


async def _delete_topics(kafka: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic for topic in await admin.list_topics() if topic.startswith(prefix)])
    finally:
        await admin.close()


async def run(events: int, kafka: str, postgres: str) -> Result:
    """Write a history, fold it live, fold it anew, compare."""
    async with fresh(kafka, postgres) as environment:
        say(f"Writing a history of {events:,} users")
        written = await write_history(KafkaSettings(kafka, environment["PLANSHIFT_TOPIC_PREFIX"]), events)
        say("Folding it live")
        live_s, live_cpu_s = await _live(environment)
        live = await _dumped(environment, None)
        say("Rebuilding")
        rebuild_s, rebuild_cpu_s = await _rebuild(environment)
        same = await _dumped(environment, None) == live
        micro = 1_000_000 / written
        return Result(written, live_s, live_cpu_s * micro, rebuild_s, rebuild_cpu_s * micro, same)


async def _live(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and CPU seconds until the service has folded everything."""
    process = await asyncio.create_subprocess_exec(*_TRACKER, "serve", env={**os.environ, **environment})
    token_file = Path(environment["PLANSHIFT_TOKENS_FILE"]).with_name("token")

    async def ended() -> bool:
        with Client(f"http://127.0.0.1:{environment['PLANSHIFT_HTTP_PORT']}", token_file) as tracker:
            try:
                answer = await asyncio.to_thread(tracker.get, f"/v1/requests/{REQUEST}")
            except (ServiceError, Unreachable):
                return False
        counts = answer["counts"]
        assert counts["planned"] == counts["migrated"] + counts["pending"], counts
        return bool(answer["ended"])

    try:
        seconds = await until(ended, _DEADLINE_S)
        times = psutil.Process(process.pid).cpu_times()
        return seconds, times.user + times.system
    finally:
        process.terminate()
        await process.wait()


async def _rebuild(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and CPU seconds of a rebuild, the start of its process included."""
    before, started = os.times(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(*_TRACKER, "rebuild", env={**os.environ, **environment})
    if await process.wait() != 0:
        raise SystemExit("the rebuild failed")
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, cpu_s


async def _dumped(environment: dict[str, str], generation: int | None) -> str:
    """The dump's hash."""
    arguments = ["dump"] if generation is None else ["dump", "--generation", str(generation)]
    process = await asyncio.create_subprocess_exec(
        *_TRACKER, *arguments, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    found = hashlib.sha256()
    assert process.stdout is not None
    while chunk := await process.stdout.read(1 << 20):
        found.update(chunk)
    if await process.wait() != 0:
        raise SystemExit("the dump failed")
    return found.hexdigest()


def rows(result: Result) -> list[Row]:
    """The result as lines of the table."""
    return [
        Row("", "tracker, live, events a second", f"{result.events / result.live_s:,.0f}", "", None),
        Row("", "tracker, live, CPU of its process an event", f"{result.live_cpu_us:.1f} us", "", None),
        Row("", "tracker, rebuild, CPU of its process an event", f"{result.rebuild_cpu_us:.1f} us", "", None),
        Row(
            "4",
            f"rebuild of {result.events:,} events, a second",
            f"{result.rate:,.0f}",
            f">= {LEAST_RATE:,}",
            result.rate >= LEAST_RATE,
        ),
        Row("4", "dump of the rebuilt projection", "same" if result.same else "DIFFERENT", "same", result.same),
    ]


async def _main(events: int, kafka: str | None, postgres: str | None) -> Result:
    if kafka and postgres:
        return await run(events, kafka, postgres)
    async with own_parts() as (own_kafka, own_postgres):
        return await run(events, own_kafka, own_postgres)


def main() -> int:
    """Measure as the command line says; exit code 1 where the dumps differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kafka")
    parser.add_argument("--postgres")
    arguments = parser.parse_args()
    result = asyncio.run(_main(arguments.events, arguments.kafka, arguments.postgres))
    print_rows(rows(result))
    return 0 if result.same else 1


if __name__ == "__main__":
    raise SystemExit(main())
