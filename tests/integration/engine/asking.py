"""Requests and directories for the engine's tests."""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from contracts.directory import (
    ConnectorChoice,
    CustomerRegistered,
    DirectoryEvent,
    PackageProvisioned,
    ServiceDefined,
    UserPlanAssigned,
    UserPlanDefined,
)
from contracts.requests import Mapping, MigrationRequested, Selection, UserRef

SERVICE = "mail"
EVERYBODY = Selection(all_customers=True, all_users=True)
SILVER_TO_GOLD = (("silver", "gold"),)


def of(*customers: str) -> Selection:
    """Give the selection of all users of these customers."""
    return Selection(all_users=True, customers=customers)


def these(customer: str, *users: str) -> Selection:
    """Give the selection of some users of a customer."""
    return Selection(users=tuple(UserRef(customer=customer, user=user) for user in users))


def ask(
    selection: Selection,
    *,
    mappings: Sequence[tuple[str, str]] = SILVER_TO_GOLD,
    **more: Any,  # noqa: ANN401 - fields of the request
) -> MigrationRequested:
    """Give a request with an id of its own."""
    fields = {
        "request": f"r-{secrets.token_hex(5)}",
        "name": "Silver to gold",
        "service": SERVICE,
        "mappings": tuple(Mapping(from_plan=source, to_plan=target) for source, target in mappings),
        "selection": selection,
        "requested_by": "test",
    }
    return MigrationRequested(**{**fields, **more})


def service(
    name: str = SERVICE, *, connector: str = "internal", revision: int = 1, **options: str
) -> Iterator[DirectoryEvent]:
    """Give a service with bronze, silver and gold; gold's generated packages have 3 seats at first."""
    connection = ConnectorChoice.model_validate({"name": connector, "options": options})
    yield ServiceDefined(revision=revision, service=name, name="Hosted Exchange", connector=connection)
    yield UserPlanDefined(revision=1, service=name, plan="bronze", name="Bronze")
    yield UserPlanDefined(revision=1, service=name, plan="silver", name="Silver")
    yield UserPlanDefined(revision=1, service=name, plan="gold", name="Gold", default_seat_limit=3)


def customer(
    name: str,
    users: int,
    *,
    plan: str = "silver",
    gold: bool = True,
    seats: int | None = None,
    active: bool = True,
    service: str = SERVICE,
) -> Iterator[DirectoryEvent]:
    """Give a customer with users `u0`… on a plan, and with or without a package of gold that has `seats`."""
    yield CustomerRegistered(revision=1, customer=name, reseller="provider", name=f"{name} Ltd", active=active)
    if gold:
        yield PackageProvisioned(revision=1, customer=name, service=service, plan="gold", seat_limit=seats)
    for number in range(users):
        yield assigned(name, f"u{number}", plan, 1, service=service)


def assigned(customer: str, user: str, plan: str, revision: int, *, service: str = SERVICE) -> UserPlanAssigned:
    """Give one assignment."""
    return UserPlanAssigned(revision=revision, customer=customer, user=user, service=service, plan=plan)
