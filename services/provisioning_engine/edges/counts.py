"""What the engine counts for its operators."""

from __future__ import annotations

from serving.metrics import Metrics


class Counts:
    """Counters of a process; every name gets the prefix `planshift_`."""

    def __init__(self, metrics: Metrics) -> None:
        self.quarantined = metrics.counter("quarantined", "records put into quarantine", ("topic", "reason"))
        self.unknown_types = metrics.counter("unknown_types", "events of ours of a type not known here", ("topic",))
        self.duplicates = metrics.counter("duplicate_events", "events read again with the same content", ("topic",))
        self.steps = metrics.counter("steps", "transactions of work", ("kind",))
        self.planned = metrics.counter("users_planned", "users put into batches")
        self.ended = metrics.counter("users_ended", "users whose attempt ended", ("outcome",))
        self.step_errors = metrics.counter("step_errors", "steps that failed and are tried again", ("kind",))
        self.step_seconds = metrics.histogram("step_seconds", "time of a step", ("kind",))
