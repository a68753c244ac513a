"""Writing a made-up directory: a folder with one CSV file for each kind, one flat CSV file, or JSON lines."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

from directoryfiles.catalogue import SERVICES, MadeService
from directoryfiles.columns import COLUMNS, Form
from directoryfiles.made_up import MadeCustomer, MadePackage, MadeReseller, MadeUser, made_customers, made_resellers

Made = Callable[[int], None]
"""Called with the number of users written so far."""

_REPORT_USERS = 10_000


class OutputForm(StrEnum):
    """How a directory is written."""

    FOLDER = "folder"
    FLAT = "flat"
    JSONL = "jsonl"


class Generated(NamedTuple):
    """How much was written, by kind, and which files."""

    resellers: int
    customers: int
    services: int
    plans: int
    packages: int
    users: int
    assignments: int
    files: tuple[Path, ...]


class _Writer(Protocol):
    """Writes a directory in one form."""

    def resellers(self, resellers: list[MadeReseller]) -> None:
        """Write all resellers."""
        ...

    def services(self, services: tuple[MadeService, ...]) -> None:
        """Write all services and their plans."""
        ...

    def customer(self, customer: MadeCustomer) -> None:
        """Write a customer."""
        ...

    def users(self, customer: MadeCustomer, users: list[MadeUser]) -> None:
        """Write some of its users and their assignments."""
        ...

    def packages(self, customer: MadeCustomer, packages: list[MadePackage]) -> None:
        """Write its packages."""
        ...


def form_for(out: Path) -> OutputForm:
    """Give the form that goes with a path: `.jsonl` JSON lines, `.csv` one flat file, anything else a folder."""
    if out.suffix.lower() in {".jsonl", ".ndjson"}:
        return OutputForm.JSONL
    return OutputForm.FLAT if out.suffix.lower() == ".csv" else OutputForm.FOLDER


def write_directory(out: Path, *, users: int, seed: int, form: OutputForm | None, progress: Made) -> Generated:
    """Write a made-up directory. Raises ValueError for a number of users below 1, OSError where it can't be written.

    A flat file has no packages, features, limits or connectors, so only the other forms say everything.
    """
    if users < 1:
        raise ValueError("A directory has at least one user.")
    chosen = form or form_for(out)
    with ExitStack() as files:
        writer, paths = _WRITERS[chosen](out, files)
        resellers = made_resellers(users, seed)
        writer.resellers(resellers)
        writer.services(SERVICES)
        counts = _write_customers(writer, made_customers(users, seed), progress)
    plans = sum(len(service.plans) for service in SERVICES)
    return Generated(len(resellers), counts[0], len(SERVICES), plans, counts[1], users, counts[2], paths)


def _write_customers(writer: _Writer, customers: Iterator[MadeCustomer], progress: Made) -> tuple[int, int, int]:
    number = packages = assignments = users = reported = 0
    for customer in customers:
        writer.customer(customer)
        number += 1
        for some in customer.users():
            writer.users(customer, some)
            users += len(some)
            assignments += sum(len(user.plans) for user in some)
        made = customer.packages()
        writer.packages(customer, made)
        packages += len(made)
        if users - reported >= _REPORT_USERS:
            progress(users)
            reported = users
    progress(users)
    return number, packages, assignments


class _Folder:
    """One CSV file for each kind. Names of the made-up directory need no quotes, so lines are put together directly."""

    def __init__(self, out: Path, files: ExitStack) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.paths = tuple(out / f"{form}s.csv" for form in Form if form is not Form.FLAT)
        self._files: dict[Form, TextIO] = {}
        for form, path in zip(Form, self.paths, strict=False):
            self._files[form] = files.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._files[form].write(",".join(COLUMNS[form].all) + "\n")

    def resellers(self, resellers: list[MadeReseller]) -> None:
        self._files[Form.RESELLER].writelines(f"{one.reseller},{one.name},{one.parent},true\n" for one in resellers)

    def services(self, services: tuple[MadeService, ...]) -> None:
        plans = csv.writer(self._files[Form.PLAN], lineterminator="\n")
        for service in services:
            options = pairs(service.options)
            self._files[Form.SERVICE].write(f"{service.service},{service.name},{service.connector},{options}\n")
            for plan in service.plans:
                limit = "" if plan.default_seat_limit is None else plan.default_seat_limit
                features, quotas = pairs(plan.features), pairs(plan.quotas)
                plans.writerow([service.service, plan.plan, plan.name, features, quotas, limit, "true"])

    def customer(self, customer: MadeCustomer) -> None:
        active = "true" if customer.active else "false"
        self._files[Form.CUSTOMER].write(f"{customer.customer},{customer.reseller.reseller},{customer.name},{active}\n")

    def users(self, customer: MadeCustomer, users: list[MadeUser]) -> None:
        c = customer.customer
        self._files[Form.USER].writelines(f"{c},{user},{name},{email}\n" for user, name, email, _ in users)
        self._files[Form.ASSIGNMENT].writelines(
            f"{c},{user},{service},{plan}\n" for user, _, _, plans in users for service, plan in plans
        )

    def packages(self, customer: MadeCustomer, packages: list[MadePackage]) -> None:
        c = customer.customer
        self._files[Form.PACKAGE].writelines(
            f"{c},{service},{plan},{'' if limit is None else limit}\n" for service, plan, limit in packages
        )


class _Flat:
    """One CSV file with a row for each user and service."""

    def __init__(self, out: Path, files: ExitStack) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self.paths = (out,)
        self._file = files.enter_context(out.open("w", encoding="utf-8", newline=""))
        self._file.write(",".join(COLUMNS[Form.FLAT].all) + "\n")

    def resellers(self, resellers: list[MadeReseller]) -> None:
        """Resellers are named in the users' rows."""

    def services(self, services: tuple[MadeService, ...]) -> None:
        """Services are named in the users' rows."""

    def customer(self, customer: MadeCustomer) -> None:
        """Customers are named in the users' rows."""

    def packages(self, customer: MadeCustomer, packages: list[MadePackage]) -> None:
        """Packages follow from the plans that users are on."""

    def users(self, customer: MadeCustomer, users: list[MadeUser]) -> None:
        before = f"{customer.customer},{customer.name},{customer.reseller.reseller},{customer.reseller.name}"
        self._file.writelines(
            f"{before},{user},{name},{email},{service},{plan}\n"
            for user, name, email, plans in users
            for service, plan in plans or (("", ""),)
        )


