"""Refusals on real connections: tokens, scopes, paths, methods, bodies."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from serving.app import create_api
from serving.metrics import Metrics
from tests.integration.serving.sample_api import LIMIT, Setting, problem_of
from tests.integration.serving.served import sample_settings, write_sample_tokens


async def test_only_liveness_and_readiness_answer_without_a_token(setting: Setting) -> None:
    async with setting.client(None) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        for path in ("/metrics", "/openapi.json", "/things/1", "/docs", "/nowhere", "/", "/livez/"):
            response = await client.get(path)
            problem_of(response, 401, "unauthenticated")
            assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer =", "Basic YTpi", "Bearer a b", "Bearer ps_" + "x" * 43, "x" * 900]
)
async def test_a_wrong_authorization_is_refused_with_401(setting: Setting, header: str) -> None:
    async with setting.client(None) as client:
        problem_of(await client.get("/things/1", headers={"Authorization": header}), 401, "unauthenticated")


async def test_a_token_in_the_query_is_no_token(setting: Setting) -> None:
    async with setting.client(None) as client:
        response = await client.get("/things/1", params={"access_token": setting.tokens["admin"]})
        problem_of(response, 401, "unauthenticated")


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
            document = problem_of(response, 403, "forbidden")
            assert document["scope"] == scope
            assert f"'{scope}'" in document["detail"]
            assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


async def test_an_unknown_path_is_404_with_a_token(setting: Setting) -> None:
    async with setting.client("reader") as client:
        for path in ("/nowhere", "/things/1/", "/docs", "/redoc"):
            problem_of(await client.get(path), 404, "not-found")


async def test_a_wrong_method_is_405_and_names_every_allowed_one(setting: Setting) -> None:
    async with setting.client("admin") as client:
        response = await client.delete("/things/large")
        problem_of(response, 405, "method-not-allowed")
        assert response.headers["allow"] == "GET, POST"
        response = await client.get("/things")
        problem_of(response, 405, "method-not-allowed")
        assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_large_body_is_413_whether_its_length_is_said_or_not(setting: Setting, streamed: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"[" * 1000

    body: Any = pieces() if streamed else b"[" * (LIMIT + 1)
    async with setting.client("operator") as client:
        response = await client.post("/things", content=body, headers={"Content-Type": "application/json"})
        problem_of(response, 413, "too-large")


async def test_a_route_can_take_larger_bodies_and_has_its_own_limit(setting: Setting) -> None:
    async with setting.client("operator") as client:
        assert (await client.post("/things/large", json={"a": "x" * (LIMIT * 2)})).json() == 1
        problem_of(await client.post("/things/large", json={"a": "x" * (LIMIT * 11)}), 413, "too-large")


async def test_a_body_of_another_media_type_is_415(setting: Setting) -> None:
    async with setting.client("operator") as client:
        for kind in ("text/csv", "application/x-www-form-urlencoded", "application/xml", ""):
            response = await client.post("/things", content=b"{}", headers={"Content-Type": kind})
            problem_of(response, 415, "unsupported-media-type")
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
        document = problem_of(await client.post("/things", json=body), 422, "invalid")
    assert document["detail"] == "3 things are wrong"
    found = {(error["pointer"], error["code"]) for error in document["errors"]}
    assert found == {
        ("/name", "missing"),
        ("/mappings/1/source", "string_type"),
        ("/mappings/1/seats", "int_parsing"),
    }


async def test_wrong_parameters_are_named_together_and_their_values_not_repeated(setting: Setting) -> None:
    async with setting.client("reader") as client:
        document = problem_of(await client.get("/things/hunter2", params={"limit": 0}), 422, "invalid")
    assert {error["pointer"] for error in document["errors"]} == {"path:number", "?limit"}
    assert "hunter2" not in json.dumps(document)


async def test_a_problem_raised_below_a_route_is_the_answer(setting: Setting) -> None:
    async with setting.client("reader") as client:
        response = await client.get("/things/refused/now")
    document = problem_of(response, 422, "unknown-plan")
    assert [error["pointer"] for error in document["errors"]] == ["/a", "/b"]
    assert response.headers["x-a"] == "b"


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
