"""Make the demonstration's directory and what its three migrations have to come to: `python -m demo.make_directory`.

The provider sells Hosted Exchange in four plans and Mobile Device Management, whose outside system is simulated and
refuses some users. The first migration is clean, the second generates packages, the third has failures and exclusions.
"""

import argparse
import csv
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from directoryfiles.generate import pairs
from directoryfiles.made_up import slug_of_name
from directoryfiles.names import FIRST_NAMES, LAST_NAMES, PLACES, RESELLER_FORMS, TRADES

SEED = 20150605
USERS = 20_000
EXCHANGE, MOBILE = "hosted-exchange", "mobile-devices"
REFUSE_PERCENT = 2.5
CONNECTOR_SEED = "demo"
_HUNDREDTHS = 10_000
_LARGEST = (4200, 2600, 1700, 1100, 900)
_INACTIVE_EVERY = 29
_WITHOUT_PLATINUM = 0.4
_WITHOUT_PLUS = 0.25
_NEAR_LIMIT_OF_PLUS = 0.2
_LEFT_OUT_USERS = 3

_PLANS = (
    (EXCHANGE, "bronze", "Bronze", {"webmail": "Outlook on the web"}, {"mailbox-mb": 2048}),
    (EXCHANGE, "silver", "Silver", {"webmail": "Outlook on the web", "mobile": "ActiveSync"}, {"mailbox-mb": 10240}),
    (
        EXCHANGE,
        "gold",
        "Gold",
        {"webmail": "Outlook on the web", "mobile": "ActiveSync", "archive": "In-place archive"},
        {"mailbox-mb": 51200, "archive-mb": 51200},
    ),
    (
        EXCHANGE,
        "platinum",
        "Platinum",
        {
            "webmail": "Outlook on the web",
            "mobile": "ActiveSync",
            "archive": "In-place archive",
            "hold": "Litigation hold",
        },
        {"mailbox-mb": 102400, "archive-mb": 204800},
    ),
    (MOBILE, "basic", "Basic", {"wipe": "Remote wipe"}, {"devices": 1}),
    (MOBILE, "plus", "Plus", {"wipe": "Remote wipe", "apps": "Managed apps"}, {"devices": 5}),
)


@dataclass
class Customer:
    """A customer; `users` has name and address by id, `plans` the user's plan by (service, user)."""

    code: str
    name: str
    reseller: str
    active: bool
    users: dict[str, tuple[str, str]] = field(default_factory=dict)
    plans: dict[tuple[str, str], str] = field(default_factory=dict)
    packages: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def on(self, service: str, plan: str) -> list[str]:
        """Give the users who are on the plan, in order."""
        return sorted(user for (of, user), on in self.plans.items() if (of, on) == (service, plan))


def make_customers(chance: random.Random) -> list[Customer]:
    """Make everybody, with their packages."""
    resellers = [code for code, _, parent in RESELLERS if parent]
    sizes = list(_LARGEST)
    while (left := USERS - sum(sizes)) > 0:
        sizes.append(min(left, 900, int(12 * chance.random() ** (-1 / 0.9))))
    names = chance.sample([f"{place} {trade}" for place in PLACES for trade in TRADES], len(sizes))
    customers = []
    for number, (size, name) in enumerate(zip(sizes, names, strict=True)):
        active = number % _INACTIVE_EVERY != _INACTIVE_EVERY - 1
        customer = Customer(slug_of_name(name), name, resellers[number % len(resellers)], active)
        _add_users(customer, size, chance)
        _add_packages(customer, chance)
        customers.append(customer)
    return customers


def _resellers(chance: random.Random) -> list[tuple[str, str, str]]:
    """Give code, name and parent: the provider, four resellers, and eight more under these."""
    made = [("provider", "Services Provider", "")]
    for number, place in enumerate(chance.sample(PLACES, 12)):
        name = f"{place} {RESELLER_FORMS[number % len(RESELLER_FORMS)]}"
        parent = "provider" if number < 4 else made[1 + number % 4][0]  # noqa: PLR2004 - the upper level has four
        made.append((slug_of_name(name), name, parent))
    return made