class _Jsonl:
    """JSON lines, each with its kind."""

    def __init__(self, out: Path, files: ExitStack) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self.paths = (out,)
        self._file = files.enter_context(out.open("w", encoding="utf-8", newline=""))

    def _write(self, kind: Form, **values: object) -> None:
        self._file.write(json.dumps({"kind": kind, **values}, ensure_ascii=False, separators=(",", ":")) + "\n")

    def resellers(self, resellers: list[MadeReseller]) -> None:
        for one in resellers:
            self._write(Form.RESELLER, reseller=one.reseller, name=one.name, parent=one.parent or None, active=True)

    def services(self, services: tuple[MadeService, ...]) -> None:
        for service in services:
            made = {"name": service.name, "connector": service.connector, "options": service.options}
            self._write(Form.SERVICE, service=service.service, **made)
            for plan in service.plans:
                values = plan._asdict()
                values.pop("share")
                self._write(Form.PLAN, service=service.service, **values, active=True)

    def customer(self, customer: MadeCustomer) -> None:
        c = customer.customer
        reseller = customer.reseller.reseller
        self._write(Form.CUSTOMER, customer=c, reseller=reseller, name=customer.name, active=customer.active)

    def packages(self, customer: MadeCustomer, packages: list[MadePackage]) -> None:
        for package in packages:
            self._write(Form.PACKAGE, customer=customer.customer, **package._asdict())

    def users(self, customer: MadeCustomer, users: list[MadeUser]) -> None:
        c, write = customer.customer, self._file.write
        for user, name, email, plans in users:
            write(f'{{"kind":"user","customer":"{c}","user":"{user}","name":"{name}","email":"{email}"}}\n')
            for service, plan in plans:
                write(
                    f'{{"kind":"assignment","customer":"{c}","user":"{user}","service":"{service}","plan":"{plan}"}}\n'
                )


def pairs(values: dict[str, str] | dict[str, int]) -> str:
    """Give a mapping as the cell of a CSV file: `name=value; name=value`, or JSON where that would be ambiguous."""
    texts = {name: str(value) for name, value in values.items()}
    if any(";" in text or text != text.strip() or not text for text in texts.values()):
        return json.dumps(values, ensure_ascii=False)
    return "; ".join(f"{name}={text}" for name, text in texts.items())


def _folder(out: Path, files: ExitStack) -> tuple[_Writer, tuple[Path, ...]]:
    writer = _Folder(out, files)
    return writer, writer.paths


def _flat(out: Path, files: ExitStack) -> tuple[_Writer, tuple[Path, ...]]:
    writer = _Flat(out, files)
    return writer, writer.paths


def _jsonl(out: Path, files: ExitStack) -> tuple[_Writer, tuple[Path, ...]]:
    writer = _Jsonl(out, files)
    return writer, writer.paths


_WRITERS: dict[OutputForm, Callable[[Path, ExitStack], tuple[_Writer, tuple[Path, ...]]]] = {
    OutputForm.FOLDER: _folder,
    OutputForm.FLAT: _flat,
    OutputForm.JSONL: _jsonl,
}
