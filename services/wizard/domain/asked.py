"""A whole request in one piece, as another system sends it, and what a person adds when finishing a draft."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import Count, Identifier, Moment
from contracts.requests import Mapping, UserRef

LIST_LIMIT = 200_000
"""Entries of one list in a body; more come as criteria."""

_CLOSED = ConfigDict(frozen=True, extra="forbid")
Mode = Literal["preview", "execute"]
Caller = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class AskedSelection(BaseModel):
    """Who is meant, as in the event `MigrationRequested`, with lists of any length up to the limit."""

    model_config = _CLOSED
    all_customers: bool = False
    all_users: bool = False
    customers: Annotated[tuple[Identifier, ...], Field(max_length=LIST_LIMIT)] = ()
    excluded_customers: Annotated[tuple[Identifier, ...], Field(max_length=LIST_LIMIT)] = ()
    users: Annotated[tuple[UserRef, ...], Field(max_length=LIST_LIMIT)] = ()
    excluded_users: Annotated[tuple[UserRef, ...], Field(max_length=LIST_LIMIT)] = ()


class SeenByCaller(BaseModel):
    """What the caller saw before asking; it binds. Left out: what this service's view says at this moment."""

    model_config = _CLOSED
    users: Count
    customers: Count | None = None
    directory_position: dict[str, Count] | None = None
    tolerance_percent: Annotated[float, Field(ge=0, le=100)] = 1.0


class Finish(BaseModel):
    """What comes with the end of a draft: dry run or not, when, and the caller's own reference."""

    model_config = _CLOSED
    mode: Mode = "execute"
    start_at: Moment | None = None
    reference: Identifier | None = None
    requested_by: Caller | None = None
    seen: SeenByCaller | None = None


class MigrationAsked(Finish):
    """The nine steps in one body; without a name, one is made of the mappings."""

    service: Identifier
    mappings: Annotated[tuple[Mapping, ...], Field(max_length=100)]
    selection: AskedSelection
    generate_missing_packages: bool = False
    name: str | None = None
    description: str = ""
