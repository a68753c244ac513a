"""The HTTP client of the command line: tokens from a file, problem documents as exceptions, streams line by line."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urljoin

import httpx

_ATTEMPTS = 4
_PAUSE_S = 0.2
_WATCH_TIMEOUT_S = 45.0
_PASSING = frozenset({502, 503, 504})
_CHUNK_BYTES = 65_536


class Unreachable(Exception):  # noqa: N818 -- says what happened
    """Nobody answers at the address; the message is one clear line. Exit code 3."""


class NoToken(Exception):  # noqa: N818 -- says what happened
    """The token's file can't be read; the message is one clear line."""


class ServiceError(Exception):
    """The service answered with an error: `problem` is its RFC 9457 document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        title, detail = str(problem.get("title", f"HTTP {status}")), str(problem.get("detail", ""))
        super().__init__(f"{title}: {detail}" if detail else title)

    @property
    def slug(self) -> str:
        """The stable end of the problem's type."""
        return str(self.problem.get("type", "")).rpartition(":")[2]

    def lines(self) -> list[str]:
        """Give every single problem as a line for a person."""
        errors = self.problem.get("errors") or []
        return [f"{error['pointer']} {error['detail']}".strip() for error in errors]


class Event(NamedTuple):
    """One Server-Sent Event; `data` is the decoded JSON document."""

    id: str
    event: str
    data: Any


class Client:
    """Speaks to one service. Only GET is tried again, and only when nobody answers or the service says it is away."""

    def __init__(self, base_url: str, token_file: Path | None = None, *, timeout_s: float = 30.0) -> None:
        self.base_url = base_url.rstrip("/")
        headers = {"Authorization": f"Bearer {read_token(token_file)}"} if token_file else {}
        # No proxy and no .netrc from the environment: a token for loopback must not go anywhere else.
        self._http = httpx.Client(base_url=self.base_url, headers=headers, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:  # noqa: ANN401 -- JSON
        """Give the JSON answer; None parameters are left out, lists repeated. Raises ServiceError, Unreachable."""
        return _json(self._read("GET", path, parameters))

    def post(
        self, path: str, body: object = None, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> Any:  # noqa: ANN401 -- JSON
        """Send a POST once and give the JSON answer, in which Location and ETag stand as "location" and "etag"."""
        return self.send("POST", path, body, idempotency_key=idempotency_key, if_match=if_match)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> Any:  # noqa: ANN401 -- JSON
        """Send a changing request once and give the JSON answer; after Unreachable its effect is unknown."""
        headers = {"Idempotency-Key": idempotency_key, "If-Match": if_match}
        given = {name: value for name, value in headers.items() if value}
        with self._reaching():
            response = self._http.request(method, path, json=body, headers=given)
        return _json(_checked(response))

    def pages(self, path: str, **parameters: Any) -> Iterator[Any]:  # noqa: ANN401 -- JSON
        """Give each page's JSON, following the Link header."""
        response = self._read("GET", path, parameters)
        yield _json(response)
        while following := response.links.get("next", {}).get("url"):
            response = self._read("GET", _same_host(self.base_url, urljoin(str(response.url), following)), {})
            yield _json(response)

    def events(self, path: str, last_event_id: str | None = None) -> Iterator[Event]:
        """Give Server-Sent Events until the service ends the stream; reconnecting is the caller's."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_event_id} if last_event_id else {})}
        timeout = httpx.Timeout(10.0, read=_WATCH_TIMEOUT_S)
        with self._reaching(), self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            _checked_stream(response)
            yield from parse_events(response.iter_lines())

    def download(self, path: str, target: Path, **parameters: Any) -> int:  # noqa: ANN401 -- query values
        """Write the answer to a file in constant memory, whole or not at all; gives its length in bytes."""
        draft, size = target.with_name(f".{target.name}.part"), 0
        try:
            with draft.open("wb") as file:
                for chunk in self.chunks(path, **parameters):
                    size += file.write(chunk)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return size

    def chunks(self, path: str, **parameters: Any) -> Iterator[bytes]:  # noqa: ANN401 -- query values
        """Give the answer's bytes piece by piece; raises Unreachable when the connection is cut before the end."""
        with self._reaching(), self._http.stream("GET", path, params=_given(parameters)) as response:
            _checked_stream(response)
            yield from response.iter_bytes(_CHUNK_BYTES)

    def _read(self, method: str, path: str, parameters: Mapping[str, Any]) -> httpx.Response:
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                with self._reaching():
                    response = self._http.request(method, path, params=_given(parameters) or None)
                if response.status_code not in _PASSING or last:
                    return _checked(response)
            except Unreachable:
                if last:
                    raise
            time.sleep(_PAUSE_S * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise Unreachable(f"{self.base_url} doesn't answer in time") from error
        except httpx.TransportError as error:
            raise Unreachable(f"{self.base_url} can't be reached: {str(error) or type(error).__name__}") from error


def read_token(path: Path) -> str:
    """Give the token that the file holds; raises NoToken."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it isn't text"
        raise NoToken(f"the token file {path} can't be read: {reason}") from error


def parse_events(lines: Iterator[str]) -> Iterator[Event]:
    """Give the events of a stream's lines; comments (heartbeats) and unknown fields are skipped."""
    last_id, name, data = "", "message", list[str]()
    for line in lines:
        if not line:
            if data:
                yield Event(last_id, name, json.loads("\n".join(data)))
            name, data = "message", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "id":
            last_id = value
        elif key == "event":
            name = value
        elif key == "data":
            data.append(value)


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise ServiceError(response.status_code, _problem(response))


def _checked_stream(response: httpx.Response) -> None:
    if not response.is_success:
        response.read()
        _checked(response)


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    return (
        found if isinstance(found, dict) else {"title": f"HTTP {response.status_code}", "status": response.status_code}
    )


def _json(response: httpx.Response) -> Any:  # noqa: ANN401 -- JSON
    try:
        value = response.json() if response.content else None
    except ValueError as error:
        raise Unreachable(f"{response.url.netloc.decode()} answers, but isn't a Planshift service") from error
    told = {name: response.headers[name] for name in ("location", "etag") if name in response.headers}
    return {**value, **told} if told and isinstance(value, dict) else value


def _same_host(base_url: str, url: str) -> str:
    """Refuse to take the token elsewhere, whatever a Link header says."""
    if not url.startswith(f"{base_url}/"):
        raise Unreachable(f"{base_url} leads to another place: {url}")
    return url
