"""Drafts as JSON: the bodies that steps take, and what is shown of a draft."""

from typing import Annotated, Any, Literal

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import Identifier
from contracts.requests import UserRef
from services.wizard.domain.asked import LIST_LIMIT
from services.wizard.domain.draft import Draft, Step
from services.wizard.drafting import CustomerChanges, DraftView, UserChanges

_CLOSED = ConfigDict(frozen=True, extra="forbid")
Everyone = Literal["all", "none"]
Customers = Annotated[tuple[Identifier, ...], Field(max_length=LIST_LIMIT)]
Users = Annotated[tuple[UserRef, ...], Field(max_length=LIST_LIMIT)]
LongText = Annotated[str, Field(max_length=100_000)]


class OptionsBody(BaseModel):
    """Step 2: the original's three options."""

    model_config = _CLOSED
    all_customers: bool
    all_users: bool
    generate_missing_packages: bool


class ServiceBody(BaseModel):
    """Step 3."""

    model_config = _CLOSED
    service: Identifier


class MappingBody(BaseModel):
    """A source plan and its destination, which may come later."""

    model_config = _CLOSED
    from_plan: Identifier
    to_plan: Identifier | None = None


class MappingsBody(BaseModel):
    """Steps 4 and 5."""

    model_config = _CLOSED
    mappings: Annotated[tuple[MappingBody, ...], Field(max_length=100)]


class MatchingBody(BaseModel):
    """Every matching customer that a search finds, on whatever page."""

    model_config = _CLOSED
    q: Annotated[str, Field(min_length=1, max_length=100)]
    selected: bool


class CustomersBody(BaseModel):
    """Step 6, in this order: everyone (which forgets all exceptions), what a search finds, then single customers."""

    model_config = _CLOSED
    everyone: Everyone | None = None
    matching: MatchingBody | None = None
    deselect: Customers = ()
    select: Customers = ()

    def changes(self) -> CustomerChanges:
        """Give the check boxes that change."""
        matching = (self.matching.q, self.matching.selected) if self.matching else None
        return CustomerChanges(_wanted(self.everyone), matching, self.select, self.deselect)


class UsersOfBody(BaseModel):
    """All users of a customer, or none of them."""

    model_config = _CLOSED
    customer: Identifier
    users: Everyone


class UsersBody(BaseModel):
    """Step 7, in this order: everyone (which forgets all exceptions), whole customers, then single users."""

    model_config = _CLOSED
    everyone: Everyone | None = None
    customers: Annotated[tuple[UsersOfBody, ...], Field(max_length=LIST_LIMIT)] = ()
    deselect: Users = ()
    select: Users = ()

    def changes(self) -> UserChanges:
        """Give the check boxes that change."""
        whole = [(choice.customer, choice.users == "all") for choice in self.customers]
        return UserChanges(_wanted(self.everyone), whole, self.select, self.deselect)


class DetailsBody(BaseModel):
    """Step 8."""

    model_config = _CLOSED
    name: LongText
    description: LongText = ""


def _wanted(everyone: Everyone | None) -> bool | None:
    return None if everyone is None else everyone == "all"


def summary(draft: Draft) -> dict[str, Any]:
    """Show a draft without its steps."""
    return {
        "draft": draft.draft,
        "caller": draft.caller,
        "state": draft.state,
        "version": draft.version,
        "name": draft.name,
        "service": draft.service,
        "request": draft.request,
        "created_at": draft.created_at.isoformat(),
        "updated_at": draft.updated_at.isoformat(),
    }


def document(view: DraftView) -> dict[str, Any]:
    """Show a draft with everything that was chosen, its steps, and its totals."""
    draft = view.draft
    return {
        **summary(draft),
        "options": {
            "all_customers": draft.all_customers,
            "all_users": draft.all_users,
            "generate_missing_packages": draft.generate_missing_packages,
        },
        "mappings": [{"from_plan": wish.from_plan, "to_plan": wish.to_plan} for wish in draft.mappings],
        "customers": {"everyone": "all" if draft.customers_base else "none"},
        "users": {"everyone": "all" if draft.users_base else "none"},
        "description": draft.description,
        "steps": [_step(step) for step in view.steps],
        "totals": totals(view),
    }


def _step(step: Step) -> dict[str, Any]:
    problems = [problem._asdict() for problem in step.problems]
    return {"number": step.number, "name": step.name, "complete": step.complete, "problems": problems}


def totals(view: DraftView) -> dict[str, Any]:
    """Show what the selection amounts to, as a whole and per mapping."""
    return {
        "customers": view.totals.customers,
        "customers_in_scope": view.totals.customers_in_scope,
        "matching_customers": view.totals.matching_customers,
        "users": view.totals.users,
        "matching_users": view.totals.matching_users,
        "mappings": [mapping._asdict() for mapping in view.totals.mappings],
    }


def customer_row(row: asyncpg.Record) -> dict[str, Any]:
    """Show a matching customer: plans it comes from, and for each destination its package and the room in it."""
    return {
        "customer": row["customer"],
        "name": row["name"],
        "active": row["active"],
        "selected": row["in_scope"],
        "users": row["users"],
        "selected_users": row["selected"],
        "sources": row["sources"],
        "destinations": row["destinations"],
    }
