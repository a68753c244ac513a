"""One entity as a source states it: its key, and its data's JSON as the contracts' codec writes it.

The JSON is put together from templates, because a directory has millions of entities; tests compare every kind with
`contracts.codec.encode`.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple

from contracts import directory
from directoryfiles.kinds import STATING_TYPES, TYPE_OF, Kind


class Fact(NamedTuple):
    """An entity that is there.

    `tail` is the JSON of the event's data after its revision, up to the closing brace. `references` are the keys of
    customers, resellers, services and plans that have to exist; an assignment's user is known from its key.
    A weak fact follows from another row (a plan that a user is on) and only says that the entity exists.
    """

    kind: int
    key: str
    tail: str
    references: tuple[str, ...] = ()
    weak: bool = False


# Plain numbers: facts are written to disk as such, and an enumeration's member is not one.
_RESELLER, _CUSTOMER, _SERVICE, _PLAN, _PACKAGE, _USER, _ASSIGNMENT = map(int, Kind)


def digest_of(event_type: str, tail: str) -> int:
    """Give 64 bits that differ when the content differs, as a signed integer; the revision has no part in it."""
    made = blake2b(f"{event_type}\n{tail}".encode(), digest_size=8).digest()
    return int.from_bytes(made, "little", signed=True)


def _mapping(values: dict[str, Any]) -> str:
    return json.dumps(dict(sorted(values.items())), ensure_ascii=False, separators=(",", ":"))


def reseller_fact(reseller: str, name: str, parent: str, *, active: bool) -> Fact:
    """Give a reseller; an empty `parent` means that it is the top one."""
    under = f'"parent":"{parent}",' if parent else ""
    tail = f'"reseller":"{reseller}","name":{quoted(name)},{under}"active":{_flag(active)}}}'
    return Fact(_RESELLER, f"reseller/{reseller}", tail, (f"reseller/{parent}",) if parent else ())


def customer_fact(customer: str, reseller: str, name: str, *, active: bool) -> Fact:
    """Give a customer."""
    tail = f'"customer":"{customer}","reseller":"{reseller}","name":{quoted(name)},"active":{_flag(active)}}}'
    return Fact(_CUSTOMER, f"customer/{customer}", tail, (f"reseller/{reseller}",))


def service_fact(service: str, name: str, connector: str, options: dict[str, str]) -> Fact:
    """Give a service with its connector."""
    chosen = f'{{"name":"{connector}","options":{_mapping(options)}}}'
    tail = f'"service":"{service}","name":{quoted(name)},"connector":{chosen}}}'
    return Fact(_SERVICE, f"service/{service}", tail)


def plan_fact(
    service: str,
    plan: str,
    name: str,
    *,
    features: dict[str, str],
    quotas: dict[str, int],
    default_seat_limit: int | None,
    active: bool,
) -> Fact:
    """Give a plan of a service."""
    limit = "" if default_seat_limit is None else f'"default_seat_limit":{default_seat_limit},'
    tail = (
        f'"service":"{service}","plan":"{plan}","name":{quoted(name)},"features":{_mapping(features)},'
        f'"quotas":{_mapping(quotas)},{limit}"active":{_flag(active)}}}'
    )
    return Fact(_PLAN, f"plan/{service}/{plan}", tail, (f"service/{service}",))


def package_fact(customer: str, service: str, plan: str, seat_limit: int | None) -> Fact:
    """Give a package; no limit means that any number of users fit."""
    limit = "" if seat_limit is None else f',"seat_limit":{seat_limit}'
    tail = f'"customer":"{customer}","service":"{service}","plan":"{plan}"{limit}}}'
    return Fact(
        _PACKAGE,
        f"package/{customer}/{service}/{plan}",
        tail,
        (f"customer/{customer}", f"plan/{service}/{plan}"),
    )


def user_fact(customer: str, user: str, name: str, email: str) -> Fact:
    """Give a user; an empty `email` means that none is known."""
    address = f',"email":{quoted(email)}' if email else ""
    tail = f'"customer":"{customer}","user":"{user}","name":{quoted(name)}{address}}}'
    return Fact(_USER, f"user/{customer}/{user}", tail, _customer_reference(customer))


def assignment_fact(customer: str, user: str, service: str, plan: str) -> Fact:
    """Give what plan of a service a user is on."""
    tail = f'"customer":"{customer}","user":"{user}","service":"{service}","plan":"{plan}"}}'
    references = _plan_references(customer, service, plan)
    return Fact(_ASSIGNMENT, f"assignment/{customer}/{user}/{service}", tail, references)


# The same references come again and again; one object for all of them saves time and, on disk, space.
@lru_cache(maxsize=4_000)
def _customer_reference(customer: str) -> tuple[str, ...]:
    return (f"customer/{customer}",)


@lru_cache(maxsize=4_000)
def _plan_references(customer: str, service: str, plan: str) -> tuple[str, ...]:
    return (f"customer/{customer}", f"plan/{service}/{plan}")


def _flag(value: bool) -> str:  # noqa: FBT001 - the value is what is written
    return "true" if value else "false"


_FROM_EVENT: dict[Kind, Callable[[Any], Fact]] = {
    Kind.RESELLER: lambda data: reseller_fact(data.reseller, data.name, data.parent or "", active=data.active),
    Kind.CUSTOMER: lambda data: customer_fact(data.customer, data.reseller, data.name, active=data.active),
    Kind.SERVICE: lambda data: service_fact(data.service, data.name, data.connector.name, data.connector.options),
    Kind.PLAN: lambda data: plan_fact(
        data.service,
        data.plan,
        data.name,
        features=data.features,
        quotas=data.quotas,
        default_seat_limit=data.default_seat_limit,
        active=data.active,
    ),
    Kind.PACKAGE: lambda data: package_fact(data.customer, data.service, data.plan, data.seat_limit),
    Kind.USER: lambda data: user_fact(data.customer, data.user, data.name, data.email or ""),
    Kind.ASSIGNMENT: lambda data: assignment_fact(data.customer, data.user, data.service, data.plan),
}


def fact_of(data: Any) -> Fact:  # noqa: ANN401 - one of the contracts' stating models
    """Give the fact that a decoded event states. Raises KeyError for an event that states no entity."""
    return _FROM_EVENT[STATING_TYPES[data.TYPE]](data)


class Frame:
    """The envelope around the facts of one import: everything that is the same in all of them."""

    def __init__(self, source: str, time: str) -> None:
        """Take the source and the time as JSON texts without quotes (RFC 3339)."""
        self._middle = {
            event_type: f'","source":"{source}","type":"{event_type}","subject":"'
            for event_type in [*STATING_TYPES, *REMOVALS]
        }
        self._after = f'","time":"{time}","datacontenttype":"application/json","partitionkey":"'

    def document(self, event_type: str, event_id: str, key: str, revision: int, tail: str) -> str:
        """Give the structured-mode document, as `contracts.codec.encode` would."""
        return (
            f'{{"specversion":"1.0","id":"{event_id}{self._middle[event_type]}{key}{self._after}{key}'
            f'","data":{{"revision":{revision},{tail}}}'
        )


REMOVALS: dict[str, tuple[str, ...]] = {
    directory.CustomerRemoved.TYPE: ("customer",),
    directory.PackageRemoved.TYPE: ("customer", "service", "plan"),
    directory.UserRemoved.TYPE: ("customer", "user"),
    directory.UserPlanUnassigned.TYPE: ("customer", "user", "service"),
}
"""The fields of a removal's data, which are the parts of its key."""


def removal_tail(event_type: str, key: str) -> str:
    """Give the JSON of a removal's data after its revision."""
    parts = zip(REMOVALS[event_type], key.split("/")[1:], strict=True)
    return ",".join(f'"{field}":"{part}"' for field, part in parts) + "}"


def type_of(fact: Fact) -> str:
    """Give the type of the event that states the fact."""
    return TYPE_OF[fact.kind]
