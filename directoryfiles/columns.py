"""Which column of a file means what: kinds of files, their columns, and the other names that columns have.

Header names are compared without case, spaces and punctuation: `User Principal Name` is `userprincipalname`.
"""

import re
from enum import StrEnum
from typing import NamedTuple


class Form(StrEnum):
    """What one row of a file states."""

    RESELLER = "reseller"
    CUSTOMER = "customer"
    SERVICE = "service"
    PLAN = "plan"
    PACKAGE = "package"
    USER = "user"
    ASSIGNMENT = "assignment"
    FLAT = "flat"


class Columns(NamedTuple):
    """A form's columns in the order in which its rows are shaped; `needed` ones have to be there."""

    needed: tuple[str, ...]
    all: tuple[str, ...]
    synonyms: dict[str, tuple[str, ...]]


_CUSTOMER_ID = ("customerid", "customercode", "customernumber", "tenant", "tenantid", "organisation", "organization")
_USER_ID = ("userid", "userprincipalname", "upn", "login", "loginname", "username", "samaccountname", "account")
_RESELLER_ID = ("resellerid", "resellercode", "partner", "partnerid", "reseller")
_SERVICE_ID = ("serviceid", "servicecode", "product", "productid", "servicename")
_PLAN_ID = ("planid", "plancode", "userplan", "level", "sku", "planname", "userplanname")
_EMAIL = ("email", "mail", "emailaddress", "primarysmtpaddress", "primaryemail", "smtpaddress")
_LIMIT = ("userlimit", "limit", "seats", "maxusers", "maximumusers", "licences", "licenses", "quantity")
_ACTIVE = ("enabled", "isactive", "state", "status")
_FULL_NAME = ("displayname", "fullname", "usersname")

COLUMNS: dict[Form, Columns] = {
    Form.RESELLER: Columns(
        ("reseller", "name"),
        ("reseller", "name", "parent", "active"),
        {
            "reseller": (*_RESELLER_ID, "id", "code"),
            "name": ("resellername", "displayname", "company"),
            "parent": ("parentreseller", "parentid", "parentcode", "under"),
            "active": _ACTIVE,
        },
    ),
    Form.CUSTOMER: Columns(
        ("customer", "reseller", "name"),
        ("customer", "reseller", "name", "active"),
        {
            "customer": (*_CUSTOMER_ID, "id", "code"),
            "reseller": _RESELLER_ID,
            "name": ("customername", "displayname", "company", "companyname", "organisationname", "organizationname"),
            "active": _ACTIVE,
        },
    ),
    Form.SERVICE: Columns(
        ("service", "name"),
        ("service", "name", "connector", "options"),
        {
            "service": ("serviceid", "servicecode", "id", "code"),
            "name": ("servicename", "displayname"),
            "connector": ("connectorname", "provisionedby"),
            "options": ("connectoroptions", "connectorsettings"),
        },
    ),
    Form.PLAN: Columns(
        ("service", "plan", "name"),
        ("service", "plan", "name", "features", "quotas", "default_seat_limit", "active"),
        {
            "service": _SERVICE_ID,
            "plan": ("planid", "plancode", "userplan", "level", "sku", "id", "code"),
            "name": ("planname", "displayname", "userplanname"),
            "features": ("feature",),
            "quotas": ("quota",),
            "default_seat_limit": ("defaultlimit", "defaultuserlimit", "defaultseats"),
            "active": _ACTIVE,
        },
    ),
    Form.PACKAGE: Columns(
        ("customer", "service", "plan"),
        ("customer", "service", "plan", "seat_limit"),
        {"customer": _CUSTOMER_ID, "service": _SERVICE_ID, "plan": _PLAN_ID, "seat_limit": _LIMIT},
    ),
    Form.USER: Columns(
        ("customer", "user", "name"),
        ("customer", "user", "name", "email"),
        {"customer": _CUSTOMER_ID, "user": (*_USER_ID, "id"), "name": _FULL_NAME, "email": _EMAIL},
    ),
    Form.ASSIGNMENT: Columns(
        ("customer", "user", "service", "plan"),
        ("customer", "user", "service", "plan"),
        {"customer": _CUSTOMER_ID, "user": (*_USER_ID, "id"), "service": _SERVICE_ID, "plan": _PLAN_ID},
    ),
    Form.FLAT: Columns(
        ("customer", "user", "name", "service", "plan"),
        ("customer", "customer_name", "reseller", "reseller_name", "user", "name", "email", "service", "plan"),
        {
            "customer": _CUSTOMER_ID,
            "customer_name": ("customername", "company", "companyname", "organisationname", "organizationname"),
            "reseller": _RESELLER_ID,
            "reseller_name": ("resellername", "partnername"),
            "user": (*_USER_ID, "id"),
            "name": _FULL_NAME,
            "email": _EMAIL,
            "service": _SERVICE_ID,
            "plan": _PLAN_ID,
        },
    ),
}

