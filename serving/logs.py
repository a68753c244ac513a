"""Structured logs: one JSON object a line on stdout, with the ids of the request, without secrets or stack traces."""

import logging
import re
import sys
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_HIDDEN = "[hidden]"
_SECRET_NAMES = re.compile(r"token|password|secret|authorization|cookie|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?i)\bbearer\s+[^\s\"',]+|\bps_[A-Za-z0-9_-]{16,}|(?<=://)[^/@\s:]*:[^/@\s]*(?=@)|(?<=password=)[^\s&]+"
)
_QUIET = ("aiokafka", "faststream", "kafka", "httpx", "httpcore", "asyncio")
_MAX_CAUSES = 8
_TRACE = "Traceback (most recent call last)"


def configure(service: str, instance: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's logs as JSON lines to stdout (or `stream`)."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared = _shared_processors(service, instance)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_formatter(shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    _route_libraries(number)


def get_logger(name: str) -> FilteringBoundLogger:
    """Give a logger; call it with an event in plain words and values by name."""
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


def redacted(text: str) -> str:
    """Give the text without bearer tokens, Planshift tokens and passwords inside URLs."""
    return _SECRET_TEXT.sub(_HIDDEN, text)


def _shared_processors(service: str, instance: str) -> list[Processor]:
    def add_identity(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        event["instance"] = instance
        return event

    return [
        structlog.contextvars.merge_contextvars,
        add_identity,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_error,
        hide_secrets,
    ]


def _formatter(shared: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _route_libraries(number: int) -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = name != "uvicorn.access"  # the access log is our own, with route and ids
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.getLogger("uvicorn").setLevel(max(number, logging.WARNING))
    logging.getLogger("uvicorn.error").addFilter(_not_logged_already)


def _not_logged_already(record: logging.LogRecord) -> bool:
    """Refuse uvicorn's second report of an error that serving.edge has logged with the request's ids."""
    return not record.getMessage().startswith("Exception in ASGI application")


def describe_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put type, message and place of the error (and of its causes) in place of a stack trace."""
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = _chain(error)
    if _TRACE in str(event.get("event")):  # some libraries log a formatted trace as their message
        event["event"] = str(event["event"]).strip().splitlines()[-1]
    return event


def _chain(error: BaseException) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    seen: BaseException | None = error
    while seen is not None and len(found) < _MAX_CAUSES:
        found.append({"type": type(seen).__name__, "message": str(seen), "at": _place(seen.__traceback__)})
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return found


def _place(traceback: TracebackType | None) -> str:
    """Give module and line of the innermost frame, enough to find it and nothing of its values."""
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}"


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the values of secret-sounding names and every token or password inside texts."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:  # noqa: ANN401 -- log values are anything
    if _SECRET_NAMES.search(key) and not isinstance(value, (bool, int)):
        return _HIDDEN
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {str(name): _clean(str(name), inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean("", inner) for inner in value]
    return value if isinstance(value, (bool, int, float, type(None))) or key.startswith("_") else redacted(str(value))
