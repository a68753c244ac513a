"""Errors as RFC 9457 problem documents: one exception to raise, one media type, every error of a body at once."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Router

from serving.context import current
from serving.outage import is_away

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:planshift:problem:"


class FieldError(NamedTuple):
    """One thing that is wrong: JSON pointer into the body ("/mappings/0") or "?name" for a query parameter."""

    pointer: str
    code: str
    detail: str


class Problem(Exception):  # noqa: N818 -- RFC 9457's own word
    """An answer that is an error; raise it anywhere below a route.

    `slug` is the stable end of its type URI, `title` the same words each time, `detail` about this occurrence.
    """

    def __init__(
        self,
        slug: str,
        title: str,
        status: int,
        *,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.slug, self.title, self.status, self.detail = slug, title, status, detail
        self.errors, self.headers, self.extra = tuple(errors), dict(headers or {}), dict(extra or {})

    def document(self) -> dict[str, object]:
        """Give the problem's members; `request_id` leads to the log lines of the request."""
        context = current()
        members: dict[str, object] = {
            **self.extra,
            "type": TYPE_PREFIX + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "errors": [error._asdict() for error in self.errors],
            "request_id": context.request_id if context else "",
        }
        return {name: value for name, value in members.items() if value not in ("", [])}

    def response(self) -> Response:
        """Give the HTTP answer."""
        body = json.dumps(self.document(), ensure_ascii=False, default=str).encode()
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def unexpected() -> Problem:
    """Give the answer to an error that nobody foresaw; what happened is in the log and not in the answer."""
    return Problem("internal", "Something went wrong inside the service", 500, detail="The log has it by request_id.")


def for_error(error: BaseException) -> Problem:
    """Give the problem of an exception: itself, 503 when a database connection is the cause, else 500."""
    if isinstance(error, Problem):
        return error
    return unavailable("The database can't be reached at the moment.") if is_away(error) else unexpected()


def unavailable(what: str, retry_after_s: int = 2) -> Problem:
    """Give the answer while a part that the service needs is away."""
    return Problem(
        "unavailable", "A part that this needs is away", 503, detail=what, headers={"Retry-After": str(retry_after_s)}
    )


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_unexpected(_request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw; the edge gets the error itself and logs it."""
    return for_error(error).response()


async def _on_problem(_request: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, Problem) else unexpected().response()


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return unexpected().response()
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request))
    return for_status(error.status_code, str(error.detail), headers).response()


_TITLES = {
    400: ("bad-request", "The request can't be read"),
    401: ("unauthenticated", "A token is needed"),
    403: ("forbidden", "The token doesn't allow this"),
    404: ("not-found", "Nothing is here"),
    405: ("method-not-allowed", "The method isn't allowed here"),
    413: ("too-large", "The body is too large"),
    415: ("unsupported-media-type", "The body's media type isn't taken here"),
    422: ("invalid", "The request isn't valid"),
}


def for_status(status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> Problem:
    """Give the problem of a plain HTTP status."""
    phrase = HTTPStatus(status).phrase
    slug, title = _TITLES.get(status, (phrase.lower().replace(" ", "-"), phrase))
    return Problem(
        slug, title, status, detail="" if detail in {phrase, "Content Too Large"} else detail, headers=headers
    )


def allowed_methods(request: Request) -> list[str]:
    """Give every method of every route that matches the path, sorted (a router itself names the first route's only)."""
    found: set[str] = set()
    for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"):
        scope = {**request.scope, "method": method}
        router: Router = request.app.router
        if any(route.matches(scope)[0] is Match.FULL for route in router.routes):
            found.add(method)
    return sorted(found)


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    details = error.errors() if isinstance(error, RequestValidationError) else ()
    errors = [_field_error(detail) for detail in details]
    if any(found.code == "json_invalid" for found in errors):
        return Problem("not-json", "The body isn't JSON", 400, errors=errors).response()
    title = _TITLES[422][1]
    count = "1 thing is wrong" if len(errors) == 1 else f"{len(errors)} things are wrong"
    return Problem("invalid", title, 422, detail=count, errors=errors).response()


def _field_error(detail: Mapping[str, Any]) -> FieldError:
    """Map pydantic's location to a JSON pointer; the given value isn't repeated, it may be secret or huge."""
    place, *path = detail["loc"] or ("body",)
    code, message = str(detail["type"]), str(detail["msg"])
    if code == "json_invalid":
        return FieldError("", code, f"{message} at character {path[0] if path else 0}")
    if place == "body":
        return FieldError(pointer_of(path), code, message)
    mark = {"query": "?", "path": "path:", "header": "header:", "cookie": "cookie:"}.get(str(place), "")
    return FieldError(mark + "/".join(str(part) for part in path), code, message)


def pointer_of(path: Sequence[str | int]) -> str:
    """Give the JSON pointer (RFC 6901) of a path of names and indexes; "" is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