_MOST_TELLING_FIRST = (
    Form.FLAT,
    Form.ASSIGNMENT,
    Form.USER,
    Form.PLAN,
    Form.PACKAGE,
    Form.CUSTOMER,
    Form.RESELLER,
    Form.SERVICE,
)
_FILE_WORDS = {
    "reseller": Form.RESELLER,
    "customer": Form.CUSTOMER,
    "service": Form.SERVICE,
    "plan": Form.PLAN,
    "package": Form.PACKAGE,
    "assignment": Form.ASSIGNMENT,
    "user": Form.USER,
}
_NOT_TELLING = re.compile(r"[\W_]+")


class Layout(NamedTuple):
    """How a file's columns are to be read: for each column of the form its index in a row, or None."""

    form: Form
    indexes: tuple[int | None, ...]
    ignored: tuple[str, ...]


class LayoutError(ValueError):
    """A header that no form fits, with what is missing."""


def plain(name: str) -> str:
    """Give a header name as it is compared: lower case, letters and digits only."""
    return _NOT_TELLING.sub("", name).lower()


def layout_of(header: list[str], file_stem: str) -> Layout:
    """Recognise a file by its header, and by its name where the header leaves a choice.

    Raises LayoutError naming what is missing.
    """
    form = _form_of(header, file_stem)
    chosen = _chosen(header, form)
    missing = [name for name in COLUMNS[form].needed if name not in chosen]
    if missing:
        raise LayoutError(f"no column for {', '.join(missing)} of a {form}; the file has {', '.join(header)}")
    used = set(chosen.values())
    return Layout(
        form,
        tuple(chosen.get(name) for name in COLUMNS[form].all),
        tuple(name for index, name in enumerate(header) if index not in used),
    )


def recognised(header: list[str]) -> int:
    """Give how many columns of the header mean something in any form; tells a delimiter from the others."""
    return sum(1 for name in header if plain(name) in _EVERY_NAME)


def _form_of(header: list[str], file_stem: str) -> Form:
    fitting = [form for form in _MOST_TELLING_FIRST if set(COLUMNS[form].needed) <= _chosen(header, form).keys()]
    named = [form for word, form in _FILE_WORDS.items() if word in plain(file_stem)]
    if fitting and fitting[0] is Form.FLAT:
        return Form.FLAT
    for form in reversed(named):
        if form in fitting:
            return form
    if fitting:
        return fitting[0]
    if named:
        return named[-1]
    raise LayoutError(f"the columns {', '.join(header) or '(none)'} are those of no kind of file")


def _chosen(header: list[str], form: Form) -> dict[str, int]:
    """Give the index of each column of the form that the header has: by its own name first, then by a synonym."""
    names = [plain(name) for name in header]
    chosen: dict[str, int] = {}
    for column in COLUMNS[form].all:
        for wanted in (plain(column), *COLUMNS[form].synonyms.get(column, ())):
            if wanted in names and names.index(wanted) not in chosen.values():
                chosen[column] = names.index(wanted)
                break
    return chosen


_EVERY_NAME = frozenset(
    name
    for columns in COLUMNS.values()
    for column in columns.all
    for name in (plain(column), *columns.synonyms.get(column, ()))
)
