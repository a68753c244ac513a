"""Bearer tokens on HTTP: who calls is known to every route, and a route says which scope it needs."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Security
from fastapi.security import HTTPBearer
from starlette.requests import Request

from serving.bodies import require_json
from serving.problems import Problem
from serving.tokens import Caller, Scope, Tokens

_HEADER = re.compile(r"^[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]{1,512}) *$")
_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="a token from the service's tokens file")


def authenticate(tokens: Tokens, authorization: str | None) -> Caller:
    """Give the caller of an Authorization header; raises the 401 problem."""
    match = _HEADER.match(authorization) if authorization else None
    if not match:
        detail = "Send 'Authorization: Bearer <token>'." if not authorization else "The header isn't 'Bearer <token>'."
        raise _refusal(detail, 'Bearer realm="planshift"')
    caller = tokens.find(match[1])
    if caller is None:
        raise _refusal("The token isn't known here.", 'Bearer realm="planshift", error="invalid_token"')
    return caller


def _refusal(detail: str, challenge: str) -> Problem:
    title = "A token is needed"
    return Problem("unauthenticated", title, 401, detail=detail, headers={"WWW-Authenticate": challenge})


def require(scope: Scope) -> Any:  # noqa: ANN401 -- what FastAPI's own Depends gives
    """Give the dependency that lets only callers with this scope pass and hands over the Caller."""
    return Security(scope_check(scope), scopes=[scope])


def scope_check(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """Give the check behind `require`."""

    async def check(request: Request, _shown: Annotated[object, Security(_bearer)]) -> Caller:
        caller: Caller = request.scope["caller"]  # the edge has refused everybody else
        if scope not in caller.scopes:
            challenge = f'Bearer realm="planshift", error="insufficient_scope", scope="{scope}"'
            detail = f"This needs the scope '{scope}'; the token '{caller.name}' doesn't have it."
            title = "The token doesn't allow this"
            headers = {"WWW-Authenticate": challenge}
            raise Problem("forbidden", title, 403, detail=detail, headers=headers, extra={"scope": scope})
        require_json(request)  # not before the scope: who may not call learns nothing of the route
        return caller

    check.__dict__["planshift_scope"] = scope
    return check
