"""Puts the tracker together: projection, ends of the topics, and the routes that answer from them."""

from contextlib import AsyncExitStack

from prometheus_client import REGISTRY

from eventlog.connections import quiet_client_logs
from services.request_tracker.edges import http_events, http_operations, http_requests, http_users
from services.request_tracker.edges.behind import Ends
from services.request_tracker.edges.kafka_places import KafkaPlaces
from services.request_tracker.edges.projection import Projection
from services.request_tracker.edges.rebuild_process import RebuildProcess
from services.request_tracker.settings import TrackerSettings
from serving.app import create_api
from serving.metrics import Metrics
from serving.postgres import probe
from serving.problems import Problem
from serving.process import Service

VERSION = "1.0.0"


async def build(settings: TrackerSettings, stack: AsyncExitStack) -> Service:
    """Make the service; nothing of it waits for Kafka or Postgres."""
    quiet_client_logs()
    ends = Ends(settings.kafka_settings)
    projection = Projection(settings, ends)
    places = KafkaPlaces(settings.kafka_settings)
    rebuilds = RebuildProcess(projection)
    stack.push_async_callback(places.close)
    stack.push_async_callback(rebuilds.stop)
    metrics = Metrics("tracker")
    _measure(metrics, projection)

    async def readiness() -> list[str]:
        return await _reasons(projection, ends)

    app = create_api("Planshift request tracker", VERSION, settings, metrics=metrics, readiness=readiness)
    app.include_router(http_requests.routes(projection, live_tick_s=settings.live_tick_s))
    app.include_router(http_users.routes(projection))
    app.include_router(http_events.routes(projection, places))
    app.include_router(http_operations.routes(projection, ends, rebuilds))
    return Service(app, tasks={"projection": projection.run, "ends": ends.run})


async def _reasons(projection: Projection, ends: Ends) -> list[str]:
    """Why the tracker can't answer or fold at the moment."""
    try:
        reasons = await probe(projection.pool)
    except Problem as problem:
        reasons = [problem.detail]
    if not all(reader.ready for reader in projection.readers):
        reasons.append("Topics aren't being read.")
    if ends.latest is None:
        reasons.append("Kafka doesn't say where the topics end.")
    return reasons


def _measure(metrics: Metrics, projection: Projection) -> None:
    """The event log's own metrics, and how far behind the readers are."""
    for name in list(REGISTRY._collector_to_names):  # noqa: SLF001 - there is no public way to list collectors
        if any(one.startswith("eventlog_") for one in REGISTRY._collector_to_names[name]):  # noqa: SLF001
            metrics.registry.register(name)
    metrics.gauge_function(
        "lag_records", "records not folded yet", lambda: float(sum(reader.lag for reader in projection.readers))
    )
    metrics.gauge_function(
        "behind_seconds",
        "age of what is folded",
        lambda: max((reader.seconds_behind for reader in projection.readers), default=0.0),
    )
    metrics.gauge_function(
        "alarms", "alarms that stand, sequence alarms among them", lambda: float(len(projection.alarms.standing))
    )
