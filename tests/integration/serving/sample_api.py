"""A sample application for the tests of the edge: routes that work, refuse, break and stream."""

import io
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from serving.auth import require
from serving.context import current
from serving.problems import FieldError, Problem
from serving.tokens import Caller
from tests.integration.serving.served import calling

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


def sample_router() -> APIRouter:
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
        """Give a client with the token of this name, or with none."""
        return calling(self.url, self.tokens[name] if name else None)

    def lines(self) -> list[dict[str, Any]]:
        """Give the log so far."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def problem_of(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Give the answer's problem document, which has to be a whole and right one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:planshift:problem:{slug}"
    assert document["status"] == status
    assert document["title"]
    assert document["request_id"] == response.headers["x-request-id"]
    return document
