"""Turns the options of `planshift migrate` into the body of a request, and names everything that is wrong with them."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from cli.complaints import Complaint
from contracts.identifiers import IDENTIFIER_PATTERN

_IDENTIFIER = re.compile(IDENTIFIER_PATTERN)
_SHOWN_PROBLEMS = 100

UserRow = dict[str, str]


@dataclass(frozen=True)
class Choices:
    """The options as they were given."""

    service: str
    maps: Sequence[str]
    customers: Sequence[str] = ()
    users: Sequence[str] = ()
    users_file: Path | None = None
    excluded_customers: Sequence[str] = ()
    excluded_users: Sequence[str] = ()


class _Lines(Protocol):
    """What csv.reader gives: rows, and the line that it has come to."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


@dataclass
class _Reading:
    problems: list[str] = field(default_factory=list)

    def identifier(self, option: str, text: str) -> str:
        if not _IDENTIFIER.match(text):
            self.problems.append(f"{option} {text!r}: not an identifier (letters, digits and . _ @ : + = - only).")
        return text


def body_of(choices: Choices) -> dict[str, Any]:
    """Give `service`, `mappings` and `selection` as the wizard takes them; raises Complaint with every problem."""
    reading = _Reading()
    users = [_user_of(reading, "--user", text, choices.customers) for text in choices.users]
    if choices.users_file is not None:
        users += _users_of_file(reading, choices.users_file, choices.customers)
    excluded = [_user_of(reading, "--exclude-user", text, choices.customers) for text in choices.excluded_users]
    if users:
        # Those that are named, but not these: said once, in the list itself.
        users, excluded = [user for user in users if user not in excluded], []
    body = {
        "service": reading.identifier("--service", choices.service),
        "mappings": [_mapping_of(reading, text) for text in choices.maps],
        "selection": {
            "all_customers": not choices.customers and not users,
            "all_users": not users,
            "customers": [reading.identifier("--customer", customer) for customer in choices.customers],
            "excluded_customers": [reading.identifier("--exclude-customer", c) for c in choices.excluded_customers],
            "users": users,
            "excluded_users": excluded,
        },
    }
    _refuse(reading.problems)
    return body


def time_of(text: str, now: datetime) -> str:
    """Give a start time in ISO 8601 with its offset; `now` is the caller's, and names the zone of a bare time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Complaint(f"--at {text!r}: not a time; write it as 2030-01-31T22:00 or 2030-01-31T22:00+01:00.") from None
    return moment.replace(tzinfo=moment.tzinfo or now.tzinfo or UTC).isoformat()


def _mapping_of(reading: _Reading, text: str) -> dict[str, str]:
    # A plan's id may hold a "=", so a mapping with several of them can't be told apart.
    source, found, destination = text.partition("=")
    if not found or not source or not destination or "=" in destination:
        reading.problems.append(f"--map {text!r}: write it as SOURCE=DESTINATION.")
    return {"from_plan": source, "to_plan": destination}


def _user_of(reading: _Reading, option: str, text: str, customers: Sequence[str]) -> UserRow:
    customer, found, user = text.partition("/")
    if not found and len(customers) == 1:
        customer, user = customers[0], text
    elif not found:
        reading.problems.append(f"{option} {text!r}: write it as CUSTOMER/USER (or name exactly one --customer).")
        return {"customer": "", "user": text}
    return {"customer": reading.identifier(option, customer), "user": reading.identifier(option, user)}


def _users_of_file(reading: _Reading, path: Path, customers: Sequence[str]) -> list[UserRow]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _users_of_rows(reading, path, csv.reader(file), customers)
    except OSError as error:
        reading.problems.append(f"--users-file {path}: {error.strerror}.")
    except UnicodeDecodeError as error:
        reading.problems.append(f"--users-file {path}: not UTF-8 (byte {error.start}).")
    except csv.Error as error:
        reading.problems.append(f"--users-file {path}: not CSV: {error}.")
    return []


def _users_of_rows(reading: _Reading, path: Path, lines: _Lines, customers: Sequence[str]) -> list[UserRow]:
    header = [name.strip().lower() for name in next(lines, [])]
    if "user" not in header or ("customer" not in header and len(customers) != 1):
        reading.problems.append(f"{path}:1: the first line must name the columns customer and user.")
        return []
    users: list[UserRow] = []
    seen: dict[tuple[str, str], int] = {}
    for row in lines:
        if not any(cell.strip() for cell in row):
            continue
        named = dict(zip(header, (cell.strip() for cell in row), strict=False))
        customer, user = named.get("customer") or (customers[0] if len(customers) == 1 else ""), named.get("user", "")
        problem = _problem_of_row(customer, user, seen)
        if problem:
            reading.problems.append(f"{path}:{lines.line_num}: {problem}")
            continue
        seen[customer, user] = lines.line_num
        users.append({"customer": customer, "user": user})
    if not users and not reading.problems:
        reading.problems.append(f"{path}: no user is in it.")
    return users


def _problem_of_row(customer: str, user: str, seen: dict[tuple[str, str], int]) -> str:
    if not customer or not user:
        return f"{'customer' if not customer else 'user'} is empty."
    for name, text in (("customer", customer), ("user", user)):
        if not _IDENTIFIER.match(text):
            return f"{name} {text!r} is not an identifier."
    if (customer, user) in seen:
        return f"{customer}/{user} is listed twice (first in line {seen[customer, user]})."
    return ""


def _refuse(problems: list[str]) -> None:
    if not problems:
        return
    rest = len(problems) - _SHOWN_PROBLEMS
    more = [f"… and {rest} more."] if rest > 0 else []
    word = "problem" if len(problems) == 1 else "problems"
    raise Complaint(f"Nothing was sent: {len(problems)} {word}.", *problems[:_SHOWN_PROBLEMS], *more)
