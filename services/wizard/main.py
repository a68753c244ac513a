"""The wizard's process: `serve` runs it, `check` checks its settings, `migrate` brings its database up to date."""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import Counter

from contracts.topics import DIRECTORY, PROVISIONING, REQUEST_PARTITIONS
from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings, quiet_client_logs
from eventlog.ledger import ensure_shards
from eventlog.migrate import migrate as migrate_schema
from eventlog.reader import Reader, Subscription
from services.wizard.edges import draft_store, http_directory, http_drafts, http_migrations
from services.wizard.edges.access import Parts
from services.wizard.edges.directory_fold import DirectoryFold
from services.wizard.edges.directory_store import DIRECTORY_READER, PROVISIONING_READER
from services.wizard.edges.provisioning_fold import WANTED_TYPES, ProvisioningFold
from services.wizard.edges.relaying import Relaying
from services.wizard.settings import WizardSettings
from serving import idempotency
from serving.app import Api, Readiness, create_api
from serving.metrics import Metrics
from serving.postgres import Pool, open_pool, probe, retry_while_away
from serving.process import EXIT_DONE, EXIT_WRONG_CALL, Service, run
from serving.settings import BadSettings

_MIGRATIONS = Path(__file__).parent / "migrations"
_POOL_SIZE = 16
_IDLE_S = 3.0
"""As the event log wants it: the locks of a process that was stopped are free before its leases end."""
_JANITOR_S = 60.0


async def bring_up_to_date(pool: Pool) -> list[str]:
    """Apply the migrations that are missing, waiting for Postgres if it is away; gives their names."""

    async def apply() -> list[str]:
        async with pool.acquire() as conn:
            applied = await migrate_schema(conn, schema_folders=[idempotency.MIGRATIONS, _MIGRATIONS])
            await ensure_shards(conn, REQUEST_PARTITIONS)
            return applied

    return await retry_while_away(apply)


class _View:
    """The two readers that keep the view."""

    def __init__(self, pool: Pool, kafka: KafkaSettings, settings: WizardSettings, skipped: Counter) -> None:
        def on_skipped(reason: str) -> None:
            skipped.labels(reason).inc()

        self.alarms = Alarms()
        self.directory = Reader(
            pool,
            kafka,
            DIRECTORY_READER,
            [Subscription(DIRECTORY.name)],
            DirectoryFold(on_skipped),
            max_records=settings.fold_records,
            alarms=self.alarms,
        )
        self.provisioning = Reader(
            pool,
            kafka,
            PROVISIONING_READER,
            [Subscription(PROVISIONING.name, sequenced=True)],
            ProvisioningFold(on_skipped),
            wanted_types=WANTED_TYPES,
            max_records=settings.fold_records,
            alarms=self.alarms,
        )

    def seconds_behind(self) -> float:
        """Age of what is folded, in the older of both topics."""
        return max(self.directory.seconds_behind, self.provisioning.seconds_behind)

    def lag(self) -> int:
        """Records that wait to be folded."""
        return self.directory.lag + self.provisioning.lag

    def reasons(self) -> list[str]:
        """Why the view can't be relied on at the moment."""
        waiting = [name for name in ("directory", "provisioning") if not getattr(self, name).ready]
        return [f"the view doesn't follow {name}.events" for name in waiting]


async def build(settings: WizardSettings, stack: AsyncExitStack) -> Service:
    """Build the wizard out of its parts."""
    quiet_client_logs()
    pool = await stack.enter_async_context(
        open_pool(settings, service="wizard", max_size=_POOL_SIZE, idle_in_transaction_s=_IDLE_S)
    )
    metrics = Metrics("wizard")
    kafka = KafkaSettings(settings.kafka, settings.topic_prefix, client_id=f"planshift-wizard/{settings.instance}")
    skipped = metrics.counter("records_skipped", "records that the view counted and did not fold", ["reason"])
    view = _View(pool, kafka, settings, skipped)
    relaying = Relaying(pool, kafka, f"{settings.instance}-{secrets.token_hex(4)}", view.alarms)
    _measure(metrics, view, relaying)
    parts = Parts(pool, settings.tracker_url, relaying.wake, view.seconds_behind, view.lag)

    schema = asyncio.Event()

    async def readiness() -> Sequence[str]:
        waiting = [] if schema.is_set() else ["the database is not up to date yet"]
        return [*await probe(pool), *waiting, *view.reasons()]

    def when_up_to_date(run_part: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def run_later() -> None:
            await schema.wait()
            await run_part()

        return run_later

    tasks = {
        "directory reader": when_up_to_date(view.directory.run),
        "provisioning reader": when_up_to_date(view.provisioning.run),
        "relays": when_up_to_date(relaying.run),
        "database": lambda: _look_after(pool, schema),
    }
    return Service(_app(settings, metrics, readiness, parts), tasks)


def _measure(metrics: Metrics, view: _View, relaying: Relaying) -> None:
    metrics.gauge_function("view_seconds_behind", "age of what the view has folded", view.seconds_behind)
    metrics.gauge_function("view_records_behind", "records that the view has not folded", view.lag)
    metrics.gauge_function(
        "alarms_standing", "alarms that an operator has to look at", lambda: len(view.alarms.standing)
    )
    metrics.gauge_function(
        "requests_unsent", "events of requests that Kafka has not acknowledged", lambda: relaying.unsent
    )


def _app(settings: WizardSettings, metrics: Metrics, readiness: Readiness, parts: Parts) -> Api:
    app = create_api(
        "Planshift wizard",
        "1.0.0",
        settings,
        metrics=metrics,
        readiness=readiness,
        description="Choices of a person, or of another system, become one migration request.",
    )
    for router in (
        http_directory.catalogue_routes(parts),
        http_directory.customer_routes(parts),
        *http_drafts.routes(parts),
        *http_migrations.routes(parts),
    ):
        app.include_router(router)
    return app


async def _look_after(pool: Pool, schema: asyncio.Event) -> None:
    """Bring the database up to date, then forget once in a while what nobody will ask for again."""
    await bring_up_to_date(pool)
    schema.set()

    async def forget() -> None:
        async with pool.acquire() as conn:
            await draft_store.forget_ended(conn)
            await idempotency.forget(conn)

    while True:
        await retry_while_away(forget)
        await asyncio.sleep(_JANITOR_S)


async def _migrate(settings: WizardSettings) -> None:
    async with open_pool(settings, service="wizard-migrate", max_size=1) as pool:
        for name in await bring_up_to_date(pool):
            sys.stdout.write(f"applied {name}\n")


def main(arguments: Sequence[str]) -> int:
    """Run the command; gives the exit code."""
    match arguments:
        case ["serve" | "check"]:
            return run("wizard", WizardSettings, build)
        case ["migrate"]:
            try:
                asyncio.run(_migrate(WizardSettings.load()))
            except BadSettings as bad:
                sys.stderr.write(f"planshift wizard: wrong settings: {'; '.join(bad.problems)}\n")
                return EXIT_WRONG_CALL
            return EXIT_DONE
        case _:
            sys.stderr.write("usage: python -m services.wizard.main serve | migrate | check\n")
            return EXIT_WRONG_CALL


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
