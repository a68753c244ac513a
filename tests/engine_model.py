"""What the engine's tables must hold: a pure fold of the directory's records and of the engine's own ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.directory import (
    DirectoryEvent,
    PackageProvisioned,
    PackageRemoved,
    UserPlanAssigned,
    UserPlanUnassigned,
    UserRemoved,
)
from services.provisioning_engine.domain.registers import (
    AssignmentRegisters,
    PackageRegisters,
    effective_package,
    effective_plan,
    with_generated,
    with_move,
    with_package_source,
    with_removal,
    with_source,
)

Key = tuple[str, str, str]
"""Customer, service, and user or plan."""

_STATES = {
    "migration-rejected": "rejected",
    "migration-planning-started": "planning",
    "migration-confirmation-required": "pending-confirmation",
    "migration-pending": "pending-start",
    "migration-started": "running",
    "migration-finished": "finished",
    "migration-ended-by-decline": "declined",
}


@dataclass
class Batch:
    """A batch of an executed request, and its counts once it has finished."""

    customer: str
    service: str
    to_plan: str
    users: list[str]
    finished: Mapping[str, Any] | None = None


@dataclass
class EngineModel:
    """Fold the directory with `take_directory`, and with `take` each shard's documents in order, the shards in any."""

    assignments: dict[Key, AssignmentRegisters] = field(default_factory=dict)
    packages: dict[Key, PackageRegisters] = field(default_factory=dict)
    removed: dict[tuple[str, str], int] = field(default_factory=dict)
    batches: dict[tuple[str, int], Batch] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def take_directory(self, events: Iterable[DirectoryEvent]) -> None:
        """Take what sources report of users and packages."""
        for event in events:
            match event:
                case UserPlanAssigned() | UserPlanUnassigned():
                    plan = event.plan if isinstance(event, UserPlanAssigned) else None
                    key = (event.customer, event.service, event.user)
                    self.assignments[key] = with_source(self._user(key), event.revision, plan)
                case UserRemoved():
                    user = (event.customer, event.user)
                    self.removed[user] = max(event.revision, self.removed.get(user, -1))
                case PackageProvisioned() | PackageRemoved():
                    given = isinstance(event, PackageProvisioned)
                    limit = event.seat_limit if isinstance(event, PackageProvisioned) else None
                    key = (event.customer, event.service, event.plan)
                    known = self.packages.get(key, PackageRegisters())
                    self.packages[key] = with_package_source(known, event.revision, provisioned=given, seat_limit=limit)
                case _:
                    pass

    def take(self, document: Mapping[str, Any]) -> None:
        """Take one event of the engine."""
        kind = document["type"].removeprefix("planshift.provisioning.").removesuffix(".v1")
        data = document["data"]
        if kind in _STATES:
            self.states[data["request"]] = _STATES[kind]
        elif kind == "migration-planned" and data["mode"] == "preview":
            self.states[data["request"]] = "previewed"
        elif kind == "batch-planned" and data["mode"] == "execute":
            batch = Batch(data["customer"], data["service"], data["to_plan"], data["users"])
            self.batches[data["request"], data["batch"]] = batch
        elif kind == "batch-finished":
            self.batches[data["request"], data["batch"]].finished = data
        elif kind == "users-excluded":
            self.excluded[data["request"]] += len(data["users"])
        elif kind == "package-generated":
            key = (data["customer"], data["service"], data["plan"])
            known = self.packages.get(key, PackageRegisters())
            self.packages[key] = with_generated(known, data["revision"], data.get("seat_limit"))
        elif kind.startswith("user-migrat"):
            self._take_user(kind, data)

    def _take_user(self, kind: str, data: Mapping[str, Any]) -> None:
        outcome = kind.removeprefix("user-migration-").removeprefix("user-")
        self.outcomes[data["request"]][outcome] += 1
        if outcome == "migrated":
            key = (data["customer"], data["service"], data["user"])
            self.assignments[key] = with_move(self._user(key), data["revision"], data["to_plan"])

    def _user(self, key: Key) -> AssignmentRegisters:
        return self.assignments.get(key, AssignmentRegisters())

    def plans(self) -> dict[Key, str]:
        """Give the plan of everybody who is on one."""
        found = {}
        for (customer, service, user), known in self.assignments.items():
            plan = effective_plan(with_removal(known, self.removed.get((customer, user), -1)))
            if plan is not None:
                found[customer, service, user] = plan
        return found

    def package_rows(self) -> dict[Key, tuple[bool, int | None, int, int]]:
        """Give (provisioned, seat limit, used, reserved) of every package that has any of it."""
        used = Counter((customer, service, plan) for (customer, service, _), plan in self.plans().items())
        reserved: Counter[Key] = Counter()
        for (request, _), batch in self.batches.items():
            if batch.finished is None and self.states.get(request) != "declined":
                reserved[batch.customer, batch.service, batch.to_plan] += len(batch.users)
        rows = {}
        for key in {*self.packages, *used, *reserved}:
            effective = effective_package(self.packages.get(key, PackageRegisters()))
            row = (effective.provisioned, effective.seat_limit, used[key], reserved[key])
            if any((effective.provisioned, used[key], reserved[key])):
                rows[key] = row
        return rows

    def batch_rows(self) -> dict[tuple[str, int], tuple[str, str, int, int, int]]:
        """Give (state, users, migrated, failed, skipped) of every batch of executed requests."""
        rows = {}
        for (request, number), batch in self.batches.items():
            end = batch.finished or {}
            ended = batch.finished is not None or self.states.get(request) == "declined"
            counts = (end.get("migrated", 0), end.get("failed", 0), end.get("skipped", 0))
            rows[request, number] = ("finished" if ended else "planned", "\n".join(batch.users), *counts)
        return rows
