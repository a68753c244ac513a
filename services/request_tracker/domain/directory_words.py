"""From records of `directory.events` to names; everything else of the directory is not the tracker's business."""

from collections.abc import Iterable

from contracts.codec import UnknownTypeFromKnownSourceError, UnreadableError, decode
from contracts.directory import CustomerRegistered, ServiceDefined, UserPlanDefined
from contracts.topics import DIRECTORY
from services.request_tracker.domain.facts import Facts, NameFact, Record

WANTED_TYPES = frozenset({CustomerRegistered.TYPE, ServiceDefined.TYPE, UserPlanDefined.TYPE})
_TOPIC = DIRECTORY.name


def digest(records: Iterable[Record], facts: Facts) -> None:
    """Add the names that the records give; tombstones of the compaction are nothing to count."""
    for record in records:
        if record.value is None or (record.type is not None and record.type not in WANTED_TYPES):
            continue
        try:
            envelope = decode(_TOPIC, record.key, record.value, record.headers)
        except UnreadableError as error:
            facts.skip(_TOPIC, record.partition, str(error.reason))
            continue
        except UnknownTypeFromKnownSourceError:
            facts.skip(_TOPIC, record.partition, "unknown-type")
            continue
        match envelope.data:
            case CustomerRegistered(customer=key, name=name, revision=revision):
                facts.names.append(NameFact("customer", key, name, revision))
            case ServiceDefined(service=key, name=name, revision=revision):
                facts.names.append(NameFact("service", key, name, revision))
            case UserPlanDefined(service=service, plan=plan, name=name, revision=revision):
                facts.names.append(NameFact("plan", f"{service}/{plan}", name, revision))
            case _:
                continue
