"""The HTTP edge on real connections: problems, limits, ids, headers, health."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from serving import logs
from serving.app import create_api
from serving.auth import require
from serving.context import current
from serving.metrics import Metrics
from serving.problems import FieldError, Problem
from serving.tokens import Caller
from tests.integration.serving.served import calling, sample_settings, served, write_sample_tokens

LIMIT = 10_000
SECRET = "ps_" + "S" * 43
Reader = Annotated[Caller, require("read")]


class Mapping(BaseModel):
    """One entry of the body."""

    source: str
    seats: int


class Body(BaseModel):
    """What the sample route takes."""

    name: str
    mappings: list[Mapping]


async def _broken_rows() -> AsyncIterator[bytes]:
    yield b"first\n" * 20_000
    raise RuntimeError(f"the source broke with {SECRET}")


def _router() -> APIRouter:
    router = APIRouter(prefix="/things")

    @router.get("/{number}")
    async def read(number: int, caller: Reader, limit: Annotated[int, Query(ge=1)] = 1) -> dict[str, Any]:
        ids = current()
        return {"number": number, "limit": limit, "caller": caller.name, "trace": ids.trace_id if ids else ""}

    @router.post("", dependencies=[require("operate")])
    async def write(body: Body) -> Body:
        return body

    @router.post("/large", dependencies=[require("operate")], max_body_size=LIMIT * 10)
    async def write_large(body: dict[str, Any]) -> int:
        return len(body)

    @router.get("/refused/now", dependencies=[require("read")])
    async def refuse() -> None:
        errors = [FieldError("/a", "one", "first"), FieldError("/b", "two", "second")]
        raise Problem("unknown-plan", "The plan isn't known", 422, detail="GOLD", errors=errors, headers={"X-A": "b"})

    @router.get("/broken/now", dependencies=[require("read")])
    async def broken() -> None:
        raise RuntimeError(f"inside knowledge and {SECRET}")

    @router.get("/away/now", dependencies=[require("read")])
    async def away() -> None:
        raise ConnectionRefusedError("10.0.0.7:5432 refused")

    @router.get("/stream/broken", dependencies=[require("read")])
    async def broken_stream() -> StreamingResponse:
        return StreamingResponse(_broken_rows(), media_type="text/csv")

    return router


class Setting:
    """The served sample and what it logged."""

    def __init__(self, url: str, tokens: dict[str, str], log: io.StringIO, reasons: list[str]) -> None:
        self.url, self.tokens, self.log, self.reasons = url, tokens, log, reasons

    def client(self, name: str | None) -> httpx.AsyncClient:
        return calling(self.url, self.tokens[name] if name else None)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("sample", "here", "INFO", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
async def setting(tmp_path: Path, log: io.StringIO) -> AsyncIterator[Setting]:
    tokens, reasons = write_sample_tokens(tmp_path), list[str]()

    async def readiness() -> Sequence[str]:
        return reasons

    settings = sample_settings(tmp_path, body_limit=LIMIT)
    app = create_api("Sample", "1.0.0", settings, metrics=Metrics("sample"), readiness=readiness)
    app.include_router(_router())
    async with served(app) as url:
        yield Setting(url, tokens, log, reasons)


def _problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:planshift:problem:{slug}"
    assert document["status"] == status
    assert document["title"]
    assert document["request_id"] == response.headers["x-request-id"]
    return document


async def test_only_liveness_and_readiness_answer_without_a_token(setting: Setting) -> None:
    async with setting.client(None) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        for path in ("/metrics", "/openapi.json", "/things/1", "/docs", "/nowhere", "/", "/livez/"):
            response = await client.get(path)
            _problem(response, 401, "unauthenticated")
            assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer =", "Basic YTpi", "Bearer a b", "Bearer ps_" + "x" * 43, "x" * 900]
)
async def test_a_wrong_authorization_is_refused_with_401(setting: Setting, header: str) -> None:
    async with setting.client(None) as client:
        _problem(await client.get("/things/1", headers={"Authorization": header}), 401, "unauthenticated")


async def test_a_token_in_the_query_is_no_token(setting: Setting) -> None:
    async with setting.client(None) as client:
        response = await client.get("/things/1", params={"access_token": setting.tokens["admin"]})
        _problem(response, 401, "unauthenticated")


async def test_the_route_knows_the_caller(setting: Setting) -> None:
    async with setting.client("reader") as client:
        assert (await client.get("/things/4")).json()["caller"] == "reader"


async def test_a_token_without_the_scope_is_refused_with_403_that_names_the_scope(setting: Setting) -> None:
    for name, method, path, scope in (
        ("reader", "POST", "/things", "operate"),
        ("publisher", "GET", "/things/1", "read"),
        ("operator", "GET", "/metrics", "read"),
        ("operator", "GET", "/openapi.json", "read"),
    ):
        async with setting.client(name) as client:
            response = await client.request(method, path)
            document = _problem(response, 403, "forbidden")
            assert document["scope"] == scope
            assert f"'{scope}'" in document["detail"]
            assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


async def test_an_unknown_path_is_404_with_a_token(setting: Setting) -> None:
    async with setting.client("reader") as client:
        for path in ("/nowhere", "/things/1/", "/docs", "/redoc"):
            _problem(await client.get(path), 404, "not-found")


async def test_a_wrong_method_is_405_and_names_every_allowed_one(setting: Setting) -> None:
    async with setting.client("admin") as client:
        response = await client.delete("/things/large")
        _problem(response, 405, "method-not-allowed")
        assert response.headers["allow"] == "GET, POST"
        response = await client.get("/things")
        _problem(response, 405, "method-not-allowed")
        assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_large_body_is_413_whether_its_length_is_said_or_not(setting: Setting, streamed: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"[" * 1000

    body: Any = pieces() if streamed else b"[" * (LIMIT + 1)
    async with setting.client("operator") as client:
        response = await client.post("/things", content=body, headers={"Content-Type": "application/json"})
        _problem(response, 413, "too-large")


async def test_a_route_can_take_larger_bodies_and_has_its_own_limit(setting: Setting) -> None:
    async with setting.client("operator") as client:
        assert (await client.post("/things/large", json={"a": "x" * (LIMIT * 2)})).json() == 1
        _problem(await client.post("/things/large", json={"a": "x" * (LIMIT * 11)}), 413, "too-large")


async def test_a_body_of_another_media_type_is_415(setting: Setting) -> None:
    async with setting.client("operator") as client:
        for kind in ("text/csv", "application/x-www-form-urlencoded", "application/xml", ""):
            response = await client.post("/things", content=b"{}", headers={"Content-Type": kind})
            _problem(response, 415, "unsupported-media-type")
            assert response.headers["accept"] == "application/json"


async def test_a_body_that_is_not_json_is_400(setting: Setting) -> None:
    async with setting.client("operator") as client:
        for body in (b"{", b"\xff\xfe", b"name=x"):
            response = await client.post("/things", content=body, headers={"Content-Type": "application/json"})
            assert response.status_code == 400
            assert response.headers["content-type"] == "application/problem+json"


async def test_every_error_of_a_body_is_a_json_pointer(setting: Setting) -> None:
    async with setting.client("operator") as client:
        body = {"mappings": [{"source": "GOLD", "seats": 1}, {"source": 5, "seats": "many"}]}
        document = _problem(await client.post("/things", json=body), 422, "invalid")
    assert document["detail"] == "3 things are wrong"
    found = {(error["pointer"], error["code"]) for error in document["errors"]}
    assert found == {
        ("/name", "missing"),
        ("/mappings/1/source", "string_type"),
        ("/mappings/1/seats", "int_parsing"),
    }


async def test_wrong_parameters_are_named_together_and_their_values_not_repeated(setting: Setting) -> None:
    async with setting.client("reader") as client:
        document = _problem(await client.get("/things/hunter2", params={"limit": 0}), 422, "invalid")
    assert {error["pointer"] for error in document["errors"]} == {"path:number", "?limit"}
    assert "hunter2" not in json.dumps(document)


async def test_a_problem_raised_below_a_route_is_the_answer(setting: Setting) -> None:
    async with setting.client("reader") as client:
        response = await client.get("/things/refused/now")
    document = _problem(response, 422, "unknown-plan")
    assert [error["pointer"] for error in document["errors"]] == ["/a", "/b"]
    assert response.headers["x-a"] == "b"


async def test_an_unforeseen_error_is_500_and_tells_nothing(setting: Setting) -> None:
    async with setting.client("reader") as client:
        response = await client.get("/things/broken/now")
    document = _problem(response, 500, "internal")
    assert "knowledge" not in response.text
    assert "Traceback" not in response.text
    [error] = [line for line in setting.lines() if line["level"] == "error"]
    assert error["request_id"] == document["request_id"]
    assert error["error"][0]["type"] == "RuntimeError"
    assert "Traceback" not in setting.log.getvalue()
    assert SECRET not in setting.log.getvalue()


async def test_a_database_that_is_away_is_503_with_retry_after(setting: Setting) -> None:
    async with setting.client("reader") as client:
        response = await client.get("/things/away/now")
    _problem(response, 503, "unavailable")
    assert "10.0.0.7" not in response.text
    assert response.headers["retry-after"] == "2"


async def test_a_stream_that_breaks_is_cut_and_never_looks_whole(setting: Setting) -> None:
    async with setting.client("reader") as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/things/stream/broken")
    errors = [line for line in setting.lines() if line["level"] == "error"]
    assert len(errors) == 1
    assert SECRET not in setting.log.getvalue()


async def test_ids_of_the_caller_come_back_and_are_logged(setting: Setting) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-Id": "req-7", "X-Correlation-Id": "c-7", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    async with setting.client("reader") as client:
        response = await client.get("/things/1", headers=headers)
    assert response.json()["trace"] == trace
    assert response.headers["x-request-id"] == "req-7"
    assert response.headers["x-correlation-id"] == "c-7"
    assert response.headers["traceparent"].startswith(f"00-{trace}-")
    [line] = setting.lines()
    assert (line["request_id"], line["correlation_id"], line["trace_id"]) == ("req-7", "c-7", trace)


async def test_the_access_log_has_route_status_time_and_caller_and_no_query(setting: Setting) -> None:
    async with setting.client("reader") as client:
        await client.get("/things/1", params={"limit": "3"})
    [line] = setting.lines()
    assert (line["method"], line["path"], line["route"]) == ("GET", "/things/1", "/things/{number}")
    assert (line["status"], line["caller"]) == (200, "reader")
    assert line["ms"] > 0
    assert line["bytes"] > 0
    assert "limit" not in json.dumps(line)
    assert setting.tokens["reader"] not in setting.log.getvalue()


async def test_every_answer_has_the_security_headers(setting: Setting) -> None:
    async with setting.client("reader") as client:
        for path in ("/livez", "/things/1", "/nowhere", "/things/broken/now"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
            assert "default-src 'none'" in headers["content-security-policy"]


async def test_readiness_lists_every_reason(setting: Setting) -> None:
    setting.reasons += ["Postgres is away", "Kafka is away"]
    async with setting.client(None) as client:
        document = _problem(await client.get("/readyz"), 503, "not-ready")
        assert [error["detail"] for error in document["errors"]] == ["Postgres is away", "Kafka is away"]
        assert (await client.get("/livez")).status_code == 200


async def test_metrics_count_requests_by_route_template(setting: Setting) -> None:
    async with setting.client("reader") as client:
        for number in range(3):
            await client.get(f"/things/{number}")
        await client.get("/nowhere")
        response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    name = "planshift_http_request_seconds_count"
    assert f'{name}{{method="GET",route="/things/{{number}}",status="200"}} 3.0' in response.text
    assert f'{name}{{method="GET",route="unmatched",status="404"}} 1.0' in response.text
    assert "process_resident_memory_bytes" in response.text


async def test_the_openapi_document_is_3_1_and_its_errors_are_problems(setting: Setting) -> None:
    async with setting.client("reader") as client:
        document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    responses = document["paths"]["/things"]["post"]["responses"]
    assert "application/problem+json" in responses["4XX"]["content"]
    assert "422" not in responses
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"]["/things"]["post"]["security"]


async def test_an_application_with_a_route_that_names_no_scope_does_not_start(tmp_path: Path) -> None:
    write_sample_tokens(tmp_path)

    async def readiness() -> Sequence[str]:
        return []

    app = create_api("S", "1", sample_settings(tmp_path), metrics=Metrics("s"), readiness=readiness)

    @app.get("/open")
    async def forgotten() -> None:
        return

    with pytest.raises(RuntimeError, match="GET /open"):
        _start(app)


def _start(app: FastAPI) -> None:
    app.build_middleware_stack()
