"""The HTTP edge on real connections: failures, ids, headers, logs, health."""

import json

import httpx
import pytest

from tests.integration.serving.sample_api import SECRET, Setting, problem_of


async def test_an_unforeseen_error_is_500_and_tells_nothing(setting: Setting) -> None:
    async with setting.client("reader") as client:
        response = await client.get("/things/broken/now")
    document = problem_of(response, 500, "internal")
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
    problem_of(response, 503, "unavailable")
    assert "10.0.0.7" not in response.text
    assert response.headers["retry-after"] == "2"


async def test_a_stream_that_breaks_is_cut_and_never_looks_whole(setting: Setting) -> None:
    async with setting.client("reader") as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/things/stream/broken")
    errors = [line for line in setting.lines() if line["level"] == "error"]
    assert len(errors) == 1
    assert SECRET not in setting.log.getvalue()


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
        document = problem_of(await client.get("/readyz"), 503, "not-ready")
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
