"""Idempotency-Key on POST: the first answer is stored in the transaction of its effect and repeated ever after."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from serving.postgres import Connection
from serving.problems import Problem
from serving.tokens import Caller

MIGRATIONS = Path(__file__).parent / "migrations"
"""The folder to hand to the migrator, before the service's own."""

KEPT = timedelta(days=7)
_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")
_BLOCK = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)
_SQL = dict(_BLOCK.findall(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")))


class IdempotentCall(NamedTuple):
    """What makes two calls the same one: key, caller and path; the body's SHA-256 tells an honest repetition."""

    key: str
    caller: str
    route: str
    body_hash: bytes


async def idempotent_call(
    request: Request,
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", description="a new one per intent, the same one when repeating")
    ] = None,
) -> IdempotentCall:
    """Give the call's identity; raises the 400 problem when the key is missing or malformed."""
    if not key:
        detail = "Send a new Idempotency-Key per intent, and the same one when you repeat a call."
        raise Problem("idempotency-key-missing", "Idempotency-Key is needed", 400, detail=detail)
    if not _KEY.match(key):
        detail = "1 to 255 visible ASCII characters."
        raise Problem("idempotency-key-malformed", "Idempotency-Key can't be used", 400, detail=detail)
    caller: Caller = request.scope["caller"]
    digest = hashlib.sha256(await request.body()).digest()
    return IdempotentCall(key, caller.name, request.url.path, digest)


Idempotent = Annotated[IdempotentCall, Depends(idempotent_call)]


@dataclass(frozen=True)
class Answer:
    """An answer that can be kept and given again."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False

    @classmethod
    def json(cls, status: int, value: object, headers: Mapping[str, str] | None = None) -> "Answer":
        """Give the answer with this value (of JSON's own types) as its body."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, {"Content-Type": "application/json", **(headers or {})})

    def response(self) -> Response:
        """Give the HTTP answer; a repeated one says `Idempotency-Replayed: true`."""
        extra = {"Idempotency-Replayed": "true"} if self.replayed else {}
        return Response(self.body, self.status, headers={**self.headers, **extra})


class Claim:
    """The right to do the work of one key. `replay` is the earlier answer, if there is one: then do nothing."""

    def __init__(self, connection: Connection, call: IdempotentCall, replay: Answer | None) -> None:
        self._connection = connection
        self._call = call
        self.replay = replay
        self.stored = False

    async def store(self, answer: Answer) -> Answer:
        """Keep the answer in the caller's transaction and give it back; once per claim."""
        call = self._call
        await self._connection.execute(
            _SQL["store_answer"],
            call.caller,
            call.route,
            call.key,
            call.body_hash,
            answer.status,
            dict(answer.headers),
            answer.body,
        )
        self.stored = True
        return answer


@asynccontextmanager
async def idempotent(connection: Connection, call: IdempotentCall) -> AsyncIterator[Claim]:
    """Claim the key inside the caller's transaction, on a connection whose jsonb codec is set.

    Raises 409 while another call works under the key, and 422 when the key came with another body before. A call
    that fails stores nothing, so that it can be repeated.
    """
    if not connection.is_in_transaction():
        raise RuntimeError("idempotent() belongs inside a transaction: the answer commits with its effect")
    lock = f"idempotency\x1f{call.caller}\x1f{call.route}\x1f{call.key}"
    if not await connection.fetchval(_SQL["lock_key"], lock):
        detail = "The first call with this Idempotency-Key is still at work; repeat it in a moment."
        title = "The same call is in progress"
        raise Problem("idempotency-in-progress", title, 409, detail=detail, headers={"Retry-After": "1"})
    claim = Claim(connection, call, await _earlier(connection, call))
    yield claim
    if claim.replay is None and not claim.stored:
        raise RuntimeError("the claim's answer was not stored")


async def _earlier(connection: Connection, call: IdempotentCall) -> Answer | None:
    row = await connection.fetchrow(_SQL["stored_answer"], call.caller, call.route, call.key)
    if row is None:
        return None
    if row["body_hash"] != call.body_hash:
        detail = "This Idempotency-Key was used with another body; a new intent needs a new key."
        raise Problem("idempotency-key-reused", "The key belongs to another request", 422, detail=detail)
    return Answer(row["status"], row["body"], row["headers"], replayed=True)


async def forget(connection: Connection, older_than: timedelta = KEPT) -> None:
    """Drop stored answers that nobody will ask for again; run it once in a while."""
    await connection.execute(_SQL["forget_answers"], older_than)
