"""The outermost layer of each HTTP service: ids, token, security headers, problem documents, access log, metrics.

Pure ASGI, so that streams and Server-Sent Events pass through piece by piece. A token is checked here, before
routing: a route can't forget it, and an unknown path tells a stranger nothing.
"""

import time
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import context, problems
from serving.auth import authenticate
from serving.logs import get_logger
from serving.metrics import HttpMetrics
from serving.tokens import Tokens

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_log = get_logger("serving.http")


class Exchange:
    """One answer on its way out: adds the headers, notes status and size, and turns plain-text errors into problems."""

    def __init__(self, send: Send, ids: context.RequestContext) -> None:
        self._send = send
        self._ids = ids
        self._swallowing = False
        self.status = 0
        self.sent_bytes = 0
        self.started_at = time.perf_counter()

    async def send(self, message: Message) -> None:
        """Pass one ASGI message on."""
        if self._swallowing:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
            return
        self.sent_bytes += len(message.get("body", b""))
        await self._send(message)

    async def _start(self, message: Message) -> None:
        headers = MutableHeaders(raw=list(message["headers"]))
        if message["status"] >= HTTPStatus.BAD_REQUEST and headers.get("content-type", "").startswith("text/plain"):
            await self._replace(message["status"])
            return
        self.status = message["status"]
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = self._ids.request_id
        headers["X-Correlation-Id"] = self._ids.correlation_id
        headers["traceparent"] = self._ids.traceparent
        await self._send({**message, "headers": headers.raw})

    async def _replace(self, status: int) -> None:
        """Answer with a problem in place of the plain text with which the framework refuses a request."""
        response = problems.for_status(status).response()
        await self._start({"type": "http.response.start", "status": status, "headers": response.raw_headers})
        self.sent_bytes += len(response.body)
        await self._send({"type": "http.response.body", "body": bytes(response.body)})
        self._swallowing = True


class Edge:
    """Wraps the whole application; `open_paths` are the only ones that need no token."""

    def __init__(self, app: ASGIApp, *, tokens: Tokens, metrics: HttpMetrics, open_paths: Collection[str]) -> None:
        self._app = app
        self._tokens = tokens
        self._metrics = metrics
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:  # no WebSocket is served, and none may come around the token
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        ids = context.from_headers(
            headers.get("x-request-id"), headers.get("x-correlation-id"), headers.get("traceparent")
        )
        exchange = Exchange(send, ids)
        self._metrics.began()
        with context.bound(ids):
            try:
                await self._answer(scope, receive, exchange, headers.get("authorization"))
            finally:
                self._record(scope, exchange)

    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange, authorization: str | None) -> None:
        try:
            if scope["path"] not in self._open_paths:
                scope["caller"] = authenticate(self._tokens, authorization)
            await self._app(scope, receive, exchange.send)
        except ClientDisconnect:
            _log.info("the client went away before the end")
        except Exception as error:
            problem = problems.for_error(error)
            if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.error("a request failed", path=scope["path"], exc_info=error)
            if not exchange.status:
                await problem.response()(scope, receive, exchange.send)
            elif exchange.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise  # half an answer is out: the server cuts the connection, so that nobody takes it for whole

    def _record(self, scope: Scope, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.started_at
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.ended(method, route, exchange.status, seconds)
        write = _log.debug if scope["path"] in self._open_paths else _log.info
        write(
            "request",
            method=method,
            path=scope["path"],
            route=route,
            status=exchange.status,
            ms=round(seconds * 1000, 2),
            bytes=exchange.sent_bytes,
            caller=getattr(scope.get("caller"), "name", ""),
        )
