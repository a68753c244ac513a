"""Events of `directory.events`: what sources report, keyed by entity.

A record states the whole entity. The highest `revision` of an entity wins; a removal is a record, too.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import Identifier, Name, Revision, SeatLimit

_FROZEN = ConfigDict(frozen=True, strict=True, extra="ignore")


class DirectoryFact(BaseModel):
    """What every directory event has: `revision`, when the source last decided."""

    model_config = _FROZEN
    TYPE: ClassVar[str]
    revision: Revision

    def key(self) -> str:
        """Give the entity's key: the record's key on Kafka."""
        raise AssertionError(type(self))

    def subject(self) -> str:
        """Give what the event is about; for the directory, the key."""
        return self.key()


class ResellerRegistered(DirectoryFact):
    """A reseller under another one; the provider has no parent."""

    TYPE = "planshift.directory.reseller-registered.v1"
    reseller: Identifier
    name: Name
    parent: Identifier | None = None
    active: bool = True

    def key(self) -> str:
        """Give `reseller/<reseller>`."""
        return f"reseller/{self.reseller}"


class CustomerRegistered(DirectoryFact):
    """An organisation under a reseller."""

    TYPE = "planshift.directory.customer-registered.v1"
    customer: Identifier
    reseller: Identifier
    name: Name
    active: bool = True

    def key(self) -> str:
        """Give `customer/<customer>`."""
        return f"customer/{self.customer}"


class CustomerRemoved(DirectoryFact):
    """The organisation is gone, and with it its users and packages."""

    TYPE = "planshift.directory.customer-removed.v1"
    customer: Identifier

    def key(self) -> str:
        """Give `customer/<customer>`."""
        return f"customer/{self.customer}"


class ConnectorChoice(BaseModel):
    """Who does a service's outside work, with its options.

    `internal` is the engine's own directory. `simulated` refuses a seeded share of the users:
    options `refuse_percent` (0 to 100, default 0), `seed` (any text) and `refuse_packages_percent`.
    """

    model_config = _FROZEN
    name: Literal["internal", "simulated"] = "internal"
    options: dict[str, str] = Field(default_factory=dict)


class ServiceDefined(DirectoryFact):
    """A service that is sold."""

    TYPE = "planshift.directory.service-defined.v1"
    service: Identifier
    name: Name
    connector: ConnectorChoice = ConnectorChoice()

    def key(self) -> str:
        """Give `service/<service>`."""
        return f"service/{self.service}"


class UserPlanDefined(DirectoryFact):
    """A level of a service, with features (name: text) and quotas (name: amount).

    `default_seat_limit` is the limit of a generated package; none means no limit.
    """

    TYPE = "planshift.directory.user-plan-defined.v1"
    service: Identifier
    plan: Identifier
    name: Name
    features: dict[Identifier, Name] = Field(default_factory=dict)
    quotas: dict[Identifier, int] = Field(default_factory=dict)
    default_seat_limit: SeatLimit | None = None
    active: bool = True

    def key(self) -> str:
        """Give `plan/<service>/<plan>`."""
        return f"plan/{self.service}/{self.plan}"


class PackageProvisioned(DirectoryFact):
    """One user plan made available to one customer; no limit means that any number of users fit."""

    TYPE = "planshift.directory.package-provisioned.v1"
    customer: Identifier
    service: Identifier
    plan: Identifier
    seat_limit: SeatLimit | None = None

    def key(self) -> str:
        """Give `package/<customer>/<service>/<plan>`."""
        return f"package/{self.customer}/{self.service}/{self.plan}"


class PackageRemoved(DirectoryFact):
    """The customer no longer has the package."""

    TYPE = "planshift.directory.package-removed.v1"
    customer: Identifier
    service: Identifier
    plan: Identifier

    def key(self) -> str:
        """Give `package/<customer>/<service>/<plan>`."""
        return f"package/{self.customer}/{self.service}/{self.plan}"


class UserRegistered(DirectoryFact):
    """A user of a customer, with the personal data that stays in the directory."""

    TYPE = "planshift.directory.user-registered.v1"
    customer: Identifier
    user: Identifier
    name: Name
    email: Annotated[str, Field(max_length=320)] | None = None

    def key(self) -> str:
        """Give `user/<customer>/<user>`."""
        return f"user/{self.customer}/{self.user}"


class UserRemoved(DirectoryFact):
    """The user is gone, and with it every assignment whose revision is not newer."""

    TYPE = "planshift.directory.user-removed.v1"
    customer: Identifier
    user: Identifier

    def key(self) -> str:
        """Give `user/<customer>/<user>`."""
        return f"user/{self.customer}/{self.user}"


class UserPlanAssigned(DirectoryFact):
    """The user is on this plan of this service."""

    TYPE = "planshift.directory.user-plan-assigned.v1"
    customer: Identifier
    user: Identifier
    service: Identifier
    plan: Identifier

    def key(self) -> str:
        """Give `assignment/<customer>/<user>/<service>`."""
        return f"assignment/{self.customer}/{self.user}/{self.service}"


class UserPlanUnassigned(DirectoryFact):
    """The user is on no plan of this service."""

    TYPE = "planshift.directory.user-plan-unassigned.v1"
    customer: Identifier
    user: Identifier
    service: Identifier

    def key(self) -> str:
        """Give `assignment/<customer>/<user>/<service>`."""
        return f"assignment/{self.customer}/{self.user}/{self.service}"


DirectoryEvent = (
    ResellerRegistered
    | CustomerRegistered
    | CustomerRemoved
    | ServiceDefined
    | UserPlanDefined
    | PackageProvisioned
    | PackageRemoved
    | UserRegistered
    | UserRemoved
    | UserPlanAssigned
    | UserPlanUnassigned
)
"""The closed union of `directory.events`."""
