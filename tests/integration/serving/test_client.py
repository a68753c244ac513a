"""The command line's HTTP client against a real server."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, TypeVar

import pytest
from fastapi import APIRouter, Header, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from serving.app import create_api
from serving.auth import require
from serving.client import Client, Event, NoToken, ServiceError, Unreachable, parse_events
from serving.cursors import link_header
from serving.metrics import Metrics
from serving.problems import FieldError, Problem
from serving.streaming import jsonl_response
from tests.integration.serving.served import sample_settings, served, write_sample_tokens

T = TypeVar("T")


class Counting:
    """Routes that count their calls and fail as often as told."""

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0

    def count(self) -> None:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise Problem("unavailable", "Away", 503)


async def _rows() -> AsyncIterator[dict[str, object]]:
    for number in range(20_000):
        yield {"n": number}


async def _cut() -> AsyncIterator[bytes]:
    yield b"half" * 1000
    raise RuntimeError("broken")


async def _events() -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n: hello\n\nid: 1\nevent: request\ndata: {\ndata: }\n\n"
    yield b'id: 2\ndata: {"n":2}\n\ndata: cut'


def _router(counting: Counting) -> APIRouter:
    router = APIRouter(dependencies=[require("operate")])

    @router.get("/things")
    async def things(request: Request, cursor: int = 0, kind: str = "") -> Response:
        counting.count()
        link = link_header(request.url, next_cursor=str(cursor + 1) if cursor < 2 else None)
        return JSONResponse({"page": cursor, "kind": kind}, headers={"Link": link} if link else {})

    @router.post("/things", status_code=202)
    async def make(key: Annotated[str, Header(alias="Idempotency-Key")]) -> Response:
        counting.count()
        return JSONResponse({"key": key}, 202, headers={"Location": "/things/1"})

    @router.get("/refused")
    async def refused() -> None:
        errors = [FieldError("/a", "x", "first"), FieldError("?b", "y", "second")]
        raise Problem("invalid", "Not valid", 422, detail="2 things", errors=errors)

    @router.get("/elsewhere")
    async def elsewhere() -> Response:
        return JSONResponse({}, headers={"Link": '<http://10.0.0.1:1/steal>; rel="next"'})

    @router.get("/file")
    async def file() -> Response:
        return jsonl_response(_rows(), "f.jsonl")

    @router.get("/cut")
    async def cut() -> Response:
        return StreamingResponse(_cut())

    @router.get("/events")
    async def events() -> Response:
        return StreamingResponse(_events(), media_type="text/event-stream")

    return router


class Setting:
    """The served routes and how to call them from a thread, as the client is synchronous."""

    def __init__(self, counting: Counting, url: str, folder: Path) -> None:
        self.counting, self.url, self.folder = counting, url, folder

    async def call(self, work: Callable[[Client], T], token_file: str = "token") -> T:
        def inside() -> T:
            with Client(self.url, self.folder / token_file) as client:
                return work(client)

        return await asyncio.to_thread(inside)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    tokens, counting = write_sample_tokens(tmp_path), Counting()
    (tmp_path / "token").write_text(tokens["operator"] + "\n")
    (tmp_path / "reader").write_text(tokens["reader"])

    async def readiness() -> Sequence[str]:
        return []

    app = create_api("S", "1", sample_settings(tmp_path), metrics=Metrics("s"), readiness=readiness)
    app.include_router(_router(counting))
    async with served(app) as url:
        yield Setting(counting, url, tmp_path)


async def test_the_client_sends_its_token_and_leaves_out_what_is_none(setting: Setting) -> None:
    assert await setting.call(lambda c: c.get("/things", kind="a b", cursor=None)) == {"page": 0, "kind": "a b"}


async def test_pages_follow_the_link_with_the_same_filters(setting: Setting) -> None:
    pages = await setting.call(lambda c: list(c.pages("/things", kind="x")))
    assert pages == [{"page": number, "kind": "x"} for number in range(3)]


async def test_the_token_is_never_taken_to_another_place(setting: Setting) -> None:
    with pytest.raises(Unreachable, match="leads to another place"):
        await setting.call(lambda c: list(c.pages("/elsewhere")))


async def test_an_error_carries_the_problem_and_all_its_lines(setting: Setting) -> None:
    with pytest.raises(ServiceError) as refused:
        await setting.call(lambda c: c.get("/refused"))
    assert (refused.value.status, refused.value.slug) == (422, "invalid")
    assert str(refused.value) == "Not valid: 2 things"
    assert refused.value.lines() == ["/a first", "?b second"]


async def test_a_missing_scope_is_a_service_error(setting: Setting) -> None:
    with pytest.raises(ServiceError) as refused:
        await setting.call(lambda c: c.get("/things"), token_file="reader")
    assert (refused.value.status, refused.value.slug) == (403, "forbidden")


async def test_reading_is_tried_again_while_the_service_is_away(setting: Setting) -> None:
    setting.counting.failures = 2
    assert (await setting.call(lambda c: c.get("/things")))["page"] == 0
    assert setting.counting.calls == 3


async def test_reading_ends_after_four_attempts(setting: Setting) -> None:
    setting.counting.failures = 99
    with pytest.raises(ServiceError) as refused:
        await setting.call(lambda c: c.get("/things"))
    assert (refused.value.status, setting.counting.calls) == (503, 4)


async def test_changing_is_never_tried_again_by_itself(setting: Setting) -> None:
    setting.counting.failures = 1
    with pytest.raises(ServiceError):
        await setting.call(lambda c: c.post("/things", idempotency_key="k1"))
    assert setting.counting.calls == 1
    answer = await setting.call(lambda c: c.post("/things", idempotency_key="k1"))
    assert answer == {"key": "k1", "location": "/things/1"}


async def test_events_are_decoded_and_a_cut_one_is_dropped(setting: Setting) -> None:
    events = await setting.call(lambda c: list(c.events("/events", last_event_id="0")))
    assert events == [Event("1", "request", {}), Event("2", "message", {"n": 2})]


async def test_a_download_is_whole(setting: Setting, tmp_path: Path) -> None:
    size = await setting.call(lambda c: c.download("/file", tmp_path / "f.jsonl"))
    text = (tmp_path / "f.jsonl").read_text()
    assert (size, text.count("\n")) == (len(text), 20_000)


async def test_a_download_that_is_cut_leaves_no_file(setting: Setting, tmp_path: Path) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(Unreachable):
        await setting.call(lambda c: c.download("/cut", tmp_path / "f"))
    assert {path.name for path in tmp_path.iterdir()} == before


async def test_a_refused_download_is_a_service_error(setting: Setting, tmp_path: Path) -> None:
    with pytest.raises(ServiceError):
        await setting.call(lambda c: c.download("/nowhere", tmp_path / "f"))
    assert not (tmp_path / "f").exists()


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        (tmp_path / "token").write_text("t")
        with Client(url, tmp_path / "token") as client:
            with pytest.raises(Unreachable, match=url):
                client.get("/x")
            with pytest.raises(Unreachable, match=url):
                client.post("/x")
            with pytest.raises(Unreachable, match=url):
                list(client.events("/x"))


def test_another_kind_of_server_is_no_planshift_service() -> None:
    with _stranger() as url, Client(url) as client:
        with pytest.raises(Unreachable, match="isn't a Planshift service"):
            client.get("/x")
        with pytest.raises(ServiceError, match="HTTP 404"):
            client.get("/missing")


def test_a_missing_token_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NoToken, match="can't be read: No such file"):
        Client("http://127.0.0.1:1", tmp_path / "nowhere")


def test_an_event_without_data_is_none_and_fields_without_a_space_are_read() -> None:
    lines = ["event:x", "", "id:7", "data:1", "other: y", ""]
    assert list(parse_events(iter(lines))) == [Event("7", "message", 1)]


class _Page(BaseHTTPRequestHandler):
    """A web server of another kind."""

    def do_GET(self) -> None:
        body = b"<html></html>"
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_parts: object) -> None:
        """Stay silent."""


@contextlib.contextmanager
def _stranger() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
