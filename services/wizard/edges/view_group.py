"""Records of one fold, decoded and reduced to the newest word per entity, before anything goes to Postgres."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from contracts.codec import UnknownTypeFromKnownSourceError, UnreadableError, decode
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
from contracts.envelope import AnyEnvelope
from eventlog.record import IncomingRecord

Pair = tuple[str, str]
Triple = tuple[str, str, str]
Key = TypeVar("Key")
Row = TypeVar("Row", bound=tuple[object, ...])

OnSkipped = Callable[[str], None]
"""Called with the reason of each record that is counted and not folded."""


def decoded(record: IncomingRecord, on_skipped: OnSkipped) -> AnyEnvelope | None:
    """Read a record, or tell why not: the engine quarantines what can't be read, other readers count it."""
    try:
        return decode(record.topic, record.key, record.value, record.headers)
    except UnreadableError as error:
        on_skipped(error.reason)
    except UnknownTypeFromKnownSourceError:
        on_skipped("unknown-type-of-ours")
    return None


class DirectoryGroup:
    """The newest word on each entity; every row is as long as its upsert has parameters."""

    def __init__(self) -> None:
        self.resellers: list[ResellerRegistered] = []
        self.services: list[ServiceDefined] = []
        self.plans: list[UserPlanDefined] = []
        self.customers: dict[str, tuple[int, bool, str, str, bool]] = {}
        self.packages: dict[Triple, tuple[int, bool, int]] = {}
        self.people: dict[Pair, tuple[int, str, str]] = {}
        self.removals: dict[Pair, int] = {}
        self.assignments: dict[Triple, tuple[int, str]] = {}

    def add(self, event: DirectoryEvent) -> None:
        """Take one event in; the two kinds that come by the million are tried first."""
        if isinstance(event, UserPlanAssigned):
            key = (event.customer, event.service, event.user)
            _keep(self.assignments, key, (event.revision, event.plan))
        elif isinstance(event, UserRegistered):
            _keep(self.people, (event.customer, event.user), (event.revision, event.name, event.email or ""))
        elif isinstance(event, UserPlanUnassigned):
            _keep(self.assignments, (event.customer, event.service, event.user), (event.revision, ""))
        elif isinstance(event, UserRemoved):
            key_of_user = (event.customer, event.user)
            self.removals[key_of_user] = max(event.revision, self.removals.get(key_of_user, 0))
        else:
            self._add_rare(event)

    def _add_rare(
        self,
        event: ResellerRegistered
        | CustomerRegistered
        | CustomerRemoved
        | ServiceDefined
        | UserPlanDefined
        | PackageProvisioned
        | PackageRemoved,
    ) -> None:
        match event:
            case PackageProvisioned():
                limit = -1 if event.seat_limit is None else event.seat_limit
                _keep(self.packages, (event.customer, event.service, event.plan), (event.revision, True, limit))
            case PackageRemoved():
                _keep(self.packages, (event.customer, event.service, event.plan), (event.revision, False, -1))
            case CustomerRegistered():
                word = (event.revision, False, event.name, event.reseller, event.active)
                _keep(self.customers, event.customer, word)
            case CustomerRemoved():
                _keep(self.customers, event.customer, (event.revision, True, "", "", False))
            case ResellerRegistered():
                self.resellers.append(event)
            case ServiceDefined():
                self.services.append(event)
            case UserPlanDefined():
                self.plans.append(event)


def _keep(known: dict[Key, Row], key: Key, row: Row) -> None:
    """Keep the greater row; rows compare as the upserts compare them."""
    before = known.get(key)
    if before is None or row > before:
        known[key] = row


def directory_group(records: Sequence[IncomingRecord], on_skipped: OnSkipped) -> DirectoryGroup:
    """Decode a fold's records of `directory.events`."""
    group = DirectoryGroup()
    for record in records:
        envelope = decoded(record, on_skipped)
        if envelope is not None:
            group.add(envelope.data)
    return group
