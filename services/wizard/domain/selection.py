"""Who is selected: a base for everybody and exceptions, so that a million users need no row each.

A customer is in scope by its own exception, else by the base. A user of a customer in scope is selected by its own
exception, else by its customer's, else by the base.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Choices:
    """The check boxes: bases, and the exceptions for customers, for a customer's users, and for single users."""

    customers_base: bool
    users_base: bool
    customers: Mapping[str, bool] = field(default_factory=dict)
    users_of: Mapping[str, bool] = field(default_factory=dict)
    users: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    def in_scope(self, customer: str) -> bool:
        """Say whether the customer is selected."""
        return self.customers.get(customer, self.customers_base)

    def whole(self, customer: str) -> bool:
        """Say whether the customer's users are in unless excepted."""
        return self.users_of.get(customer, self.users_base)

    def selects(self, customer: str, user: str) -> bool:
        """Say whether the user is selected."""
        return user_selected(
            in_scope=self.in_scope(customer), whole=self.whole(customer), exception=self.users.get((customer, user))
        )


def user_selected(*, in_scope: bool, whole: bool, exception: bool | None) -> bool:
    """Say whether a user is selected; `exception` is its own check box, None if it was never touched."""
    if not in_scope:
        return False
    return whole if exception is None else exception


def selected_count(*, users: int, in_scope: bool, whole: bool, listed_in: int, listed_out: int) -> int:
    """Give how many of a customer's `users` on a plan are selected, from the numbers of its exceptions alone."""
    if not in_scope:
        return 0
    return users - listed_out if whole else listed_in
