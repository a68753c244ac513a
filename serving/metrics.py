"""A service's own Prometheus registry, and the metrics of its HTTP edge."""

from collections.abc import Callable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the exposition and nobody reads them
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One registry per service process; every name gets the prefix `planshift_`."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """Add a count that only grows; Prometheus' `_total` is added to the name."""
        return Counter(name, text, labels, namespace="planshift", registry=self.registry)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """Add a value that goes up and down."""
        return Gauge(name, text, labels, namespace="planshift", registry=self.registry)

    def gauge_function(self, name: str, text: str, read: Callable[[], float]) -> Gauge:
        """Add a value that is read at each scrape."""
        gauge = self.gauge(name, text)
        gauge.set_function(read)
        return gauge

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS
    ) -> Histogram:
        """Add a distribution; the buckets' upper bounds are seconds unless the name says otherwise."""
        return Histogram(name, text, labels, namespace="planshift", buckets=buckets, registry=self.registry)

    def exposition(self) -> bytes:
        """Give everything in Prometheus' text format."""
        return generate_latest(self.registry)


class HttpMetrics:
    """Requests by method, route template and status: never by path, which would make a series per user."""

    def __init__(self, metrics: Metrics) -> None:
        labels = ("method", "route", "status")
        self._seconds = metrics.histogram("http_request_seconds", "time from request to the end of the answer", labels)
        self._running = metrics.gauge("http_requests_running", "requests being answered at this moment")

    def began(self) -> None:
        """Count a request in."""
        self._running.inc()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request out."""
        self._running.dec()
        self._seconds.labels(method, route, str(status)).observe(seconds)
