"""From a row's cells to the facts that it states, or to everything that is wrong with it.

The way of a good row is short, because there are millions of them; a bad one is looked at again, cell by cell.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from directoryfiles import facts
from directoryfiles.cells import (
    CellError,
    active_of,
    connector_of,
    email_of,
    identifier_of,
    limit_of,
    mapping_of,
    name_of,
    quotas_of,
    slug_of,
)
from directoryfiles.columns import COLUMNS, Form
from directoryfiles.facts import Fact

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+=-]{0,127}")
NAME = re.compile(r"(?=\S)[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]{1,200}(?<=\S)")
EMAIL = re.compile(
    r'[^\s@"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]{1,64}@[^\s@"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]{1,255}'
)

_is_identifier = IDENTIFIER.fullmatch
_is_name = NAME.fullmatch
_is_email = EMAIL.fullmatch

PROVIDER = "provider"
"""The reseller of customers in a flat file that names none."""


class Shaped(NamedTuple):
    """What a row states, or why it can't be used: one of the two is empty."""

    facts: tuple[Fact, ...]
    problems: tuple[str, ...]


def user_row(cells: tuple[str, ...]) -> Shaped:
    """Shape `customer, user, name, email`."""
    customer, user, name, email = cells
    if (
        _is_identifier(customer)
        and _is_identifier(user)
        and _is_name(name)
        and (not email or (len(email) <= 320 and _is_email(email)))  # noqa: PLR2004 - an address has at most 64 + 1 + 255
    ):
        return Shaped((facts.user_fact(customer, user, name, email),), ())
    return _looked_at(
        cells,
        Form.USER,
        (identifier_of, identifier_of, name_of, email_of),
        lambda a, b, c, d: (facts.user_fact(a, b, c, d),),
    )


def assignment_row(cells: tuple[str, ...]) -> Shaped:
    """Shape `customer, user, service, plan`."""
    customer, user, service, plan = cells
    if _is_identifier(customer) and _is_identifier(user) and _is_identifier(service) and _is_identifier(plan):
        return Shaped((facts.assignment_fact(customer, user, service, plan),), ())
    return _looked_at(
        cells, Form.ASSIGNMENT, (identifier_of,) * 4, lambda a, b, c, d: (facts.assignment_fact(a, b, c, d),)
    )


def package_row(cells: tuple[str, ...]) -> Shaped:
    """Shape `customer, service, plan, seat_limit`."""
    return _looked_at(
        cells,
        Form.PACKAGE,
        (identifier_of, identifier_of, identifier_of, limit_of),
        lambda a, b, c, d: (facts.package_fact(a, b, c, d),),
    )


def customer_row(cells: tuple[str, ...]) -> Shaped:
    """Shape `customer, reseller, name, active`."""
    return _looked_at(
        cells,
        Form.CUSTOMER,
        (identifier_of, identifier_of, name_of, active_of),
        lambda a, b, c, d: (facts.customer_fact(a, b, c, active=d),),
    )


def reseller_row(cells: tuple[str, ...]) -> Shaped:
    """Shape `reseller, name, parent, active`."""
    return _looked_at(
        cells,
        Form.RESELLER,
        (identifier_of, name_of, lambda text: identifier_of(text) if text else "", active_of),
        lambda a, b, c, d: (facts.reseller_fact(a, b, c, active=d),),
    )


def service_row(cells: tuple[str, ...]) -> Shaped:
    """Shape `service, name, connector, options`."""
    return _looked_at(
        cells,
        Form.SERVICE,
        (identifier_of, name_of, connector_of, mapping_of),
        lambda a, b, c, d: (facts.service_fact(a, b, c, d),),
    )


def plan_row(cells: tuple[str, ...]) -> Shaped:
    """Shape `service, plan, name, features, quotas, default_seat_limit, active`."""
    return _looked_at(
        cells,
        Form.PLAN,
        (identifier_of, identifier_of, name_of, mapping_of, quotas_of, limit_of, active_of),
        lambda a, b, c, d, e, f, g: (facts.plan_fact(a, b, c, features=d, quotas=e, default_seat_limit=f, active=g),),
    )


def flat_row(cells: tuple[str, ...]) -> Shaped:
    """Shape a user with everything around it; service and plan may be given by their names."""
    customer, customer_name, reseller, reseller_name, user, name, email, service, plan = cells
    around = _around(customer, customer_name, reseller, reseller_name)
    offered = _offered(customer, service, plan)
    shaped = user_row((customer, user, name, email)) if around is not None and offered is not None else _NOTHING
    if around is None or offered is None or not shaped.facts:
        return _flat_row_looked_at(cells)
    if not offered.facts:
        return Shaped((*around, *shaped.facts), ())
    assignment = facts.assignment_fact(customer, user, offered.service, offered.plan)
    if shaped.facts[0].key != f"user/{customer}/{user}":
        return _flat_row_looked_at(cells)
    return Shaped((*around, *offered.facts, *shaped.facts, assignment), ())


