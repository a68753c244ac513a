"""Building a service's HTTP application: the same edge, errors, health routes and OpenAPI document for each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from serving import problems
from serving.auth import require
from serving.edge import Edge
from serving.metrics import CONTENT_TYPE, HttpMetrics, Metrics
from serving.openapi import document
from serving.problems import FieldError, Problem
from serving.settings import ServiceSettings
from serving.tokens import Tokens

OPEN_PATHS = ("/livez", "/readyz")
_PROBE_S = 3.0

Readiness = Callable[[], Awaitable[Sequence[str]]]
"""Gives every reason why the service can't do its work at the moment; an empty list means ready."""


class Lifespan(Protocol):
    """What FastAPI runs around the serving: it gets the application."""

    def __call__(self, app: FastAPI, /) -> AbstractAsyncContextManager[None]:
        """Give the context to serve in."""


class Api(FastAPI):
    """FastAPI with the edge around everything, the framework's own error pages included."""

    def __init__(self, *, tokens: Tokens, http_metrics: HttpMetrics, **options: Any) -> None:  # noqa: ANN401 -- FastAPI's
        self._tokens = tokens
        self._http_metrics = http_metrics
        self.stopping = asyncio.Event()
        super().__init__(**options)

    def build_middleware_stack(self) -> ASGIApp:
        """Give the application inside the edge; refuses one with a route that names no scope."""
        if unguarded := list(routes_without_scope(self)):
            raise RuntimeError(f"these routes name no scope with serving.auth.require: {', '.join(unguarded)}")
        inner = super().build_middleware_stack()
        return Edge(inner, tokens=self._tokens, metrics=self._http_metrics, open_paths=OPEN_PATHS)

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI 3.1 document, with problem documents as every route's errors."""
        if self.openapi_schema is None:
            self.openapi_schema = document(super().openapi())
        return self.openapi_schema


def create_api(
    title: str,
    version: str,
    settings: ServiceSettings,
    *,
    metrics: Metrics,
    readiness: Readiness,
    lifespan: Lifespan | None = None,
    description: str = "",
) -> Api:
    """Give the application to add routers to.

    A body over `settings.body_limit` is refused with 413; a route that takes more says `max_body_size=`.
    `/metrics` and `/openapi.json` need the scope read. Interactive docs are off: a browser sends no token by itself.
    """
    app = Api(
        tokens=Tokens(settings.tokens_file),
        http_metrics=HttpMetrics(metrics),
        title=title,
        version=version,
        description=description,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=settings.body_limit,
    )
    problems.install(app)
    _add_health(app, readiness)
    _add_descriptions(app, metrics)
    return app


def _add_health(app: Api, readiness: Readiness) -> None:
    @app.get("/livez", tags=["health"], summary="The process runs")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"], summary="The service can do its work; 503 with every reason if not")
    async def readyz() -> dict[str, str]:
        reasons = ["the service is stopping"] if app.stopping.is_set() else await _reasons(readiness)
        if reasons:
            errors = [FieldError("", "not-ready", reason) for reason in reasons]
            raise Problem("not-ready", "The service can't do its work at the moment", 503, errors=errors)
        return {"status": "ready"}


async def _reasons(readiness: Readiness) -> Sequence[str]:
    try:
        async with asyncio.timeout(_PROBE_S):
            return await readiness()
    except TimeoutError:
        return [f"the check took longer than {_PROBE_S:g} s"]


def _add_descriptions(app: Api, metrics: Metrics) -> None:
    @app.get("/metrics", tags=["health"], dependencies=[require("read")], summary="Prometheus' text format")
    async def read_metrics() -> Response:
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    @app.get("/openapi.json", dependencies=[require("read")], include_in_schema=False)
    async def read_openapi() -> JSONResponse:
        return JSONResponse(app.openapi())


def routes_without_scope(app: FastAPI) -> Iterator[str]:
    """Name each route that any token could call because nobody said which scope it needs."""
    for route in iter_route_contexts(app.routes):
        if route.path not in OPEN_PATHS and not _has_scope(route):
            yield f"{'/'.join(sorted(route.methods or ()))} {route.path}"


def _has_scope(route: RouteContext) -> bool:
    dependant: Dependant | None = getattr(route, "dependant", None)
    waiting = [dependant] if dependant else []
    while waiting:
        one = waiting.pop()
        if hasattr(one.call, "planshift_scope"):
            return True
        waiting += one.dependencies
    return False
