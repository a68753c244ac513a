"""The kinds of things that a directory has, in the order in which they refer to each other."""

from enum import IntEnum
from typing import Any

from contracts import directory


class Kind(IntEnum):
    """A kind refers to kinds before it only (and a reseller to its parent)."""

    RESELLER = 0
    CUSTOMER = 1
    SERVICE = 2
    PLAN = 3
    PACKAGE = 4
    USER = 5
    ASSIGNMENT = 6

    @property
    def word(self) -> str:
        """Give the kind as people write it: `customer`."""
        return self.name.lower()


STATING: dict[Kind, type[Any]] = {
    Kind.RESELLER: directory.ResellerRegistered,
    Kind.CUSTOMER: directory.CustomerRegistered,
    Kind.SERVICE: directory.ServiceDefined,
    Kind.PLAN: directory.UserPlanDefined,
    Kind.PACKAGE: directory.PackageProvisioned,
    Kind.USER: directory.UserRegistered,
    Kind.ASSIGNMENT: directory.UserPlanAssigned,
}
"""The event that says that an entity of a kind is there."""

REMOVING: dict[Kind, type[Any]] = {
    Kind.CUSTOMER: directory.CustomerRemoved,
    Kind.PACKAGE: directory.PackageRemoved,
    Kind.USER: directory.UserRemoved,
    Kind.ASSIGNMENT: directory.UserPlanUnassigned,
}
"""The event that says that it is gone; resellers, services and plans stay, at most as inactive ones."""

TYPE_OF: dict[int, str] = {int(kind): model.TYPE for kind, model in STATING.items()}
STATING_TYPES = {model.TYPE: kind for kind, model in STATING.items()}
REMOVING_TYPES = {model.TYPE: kind for kind, model in REMOVING.items()}

KIND_OF_PREFIX = {kind.word: kind for kind in Kind}
"""The first part of a record's key: the kind."""


def kind_of_key(key: str) -> Kind:
    """Give the kind of an entity's key, such as `user/acme/u1`. Raises KeyError for another text."""
    return KIND_OF_PREFIX[key.partition("/")[0]]
