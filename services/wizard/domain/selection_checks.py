"""What can be wrong with a selection: contradictions and repetitions inside it, and names that nobody knows."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from contracts.reasons import ProblemCode
from contracts.requests import UserRef
from services.wizard.domain.asked import AskedSelection
from services.wizard.domain.checks import Found

Entry = TypeVar("Entry", str, UserRef)

CUSTOMER_LISTS = ("customers", "excluded_customers")
USER_LISTS = ("users", "excluded_users")


def check_selection(selection: AskedSelection) -> list[Found]:
    """Find contradictions and repetitions."""
    return [*_wholes(selection), *_named_and_excluded(selection), *_out_of_scope(selection), *_repetitions(selection)]


def check_known(
    selection: AskedSelection, unknown_customers: Collection[str], unknown_users: dict[UserRef, str | None]
) -> list[Found]:
    """Find names that the view doesn't know; a user's value is another customer that has a user of that id."""
    found = [
        Found(ProblemCode.CUSTOMER_UNKNOWN, f"/selection/{name}/{number}", f"There is no customer {customer}.")
        for name in CUSTOMER_LISTS
        for number, customer in enumerate(getattr(selection, name))
        if customer in unknown_customers
    ]
    for name in USER_LISTS:
        for number, user in enumerate(getattr(selection, name)):
            at = f"/selection/{name}/{number}"
            if user.customer in unknown_customers:
                detail = f"There is no customer {user.customer}."
                found.append(Found(ProblemCode.CUSTOMER_UNKNOWN, f"{at}/customer", detail))
            elif user in unknown_users:
                found.append(Found(ProblemCode.USER_UNKNOWN, at, _unknown_user(user, unknown_users[user])))
    return found


def _unknown_user(user: UserRef, other_customer: str | None) -> str:
    text = f"{user.customer} has no user {user.user}"
    return f"{text}; {other_customer} has one of that id." if other_customer else f"{text}."


def _wholes(selection: AskedSelection) -> Iterable[Found]:
    code, at = ProblemCode.SELECTION_CONTRADICTORY, "/selection"
    if selection.all_customers and selection.customers:
        yield Found(code, f"{at}/customers", "All customers are selected, and some are named besides.")
    if selection.all_users and selection.users:
        yield Found(code, f"{at}/users", "All users are selected, and some are named besides.")
    if selection.all_users and not selection.all_customers and not selection.customers:
        detail = "All users, but of no customer: select all customers or name some."
        yield Found(ProblemCode.SELECTION_EMPTY, f"{at}/customers", detail)
    if not selection.all_users and not selection.users:
        yield Found(ProblemCode.SELECTION_EMPTY, f"{at}/users", "Select all users or name some.")


def _named_and_excluded(selection: AskedSelection) -> Iterable[Found]:
    code = ProblemCode.SELECTION_CONTRADICTORY
    customers, users = set(selection.customers), set(selection.users)
    for number, customer in enumerate(selection.excluded_customers):
        if customer in customers:
            yield Found(code, f"/selection/excluded_customers/{number}", f"{customer} is named and excluded.")
    for number, user in enumerate(selection.excluded_users):
        if user in users:
            detail = f"{user.customer}/{user.user} is named and excluded."
            yield Found(code, f"/selection/excluded_users/{number}", detail)


def _out_of_scope(selection: AskedSelection) -> Iterable[Found]:
    named, out = set(selection.customers), set(selection.excluded_customers)
    for number, user in enumerate(selection.users):
        if user.customer in out or (named and user.customer not in named):
            detail = f"{user.customer}/{user.user} is named, but its customer isn't selected."
            yield Found(ProblemCode.SELECTION_CONTRADICTORY, f"/selection/users/{number}/customer", detail)


def _repetitions(selection: AskedSelection) -> Iterable[Found]:
    for name in CUSTOMER_LISTS:
        customers: tuple[str, ...] = getattr(selection, name)
        for number, customer in _repeated(customers):
            detail = f"{customer} is listed twice."
            yield Found(ProblemCode.CUSTOMER_LISTED_TWICE, f"/selection/{name}/{number}", detail)
    for name in USER_LISTS:
        users: tuple[UserRef, ...] = getattr(selection, name)
        for number, user in _repeated(users):
            detail = f"{user.customer}/{user.user} is listed twice."
            yield Found(ProblemCode.USER_LISTED_TWICE, f"/selection/{name}/{number}", detail)


def _repeated(entries: Sequence[Entry]) -> Iterable[tuple[int, Entry]]:
    seen: set[Entry] = set()
    for number, entry in enumerate(entries):
        if entry in seen:
            yield number, entry
        seen.add(entry)
