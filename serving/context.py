"""Which request the code is working for: ids that logs, answers and published events carry (W3C Trace Context)."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from structlog.contextvars import bound_contextvars

_TRACEPARENT = re.compile(r"^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$")
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@:+=-]{0,127}$")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


class RequestContext(NamedTuple):
    """The ids of one request: trace_id is 32 hex digits, span_id (this service's part of the trace) 16."""

    request_id: str
    correlation_id: str
    trace_id: str
    span_id: str
    sampled: bool = False

    @property
    def traceparent(self) -> str:
        """The W3C header value that names this service as the parent of whatever follows."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


_current: ContextVar[RequestContext | None] = ContextVar("planshift_request", default=None)


def current() -> RequestContext | None:
    """Give the context of the request being served, or None outside of any."""
    return _current.get()


@contextmanager
def bound(context: RequestContext) -> Iterator[RequestContext]:
    """Work under this context: `current()` and every log line inside know its ids."""
    token = _current.set(context)
    try:
        with bound_contextvars(
            request_id=context.request_id, correlation_id=context.correlation_id, trace_id=context.trace_id
        ):
            yield context
    finally:
        _current.reset(token)


def from_headers(request_id: str | None, correlation_id: str | None, traceparent: str | None) -> RequestContext:
    """Take over the ids that a caller sent, and make new ones for those that are absent or malformed.

    A malformed id is replaced and not refused: a broken tracing proxy must not stop the work.
    """
    own_id = request_id if request_id and _ID.match(request_id) else secrets.token_hex(16)
    correlation = correlation_id if correlation_id and _ID.match(correlation_id) else own_id
    trace_id, sampled = _parsed(traceparent)
    return RequestContext(own_id, correlation, trace_id or secrets.token_hex(16), secrets.token_hex(8), sampled)


def _parsed(traceparent: str | None) -> tuple[str | None, bool]:
    match = _TRACEPARENT.match(traceparent.strip()) if traceparent else None
    if not match or match[1] == _NO_TRACE or match[2] == _NO_SPAN:
        return None, False
    return match[1], bool(int(match[3], 16) & 1)
