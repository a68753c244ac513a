"""Idempotency keys on a real Postgres: one effect, one answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Response
from pydantic import BaseModel

from serving.app import create_api
from serving.auth import require
from serving.idempotency import MIGRATIONS, Answer, Idempotent, IdempotentCall, forget, idempotent
from serving.metrics import Metrics
from serving.postgres import Pool, open_pool
from serving.problems import Problem
from tests.integration.serving.served import calling, sample_settings, served, write_sample_tokens


class Order(BaseModel):
    """The sample body."""

    name: str


class Shop:
    """A route with one effect per call, which can be held and can be made to fail."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.failing = False

    def router(self) -> APIRouter:
        router = APIRouter(dependencies=[require("operate")])

        @router.post("/orders")
        async def order(call: Idempotent, body: Order) -> Response:
            return await self.take(call, body.name)

        @router.post("/returns")
        async def give_back(call: Idempotent, body: Order) -> Response:
            return await self.take(call, body.name)

        return router

    async def take(self, call: IdempotentCall, name: str) -> Response:
        async with self.pool.acquire() as conn, conn.transaction(), idempotent(conn, call) as claim:
            if claim.replay:
                return claim.replay.response()
            number = await conn.fetchval("INSERT INTO orders (name) VALUES ($1) RETURNING id", name)
            self.entered.set()
            await self.go_on.wait()
            if self.failing:
                raise Problem("sold-out", "Sold out", 409)
            answer = await claim.store(Answer.json(202, {"order": number}, {"Location": f"/orders/{number}"}))
        return answer.response()

    async def orders(self) -> int:
        async with self.pool.acquire() as conn:
            return int(await conn.fetchval("SELECT count(*) FROM orders"))


class Setting:
    """The served shop."""

    def __init__(self, shop: Shop, url: str, tokens: dict[str, str]) -> None:
        self.shop, self.url, self.tokens = shop, url, tokens

    async def post(
        self, key: str | None, name: str = "n", path: str = "/orders", caller: str = "operator"
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key is not None else {}
        async with calling(self.url, self.tokens[caller]) as client:
            return await client.post(path, json={"name": name}, headers=headers)


@pytest.fixture
async def setting(tmp_path: Path, database: str) -> AsyncIterator[Setting]:
    tokens = write_sample_tokens(tmp_path)

    async def readiness() -> Sequence[str]:
        return []

    settings = sample_settings(tmp_path, database)
    async with open_pool(settings, service="shop") as pool:
        async with pool.acquire() as conn:
            await conn.execute((MIGRATIONS / "0001_idempotency.sql").read_text())
            await conn.execute("CREATE TABLE orders (id serial, name text)")
        shop = Shop(pool)
        app = create_api("Shop", "1", settings, metrics=Metrics("shop"), readiness=readiness)
        app.include_router(shop.router())
        async with served(app) as base:
            yield Setting(shop, base, tokens)


def _slug(response: httpx.Response) -> str:
    document: dict[str, Any] = response.json()
    return str(document["type"]).removeprefix("urn:planshift:problem:")


async def test_a_repeated_call_gets_the_same_answer_and_has_no_second_effect(setting: Setting) -> None:
    first, second = await setting.post("k1"), await setting.post("k1")
    assert first.status_code == second.status_code == 202
    assert first.content == second.content
    assert first.headers["location"] == second.headers["location"] == "/orders/1"
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await setting.shop.orders() == 1


async def test_another_key_another_caller_and_another_route_are_calls_of_their_own(setting: Setting) -> None:
    answers = [
        await setting.post("k1"),
        await setting.post("k2"),
        await setting.post("k1", caller="admin"),
        await setting.post("k1", path="/returns"),
    ]
    assert [answer.status_code for answer in answers] == [202] * 4
    assert await setting.shop.orders() == 4


async def test_a_call_without_a_key_is_refused_with_400(setting: Setting) -> None:
    response = await setting.post(None)
    assert (response.status_code, _slug(response)) == (400, "idempotency-key-missing")
    assert await setting.shop.orders() == 0


@pytest.mark.parametrize("key", ["a b", "k" * 256])
async def test_a_malformed_key_is_refused_with_400(setting: Setting, key: str) -> None:
    response = await setting.post(key)
    assert (response.status_code, _slug(response)) == (400, "idempotency-key-malformed")


async def test_the_same_key_with_another_body_is_refused_with_422(setting: Setting) -> None:
    await setting.post("k1", "one")
    response = await setting.post("k1", "other")
    assert (response.status_code, _slug(response)) == (422, "idempotency-key-reused")
    assert await setting.shop.orders() == 1


async def test_a_call_while_the_first_is_at_work_is_refused_with_409(setting: Setting) -> None:
    setting.shop.go_on.clear()
    first = asyncio.create_task(setting.post("k1"))
    await asyncio.wait_for(setting.shop.entered.wait(), 10)
    during = await setting.post("k1")
    assert (during.status_code, _slug(during)) == (409, "idempotency-in-progress")
    assert during.headers["retry-after"] == "1"
    setting.shop.go_on.set()
    assert (await first).status_code == 202
    assert (await setting.post("k1")).headers["idempotency-replayed"] == "true"
    assert await setting.shop.orders() == 1


async def test_a_call_that_failed_had_no_effect_and_can_be_repeated(setting: Setting) -> None:
    setting.shop.failing = True
    assert _slug(await setting.post("k1")) == "sold-out"
    assert await setting.shop.orders() == 0
    setting.shop.failing = False
    assert (await setting.post("k1")).status_code == 202
    assert await setting.shop.orders() == 1


async def test_many_at_once_have_one_effect(setting: Setting) -> None:
    answers = await asyncio.gather(*(setting.post("k1") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert await setting.shop.orders() == 1


async def test_old_answers_are_forgotten_and_young_ones_kept(setting: Setting) -> None:
    await setting.post("k1")
    async with setting.shop.pool.acquire() as conn:
        await forget(conn)
        assert await conn.fetchval("SELECT count(*) FROM idempotency") == 1
        await forget(conn, timedelta(0))
        assert await conn.fetchval("SELECT count(*) FROM idempotency") == 0


async def test_a_claim_outside_a_transaction_is_a_mistake(setting: Setting) -> None:
    call = IdempotentCall("k", "c", "/r", b"")
    async with setting.shop.pool.acquire() as conn:
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with idempotent(conn, call):
                pass


async def test_a_claim_without_a_stored_answer_is_a_mistake(setting: Setting) -> None:
    call = IdempotentCall("k", "c", "/r", b"")
    async with setting.shop.pool.acquire() as conn:
        with pytest.raises(RuntimeError, match="not stored"):
            async with conn.transaction(), idempotent(conn, call):
                pass
