"""A made-up directory from a seed: resellers two levels deep, customers of very different sizes, users on plans.

The same seed and number of users give the same directory, on any machine. It is made customer by customer, so it needs
no memory for its users.
"""

import random
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from directoryfiles.catalogue import SERVICES, MadeService
from directoryfiles.names import FIRST_NAMES, LAST_NAMES, PLACES, RESELLER_FORMS, TRADES

LARGEST_CUSTOMER_USERS = 40_000
_SMALLEST_CUSTOMER_USERS = 4
_TAIL_EXPONENT = 0.95
_USERS_AT_ONCE = 2000
_INACTIVE_CUSTOMERS = 0.01
_NEXT_PACKAGE = 0.6
_NEAR_LIMIT = 0.2
_NO_LIMIT = 0.35


class MadeReseller(NamedTuple):
    """A reseller; the provider has an empty parent."""

    reseller: str
    name: str
    parent: str


class MadePackage(NamedTuple):
    """A package of a customer; no limit is None."""

    service: str
    plan: str
    seat_limit: int | None


class MadeUser(NamedTuple):
    """A user with the plans that it is on, as (service, plan)."""

    user: str
    name: str
    email: str
    plans: tuple[tuple[str, str], ...]


class MadeCustomer:
    """A customer; its users are made while they are read, once, and its packages follow from them."""

    def __init__(self, number: int, size: int, reseller: MadeReseller, chance: random.Random) -> None:
        """Make up the customer with that number, with so many users."""
        self.name = f"{chance.choice(PLACES)} {chance.choice(TRADES)}"
        slug = slug_of_name(self.name)
        self.customer = f"c{number:06d}-{slug}"
        self.reseller = reseller
        self.active = chance.random() >= _INACTIVE_CUSTOMERS
        self.size = size
        self._domain = f"{slug}{number}.example"
        self._plans = {service.service: _plans_in_use(service, chance) for service in SERVICES}
        self._chance = chance
        self._used: Counter[tuple[str, str]] = Counter()

    def users(self) -> Iterator[list[MadeUser]]:
        """Give the users, some thousand at a time."""
        for start in range(0, self.size, _USERS_AT_ONCE):
            end = min(self.size, start + _USERS_AT_ONCE)
            made = [_user(at + 1, self._domain, self._plans, self._chance) for at in range(start, end)]
            self._used.update([plan for user in made for plan in user.plans])
            yield made

    def packages(self) -> list[MadePackage]:
        """Give the packages; only right after all users have been read."""
        return list(_packages(self._used, self._chance))


def made_resellers(users: int, seed: int) -> list[MadeReseller]:
    """Give the provider first, then the resellers under it, then those under these."""
    chance = random.Random(f"resellers {seed}")
    number = max(4, min(400, users // 5000))
    provider = MadeReseller("provider", "Provider", "")
    resellers = [provider]
    for at in range(number):
        name = f"{chance.choice(PLACES)} {chance.choice(RESELLER_FORMS)}"
        upper = max(2, number // 4)
        parent = "provider" if at < upper else resellers[1 + chance.randrange(upper)].reseller
        resellers.append(MadeReseller(f"r{at + 1:03d}-{slug_of_name(name)}", name, parent))
    return resellers


def made_customers(users: int, seed: int) -> Iterator[MadeCustomer]:
    """Give customers until they have so many users together; the last one is cut to fit."""
    resellers = made_resellers(users, seed)
    chance = random.Random(f"customers {seed}")
    largest = max(10, min(LARGEST_CUSTOMER_USERS, users // 8))
    left, number = users, 0
    while left:
        number += 1
        size = min(left, largest, int(_SMALLEST_CUSTOMER_USERS * chance.random() ** (-1 / _TAIL_EXPONENT)))
        reseller = resellers[int(chance.random() * len(resellers))]
        yield MadeCustomer(number, size, reseller, random.Random(chance.getrandbits(64)))
        left -= size


def _plans_in_use(service: MadeService, chance: random.Random) -> list[tuple[float, tuple[str, str]]]:
    """Give the plans of the service that the customer's users are on, with running shares of all its users."""
    number = min(len(service.plans), 1 + int(chance.random() * 3))
    plans = chance.sample(service.plans, number)
    whole = sum(plan.share for plan in plans)
    share, running = service.share, 0.0
    result = []
    for plan in plans:
        running += share * plan.share / whole
        result.append((running, (service.service, plan.plan)))
    return result


def _user(
    number: int, domain: str, plans: dict[str, list[tuple[float, tuple[str, str]]]], chance: random.Random
) -> MadeUser:
    draw = chance.random
    first = int(draw() * len(FIRST_NAMES))
    last = int(draw() * len(LAST_NAMES))
    on = []
    for shares in plans.values():
        drawn = draw()
        for running, plan in shares:
            if drawn < running:
                on.append(plan)
                break
    return MadeUser(
        f"u{number:05d}",
        f"{FIRST_NAMES[first]} {LAST_NAMES[last]}",
        f"{_FIRST_SLUGS[first]}.{_LAST_SLUGS[last]}{number}@{domain}",
        tuple(on),
    )


def _packages(used: Counter[tuple[str, str]], chance: random.Random) -> Iterator[MadePackage]:
    """Give a package for each plan in use, and for most customers one for the next larger plan of the service."""
    for service in SERVICES:
        for at, plan in enumerate(service.plans):
            seats = used.get((service.service, plan.plan), 0)
            smaller = (service.service, service.plans[at - 1].plan) if at else None
            if seats:
                yield MadePackage(service.service, plan.plan, _limit(seats, chance))
            elif smaller in used and chance.random() < _NEXT_PACKAGE:
                wanted = used[smaller] if smaller else 0
                yield MadePackage(service.service, plan.plan, _limit(wanted, chance))


def _limit(seats: int, chance: random.Random) -> int | None:
    drawn = chance.random()
    if drawn < _NO_LIMIT:
        return None
    if drawn < _NO_LIMIT + _NEAR_LIMIT:
        return seats + int(chance.random() * 3)
    return (seats + seats // 2 + 10) // 5 * 5


_PLAIN = {0xF8: "o", 0x131: "i"}
"""Letters that have no plain letter inside: o with a stroke, i without a dot."""


def slug_of_name(name: str) -> str:
    """Give a name in lower case ASCII letters, digits and dashes."""
    letters = unicodedata.normalize("NFKD", name.lower().translate(_PLAIN)).encode("ascii", "ignore")
    return "".join(letter if letter.isalnum() else "-" for letter in letters.decode())


_FIRST_SLUGS = tuple(slug_of_name(name) for name in FIRST_NAMES)
_LAST_SLUGS = tuple(slug_of_name(name).replace("-", "") for name in LAST_NAMES)