def _flat_row_looked_at(cells: tuple[str, ...]) -> Shaped:
    return _looked_at(
        cells,
        Form.FLAT,
        (
            identifier_of,
            _optional_name,
            _optional_identifier,
            _optional_name,
            identifier_of,
            name_of,
            email_of,
            _named,
            _named,
        ),
        lambda *values: _flat_facts(FlatRow(*values)),
    )


class _Offered(NamedTuple):
    """Service and plan as identifiers, and what a row that names them implies."""

    service: str
    plan: str
    facts: tuple[Fact, ...]


_NOTHING = Shaped((), ())


@lru_cache(maxsize=4_000)
def _around(customer: str, customer_name: str, reseller: str, reseller_name: str) -> tuple[Fact, ...] | None:
    """Give what a row implies about the customer and above; None where a cell is bad, which is then explained."""
    try:
        return _flat_customer(
            identifier_of(customer),
            _optional_name(customer_name.strip()),
            _optional_identifier(reseller.strip()),
            _optional_name(reseller_name.strip()),
        )
    except CellError:
        return None


@lru_cache(maxsize=4_000)
def _offered(customer: str, service: str, plan: str) -> _Offered | None:
    """Give what a row implies about service, plan and package; None where a cell is bad, which is then explained."""
    try:
        identifier_of(customer)
        return _flat_offer(customer, _named(service.strip()), _named(plan.strip()))
    except CellError:
        return None


def _optional_name(text: str) -> str:
    return name_of(text) if text else ""


def _optional_identifier(text: str) -> str:
    return identifier_of(text) if text else ""


def _named(text: str) -> tuple[str, str]:
    """Give identifier and name of what is given by its name."""
    return (slug_of(text), text) if text else ("", "")


class FlatRow(NamedTuple):
    """The values of a flat file's row; service and plan as identifier and name."""

    customer: str
    customer_name: str
    reseller: str
    reseller_name: str
    user: str
    name: str
    email: str
    service: tuple[str, str]
    plan: tuple[str, str]


def _flat_facts(row: FlatRow) -> tuple[Fact, ...]:
    around = _flat_customer(row.customer, row.customer_name, row.reseller, row.reseller_name)
    offered = _flat_offer(row.customer, row.service, row.plan)
    user = facts.user_fact(row.customer, row.user, row.name, row.email)
    if not offered.facts:
        return (*around, user)
    assignment = facts.assignment_fact(row.customer, row.user, offered.service, offered.plan)
    return (*around, *offered.facts, user, assignment)


def _flat_offer(customer: str, service: tuple[str, str], plan: tuple[str, str]) -> _Offered:
    """Give what follows from a user being on a plan; all of it weak, because the row knows no more than the names."""
    if bool(service[0]) != bool(plan[0]):
        raise CellError("service and plan have to be given together")
    if not service[0]:
        return _Offered("", "", ())
    defined = facts.plan_fact(
        service[0], plan[0], plan[1], features={}, quotas={}, default_seat_limit=None, active=True
    )
    implied = (
        _weak(facts.service_fact(service[0], service[1], "internal", {})),
        _weak(defined),
        _weak(facts.package_fact(customer, service[0], plan[0], None)),
    )
    return _Offered(service[0], plan[0], implied)


def _flat_customer(customer: str, customer_name: str, reseller: str, reseller_name: str) -> tuple[Fact, ...]:
    """Give the customer and what is above it; without a customer's name, it has to be known already."""
    if not customer_name:
        return ()
    provider = _weak(facts.reseller_fact(PROVIDER, PROVIDER.capitalize(), "", active=True))
    above = reseller or PROVIDER
    stated = facts.customer_fact(customer, above, customer_name, active=True)
    if above == PROVIDER:
        return (provider, stated._replace(weak=not reseller))
    under = _weak(facts.reseller_fact(above, reseller_name or above, PROVIDER, active=True))
    return (provider, under, stated)


def _weak(fact: Fact) -> Fact:
    return fact._replace(weak=True)


def _looked_at(
    cells: tuple[str, ...],
    form: Form,
    parsers: tuple[Callable[[str], object], ...],
    make: Callable[..., tuple[Fact, ...]],
) -> Shaped:
    """Parse each cell, and name the problem of each one that can't be parsed."""
    values: list[object] = []
    problems: list[str] = []
    for column, cell, parse in zip(COLUMNS[form].all, cells, parsers, strict=True):
        try:
            values.append(parse(cell.strip()))
        except CellError as error:
            problems.append(f"{column}: {error}")
    if problems:
        return Shaped((), tuple(problems))
    try:
        return Shaped(make(*values), ())
    except CellError as error:
        return Shaped((), (str(error),))


SHAPERS: dict[Form, Callable[[tuple[str, ...]], Shaped]] = {
    Form.RESELLER: reseller_row,
    Form.CUSTOMER: customer_row,
    Form.SERVICE: service_row,
    Form.PLAN: plan_row,
    Form.PACKAGE: package_row,
    Form.USER: user_row,
    Form.ASSIGNMENT: assignment_row,
    Form.FLAT: flat_row,
}
