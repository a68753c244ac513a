"""Who may do what, and what every route of the wizard needs."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query, Security
from starlette.requests import Request

from serving.auth import require, scope_check
from serving.postgres import Pool
from serving.tokens import Caller, Scope

READ = require("read")
OPERATE = require("operate")
Operator = Annotated[Caller, OPERATE]

Limit = Annotated[int, Query(ge=1, le=500, description="rows of a page")]
Cursor = Annotated[str | None, Query(max_length=2000, description="from the Link header of the page before")]
Search = Annotated[
    str | None, Query(alias="q", min_length=1, max_length=100, description="part of a name or an id, case ignored")
]


def _either() -> Any:  # noqa: ANN401 -- what FastAPI's own Depends gives
    """Let callers pass with the scope publish, as other systems have, or operate, as people have."""
    of_people, of_systems = scope_check("operate"), scope_check("publish")

    async def check(request: Request) -> Caller:
        caller: Caller = request.scope["caller"]
        wanted: Scope = "publish"
        check_one = of_systems if wanted in caller.scopes else of_people
        return await check_one(request, None)

    check.__dict__["planshift_scope"] = "operate"
    return Security(check, scopes=["operate"])


Asker = Annotated[Caller, _either()]


@dataclass(frozen=True)
class Parts:
    """What routes work with: the pool, where requests are followed, and what to do after an event was committed."""

    pool: Pool
    tracker_url: str
    wake: Callable[[], None]
    seconds_behind: Callable[[], float]
    lag: Callable[[], int]

    def follow(self, request: str) -> str:
        """Give the URL at which a request is followed."""
        return f"{self.tracker_url.rstrip('/')}/v1/requests/{request}"


def now() -> datetime:
    """Give the time in UTC."""
    return datetime.now(UTC)


def new_request_id(moment: datetime) -> str:
    """Give a request id that people can read and that sorts by time: mr-20261124-143059-x7k2m9qp."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return f"mr-{moment:%Y%m%d-%H%M%S}-" + "".join(secrets.choice(letters) for _ in range(8))


def new_draft_id() -> str:
    """Give a draft's id."""
    return f"draft-{secrets.token_hex(10)}"
