"""The tracker's fold without a database: rows in memory, and the same canonical dump."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from contracts.topics import PROVISIONING, REQUESTS
from eventlog.record import IncomingRecord
from services.request_tracker.domain import engine_words, people_words
from services.request_tracker.domain.dump import line
from services.request_tracker.domain.facts import ExclusionFact, Facts, PackageFact, RequestFact, TimelineFact
from services.request_tracker.domain.fold import evolve, keys_of
from services.request_tracker.domain.rows import BatchRow, CustomerRow, Rows, ShardRow, StateRow

_DIGESTS = {PROVISIONING.name: engine_words.digest, REQUESTS.name: people_words.digest}


class Model:
    """Everything that the projection holds, folded group by group."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.requests: dict[str, RequestFact] = {}
        self.timeline: dict[tuple[str, str, str], TimelineFact] = {}
        self.exclusions: list[ExclusionFact] = []
        self.packages: list[PackageFact] = []
        self.skipped: dict[tuple[str, int, str], int] = {}

    def fold(self, records: Sequence[IncomingRecord]) -> None:
        """Fold one group of records, with no more rows at hand than the store would load."""
        facts = Facts()
        for topic, digest in _DIGESTS.items():
            digest([record for record in records if record.topic == topic], facts)
        rows = self._loaded(facts)
        evolve(facts, rows)
        self.rows.batches |= rows.batches
        self.rows.shards |= rows.shards
        self.rows.customers |= rows.customers
        self.rows.states |= rows.states
        for request in facts.requests:
            self.requests.setdefault(request.request, request)
        for event in facts.timeline:
            self.timeline.setdefault((event.request, event.topic, event.event_id), event)
        self.exclusions += facts.exclusions
        self.packages += facts.packages
        for place, n in facts.skipped.items():
            self.skipped[place] = self.skipped.get(place, 0) + n

    def _loaded(self, facts: Facts) -> Rows:
        batches, shards, customers, states = keys_of(facts)
        return Rows(
            {key: self.rows.batches[key] for key in batches if key in self.rows.batches},
            {key: self.rows.shards[key] for key in shards if key in self.rows.shards},
            {key: self.rows.customers[key] for key in customers if key in self.rows.customers},
            {key: self.rows.states[key] for key in states if key in self.rows.states},
        )

    def dump(self) -> list[str]:
        """The lines of the canonical dump, without the positions."""
        return list(self._lines())

    def _lines(self) -> Iterable[str]:
        for _, request in sorted(self.requests.items()):
            yield line("request", request._asdict())
        for _, state in sorted(self.rows.states.items()):
            yield line("request_state", _plain(state))
        for _, shard in sorted(self.rows.shards.items()):
            yield line("shard_count", _plain(shard))
        for _, customer in sorted(self.rows.customers.items()):
            yield line("customer_count", _plain(customer))
        for _, batch in sorted(self.rows.batches.items()):
            yield line("batch", _plain(batch) | {"reasons": batch.reasons})
        for exclusion in sorted(self.exclusions, key=lambda fact: fact[:2]):
            yield line("exclusion", exclusion._asdict())
        for package in sorted(self.packages, key=lambda fact: fact[:2]):
            yield line("package", package._asdict())
        for _, event in sorted(self.timeline.items()):
            yield line("timeline", {name: value for name, value in event._asdict().items() if name != "record_offset"})


def _plain(row: BatchRow | ShardRow | CustomerRow | StateRow) -> dict[str, Any]:
    """A row by its columns' names."""
    values: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        values |= asdict(value) if field.name == "counts" else {field.name: value}
    return values
