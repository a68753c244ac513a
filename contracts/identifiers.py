"""The constrained scalar types that every contract uses."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

IDENTIFIER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@:+=-]{0,127}$"
"""ASCII, 1 to 128 characters, nothing that JSON or a path must escape."""

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER_PATTERN)]

NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""Text on one line: no control characters and no line separators."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=1, max_length=200)]
"""A name for people, 1 to 200 characters on one line."""

Description = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", max_length=2000)]
"""Free text, at most 2,000 characters; line breaks and tabs are allowed."""

Revision = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""When the source last decided: a version, or microseconds since 1970-01-01 UTC."""

Count = Annotated[int, Field(ge=0, le=2**53)]

SeatLimit = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""Users that a package has room for."""

Moment = AwareDatetime
"""An instant with its offset from UTC."""