RESELLERS = _resellers(random.Random(SEED + 1))  # noqa: S311 - the same each time, from a seed


def _add_users(customer: Customer, size: int, chance: random.Random) -> None:
    # Customers that aren't active have nobody on bronze or gold, so the first two migrations exclude nobody.
    levels = ("bronze", "silver", "gold", "platinum") if customer.active else ("silver", "platinum")
    some = chance.sample(levels, chance.randint(1, min(3, len(levels))))
    for number in range(1, size + 1):
        user, first, last = f"u{number:04d}", chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        address = f"{slug_of_name(first)}.{slug_of_name(last)}{number}@{customer.code}.example"
        customer.users[user] = (f"{first} {last}", address)
        customer.plans[EXCHANGE, user] = chance.choice(some)
        if chance.random() < 0.3:  # noqa: PLR2004 - three in ten have a managed device
            customer.plans[MOBILE, user] = "basic" if chance.random() < 0.8 else "plus"  # noqa: PLR2004 - most are on basic


def _add_packages(customer: Customer, chance: random.Random) -> None:
    used = Counter((service, plan) for (service, _), plan in customer.plans.items())
    for package, seats in used.items():
        customer.packages[package] = chance.choice((None, _roomy(seats)))
    if used[EXCHANGE, "bronze"]:
        customer.packages[EXCHANGE, "silver"] = _roomy(used[EXCHANGE, "bronze"] + used[EXCHANGE, "silver"])
    if used[EXCHANGE, "gold"] and (used[EXCHANGE, "platinum"] or chance.random() >= _WITHOUT_PLATINUM):
        customer.packages[EXCHANGE, "platinum"] = _roomy(used[EXCHANGE, "gold"] + used[EXCHANGE, "platinum"])
    basic, plus = used[MOBILE, "basic"], used[MOBILE, "plus"]
    if basic and (plus or chance.random() >= _WITHOUT_PLUS):
        near = plus + max(1, basic // 3)
        customer.packages[MOBILE, "plus"] = near if chance.random() < _NEAR_LIMIT_OF_PLUS else _roomy(basic + plus)


def _roomy(seats: int) -> int:
    return (seats + seats // 4 + 10) // 5 * 5


def is_refused(customer: str, user: str) -> bool:
    """Give whether the simulated connector will refuse the user; a test compares this with the connector itself."""
    digest = blake2b(f"{customer}/{user}".encode(), digest_size=8, key=CONNECTOR_SEED.encode()).digest()
    return int.from_bytes(digest, "big") % _HUNDREDTHS < round(REFUSE_PERCENT * _HUNDREDTHS / 100)


def expected_counts(
    customers: Iterable[Customer],
    service: str,
    mapping: tuple[str, str],
    *,
    generate: bool,
    left_out: frozenset[tuple[str, str]] = frozenset(),
) -> dict[str, Any]:
    """Give what a migration of everybody on the source plan comes to, but for the users left out by hand."""
    excluded = migrated = failed = packages = 0
    for customer in customers:
        source, target = mapping
        users = [user for user in customer.on(service, source) if (customer.code, user) not in left_out]
        package = (service, target)
        room = len(users)
        if not customer.active or (package not in customer.packages and not generate):
            room = 0
        elif customer.packages.get(package) is not None:
            room = min(room, max(0, (customer.packages[package] or 0) - len(customer.on(service, target))))
        elif package not in customer.packages and users:
            packages += 1
        excluded += len(users) - room
        refused = sum(is_refused(customer.code, user) for user in users[:room]) if service == MOBILE else 0
        failed += refused
        migrated += room - refused
    return {
        "planned": migrated + failed,
        "migrated": migrated,
        "failed": failed,
        "skipped": 0,
        "cancelled": 0,
        "excluded": excluded,
        "packages_generated": packages,
        "status": "Partially provisioned" if failed else "Provisioned",
    }


def stories(customers: list[Customer]) -> list[dict[str, Any]]:
    """Give the three migrations: what is chosen in the wizard, and what has to come out."""
    mobile = [customer for customer in customers if customer.on(MOBILE, "basic") and customer.active]
    whole, some = mobile[-1], mobile[0]
    by_hand = [(some.code, user) for user in some.on(MOBILE, "basic")[:_LEFT_OUT_USERS]]
    left_out = frozenset([*by_hand, *((whole.code, user) for user in whole.on(MOBILE, "basic"))])
    return [
        {
            "title": "A clean one: everybody on Bronze moves to Silver",
            "wizard": {
                "name": "Bronze to Silver",
                "description": "Bronze is no longer sold; every customer has the Silver package already.",
                "service": EXCHANGE,
                "mappings": {"bronze": "silver"},
            },
            "expected": expected_counts(customers, EXCHANGE, ("bronze", "silver"), generate=False),
        },
        {
            "title": "One that generates packages: Gold moves to Platinum",
            "wizard": {
                "name": "Gold to Platinum",
                "description": "Some customers have no Platinum package yet; it is generated before their users move.",
                "service": EXCHANGE,
                "mappings": {"gold": "platinum"},
                "generate_missing_packages": True,
            },
            "expected": expected_counts(customers, EXCHANGE, ("gold", "platinum"), generate=True),
        },
        {
            "title": "One with failures and exclusions: managed devices move from Basic to Plus",
            "wizard": {
                "name": "Devices from Basic to Plus",
                "description": "Missing packages are not generated, some are nearly full, and the system refuses some.",
                "service": MOBILE,
                "mappings": {"basic": "plus"},
                "customers_left_out": [whole.code],
                "users_left_out": [{"customer": customer, "user": user} for customer, user in by_hand],
            },
            "expected": expected_counts(customers, MOBILE, ("basic", "plus"), generate=False, left_out=left_out),
        },
    ]


def write(out: Path) -> None:
    """Write the CSV files to `out`/directory and what is expected to `out`/expected.json."""
    customers = make_customers(random.Random(SEED))  # noqa: S311 - the same each time, from a seed
    folder = out / "directory"
    folder.mkdir(parents=True, exist_ok=True)
    _write_catalogue(folder)
    _write(
        folder / "customers.csv",
        ("Customer Code", "Customer Name", "Reseller Code", "Enabled"),
        [(one.code, one.name, one.reseller, "yes" if one.active else "no") for one in customers],
    )
    _write(
        folder / "packages.csv",
        ("Customer Code", "Service Code", "User Plan", "User Limit"),
        [
            (one.code, *package, "unlimited" if limit is None else limit)
            for one in customers
            for package, limit in sorted(one.packages.items())
        ],
    )
    _write(
        folder / "users.csv",
        ("Customer Code", "Login", "Display Name", "Email Address"),
        [(one.code, user, *known) for one in customers for user, known in one.users.items()],
    )
    _write(
        folder / "assignments.csv",
        ("Customer Code", "Login", "Service Code", "User Plan"),
        [(one.code, user, service, plan) for one in customers for (service, user), plan in one.plans.items()],
    )
    expected = {"users": USERS, "customers": len(customers), "stories": stories(customers)}
    (out / "expected.json").write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_catalogue(folder: Path) -> None:
    _write(
        folder / "resellers.csv",
        ("Reseller Code", "Reseller Name", "Parent Reseller", "Enabled"),
        [(*reseller, "yes") for reseller in RESELLERS],
    )
    options = pairs({"refuse_percent": str(REFUSE_PERCENT), "seed": CONNECTOR_SEED})
    _write(
        folder / "services.csv",
        ("Service Code", "Service Name", "Connector", "Connector Options"),
        [(EXCHANGE, "Hosted Exchange", "internal", ""), (MOBILE, "Mobile Device Management", "simulated", options)],
    )
    _write(
        folder / "plans.csv",
        ("Service Code", "Plan Code", "Plan Name", "Features", "Quotas", "Default User Limit", "Enabled"),
        [(service, plan, name, pairs(has), pairs(quotas), "", "yes") for service, plan, name, has, quotas in _PLANS],
    )


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Write the files beside this one, or elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    write(out)
    sys.stdout.write(f"{out / 'directory'}\n{out / 'expected.json'}\n")


if __name__ == "__main__":
    main()
