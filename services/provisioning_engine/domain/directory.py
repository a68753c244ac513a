"""Directory events, grouped into the rows that one transaction writes: of each entity the one that wins."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, assert_never

from contracts.directory import (
    CustomerRegistered,
    CustomerRemoved,
    DirectoryEvent,
    PackageProvisioned,
    PackageRemoved,
    ResellerRegistered,
    ServiceDefined,
    UserPlanAssigned,
    UserPlanDefined,
    UserPlanUnassigned,
    UserRegistered,
    UserRemoved,
)

Key = tuple[str, ...]
Rank = tuple[Any, ...]


@dataclass
class Entities:
    """The winner of each entity: its key and its rank. A rank starts with the revision and holds the content.

    Ranks compare as the database compares them, so the winner here would have won there, too. Names of people and
    things stay out: the engine has no use for them.
    """

    resellers: dict[Key, Rank] = field(default_factory=dict)
    customers: dict[Key, Rank] = field(default_factory=dict)
    services: dict[Key, Rank] = field(default_factory=dict)
    plans: dict[Key, Rank] = field(default_factory=dict)
    packages: dict[Key, Rank] = field(default_factory=dict)
    assignments: dict[Key, Rank] = field(default_factory=dict)
    removals: dict[Key, Rank] = field(default_factory=dict)


def gather(events: Iterable[DirectoryEvent]) -> Entities:
    """Give the winners among these events."""
    found = Entities()
    for event in events:
        _take(found, event)
    return found


def _take(found: Entities, event: DirectoryEvent) -> None:  # noqa: C901 - one flat case for each event
    match event:
        case UserPlanAssigned():
            _win(found.assignments, (event.customer, event.service, event.user), (event.revision, event.plan))
        case UserPlanUnassigned():
            _win(found.assignments, (event.customer, event.service, event.user), (event.revision, ""))
        case UserRegistered():
            pass
        case UserRemoved():
            _win(found.removals, (event.customer, event.user), (event.revision,))
        case PackageProvisioned():
            limit = -1 if event.seat_limit is None else event.seat_limit
            _win(found.packages, (event.customer, event.service, event.plan), (event.revision, True, limit))
        case PackageRemoved():
            _win(found.packages, (event.customer, event.service, event.plan), (event.revision, False, -1))
        case CustomerRegistered():
            _win(found.customers, (event.customer,), (event.revision, False, event.active, event.reseller))
        case CustomerRemoved():
            _win(found.customers, (event.customer,), (event.revision, True, False, ""))
        case ResellerRegistered():
            _win(found.resellers, (event.reseller,), (event.revision, event.active, event.parent or ""))
        case ServiceDefined():
            options = json.dumps(event.connector.options, sort_keys=True)
            _win(found.services, (event.service,), (event.revision, event.connector.name, options))
        case UserPlanDefined():
            limit = -1 if event.default_seat_limit is None else event.default_seat_limit
            _win(found.plans, (event.service, event.plan), (event.revision, event.active, limit))
        case _ as impossible:
            assert_never(impossible)


def _win(entities: dict[Key, Rank], key: Key, rank: Rank) -> None:
    known = entities.get(key)
    if known is None or known < rank:
        entities[key] = rank
