"""The engine out of its parts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from contracts.topics import DIRECTORY, REQUESTS, SHARDS
from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings, quiet_client_logs
from eventlog.ledger import ensure_shards
from eventlog.migrate import migrate as migrate_schema
from eventlog.quarantine import QuarantinePublisher
from eventlog.reader import Reader, Subscription
from services.provisioning_engine.edges import directory_fold, intake
from services.provisioning_engine.edges.counts import Counts
from services.provisioning_engine.edges.directory_fold import DirectoryFold
from services.provisioning_engine.edges.http import Parts, routes
from services.provisioning_engine.edges.intake import RequestsFold
from services.provisioning_engine.edges.lag import ReaderLag
from services.provisioning_engine.edges.worker import Worker
from services.provisioning_engine.settings import EngineSettings
from serving.app import create_api
from serving.metrics import Metrics
from serving.postgres import Pool, open_pool, probe, retry_while_away
from serving.process import Service

_MIGRATIONS = Path(__file__).parent / "migrations"
_POOL_SIZE = 24
_IDLE_IN_TRANSACTION_S = 3.0
"""Less than a lease's time, so that the locks of an engine that was stopped are free when its successor comes."""
_PLANS = {"plan_cache_mode": "force_custom_plan", "jit": "off"}
"""A plan that was kept since the tables were small costs a hundred times as much once a directory has been imported;
making one anew costs 0.3 ms, and a step has thousands of rows."""


async def bring_up_to_date(pool: Pool) -> list[str]:
    """Apply the migrations that are missing, waiting for Postgres if it is away; gives their names."""

    async def apply() -> list[str]:
        async with pool.acquire() as conn:
            applied = await migrate_schema(conn, schema_folders=[_MIGRATIONS])
            await ensure_shards(conn, SHARDS)
            return applied

    return await retry_while_away(apply)


async def open_engine_pool(settings: EngineSettings, stack: AsyncExitStack, size: int = _POOL_SIZE) -> Pool:
    """Open the engine's connections; a transaction that stands still is ended before a lease would be."""
    return await stack.enter_async_context(
        open_pool(
            settings,
            service="engine",
            max_size=size,
            idle_in_transaction_s=_IDLE_IN_TRANSACTION_S,
            server_settings=_PLANS,
        )
    )


async def build(settings: EngineSettings, stack: AsyncExitStack) -> Service:
    """Build the engine's process."""
    quiet_client_logs()
    pool = await open_engine_pool(settings, stack)
    await bring_up_to_date(pool)
    metrics, alarms = Metrics("engine"), Alarms()
    counts = Counts(metrics)
    kafka = KafkaSettings(settings.kafka, settings.topic_prefix, client_id=f"planshift-engine/{settings.instance}")
    owner = f"{settings.instance}-{secrets.token_hex(4)}"
    worker = Worker(pool, kafka, owner, counts, alarms, concurrency=settings.concurrency)
    lag = ReaderLag(
        kafka, settings.paced_by, least=settings.ahead_records, ahead_s=settings.ahead_s, changed=worker.wake
    )
    worker.may_append = lambda: lag.allows
    quarantine = QuarantinePublisher(pool, kafka)
    readers = _readers(pool, kafka, counts, alarms, settings, quarantine)
    metrics.gauge_function("unsent", "events that Kafka has not acknowledged", lambda: _unsent(worker))
    metrics.gauge_function("shards", "shards that this process owns", lambda: len(worker.shards))

    async def readiness() -> Sequence[str]:
        waiting = [reader for reader in readers if not reader.ready]
        return [*await probe(pool), *("a reader has no place yet, or Kafka is away" for _ in waiting[:1])]

    app = create_api(
        "Planshift provisioning engine",
        "1.0.0",
        settings,
        metrics=metrics,
        readiness=readiness,
        description="Plans requests, generates missing packages and migrates every user.",
    )
    app.include_router(routes(Parts(pool, kafka, worker, readers, lag, alarms)))
    tasks = {
        "directory reader": readers[0].run,
        "requests reader": readers[1].run,
        "quarantine": quarantine.run,
        "readers' lag": lag.run,
        "worker": worker.run,
    }
    return Service(app, tasks)


def _readers(
    pool: Pool,
    kafka: KafkaSettings,
    counts: Counts,
    alarms: Alarms,
    settings: EngineSettings,
    quarantine: QuarantinePublisher,
) -> list[Reader]:
    directory = Reader(
        pool,
        kafka,
        directory_fold.READER,
        [Subscription(DIRECTORY.name)],
        DirectoryFold(counts),
        max_records=settings.fold_records,
        alarms=alarms,
        after_commit=lambda *_: quarantine.wake(),
    )
    requests = Reader(
        pool,
        kafka,
        intake.READER,
        [Subscription(REQUESTS.name, sequenced=True, mark=intake.WIZARD_MARK)],
        RequestsFold(counts),
        max_records=200,
        alarms=alarms,
        after_commit=lambda *_: quarantine.wake(),
    )
    return [directory, requests]


def _unsent(worker: Worker) -> int:
    return sum(shard.relay.unsent for shard in worker.shards)
