"""The wizard as a real process, spoken to over HTTP."""

import asyncio
import copy
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import REQUEST_PARTITIONS
from serving.tokens import Scope, new_token, write_tokens
from tests.database_settings import database_settings
from tests.waiting import eventually

TOKENS: dict[str, tuple[Scope, ...]] = {
    "anna": ("read", "operate"),
    "system": ("publish", "read"),
    "auditor": ("read",),
}


class Wizard:
    """One database and one prefix of topics; the process on them can die and start again."""

    def __init__(self, folder: Path, kafka: str, prefix: str, database: str) -> None:
        self.kafka, self.prefix, self._log = kafka, prefix, folder / "wizard.log"
        made = {name: new_token(name, scopes) for name, scopes in TOKENS.items()}
        self._tokens = {name: token for name, (token, _) in made.items()}
        write_tokens(folder / "tokens.json", [kept for _, kept in made.values()])
        self._environment = os.environ | {
            "PLANSHIFT_KAFKA": kafka,
            "PLANSHIFT_TOPIC_PREFIX": prefix,
            **database_settings(database),
            "PLANSHIFT_TOKENS_FILE": str(folder / "tokens.json"),
            "PLANSHIFT_TRACKER_URL": "http://tracker.example",
        }
        self._process: asyncio.subprocess.Process | None = None
        self._base = ""

    def another(self) -> "Wizard":
        """Give a second process on the same database and topics."""
        other = copy.copy(self)
        other._process, other._log = None, self._log.with_suffix(".other")
        return other

    async def start(self, *, wait: bool = True, **environment: str) -> None:
        """Start the process and wait until it listens, and unless told otherwise until it is ready."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.wizard.main", "serve"),
                env=self._environment | environment,
                stdout=log,
                stderr=log,
            )
        self._base = await eventually(self._listening, within=30)
        if wait:
            await eventually(self.ready, within=30)

    def _listening(self) -> str | None:
        for line in self._log.read_text().splitlines():
            document = json.loads(line) if line.startswith("{") else {}
            if document.get("event") == "listening":
                return f"http://127.0.0.1:{document['port']}"
        return None

    async def ready(self) -> bool:
        """Say whether the wizard says that it can do its work."""
        return (await self.call("GET", "/readyz")).is_success

    async def end(self) -> int | None:
        """Stop the process if it still runs; gives its exit code (-9 after a failpoint)."""
        if self._process is None:
            return None
        if self._process.returncode is None:
            self._process.terminate()
        return await self._process.wait()

    async def has_died(self) -> bool:
        """Say whether the process has ended by itself."""
        return self._process is not None and self._process.returncode is not None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - JSON
        *,
        caller: str = "anna",
        key: str | None = None,
        etag: str | None = None,
        csv: bytes | None = None,
    ) -> httpx.Response:
        """Make one call; a POST gets an Idempotency-Key of its own unless one is given."""
        headers = {"Authorization": f"Bearer {self._tokens[caller]}"}
        if method == "POST":
            headers["Idempotency-Key"] = key or secrets.token_hex(8)
        if etag:
            headers["If-Match"] = etag
        content: dict[str, Any] = {"json": body} if body is not None else {}
        if csv is not None:
            content, headers["Content-Type"] = {"content": csv}, "text/csv"
        async with httpx.AsyncClient(base_url=self._base, timeout=30, trust_env=False) as http:
            return await http.request(method, path, headers=headers, **content)

    async def knows(self, ends: dict[str, int]) -> None:
        """Wait until the view has folded the directory as far as these next offsets."""

        async def far_enough() -> bool:
            positions = (await self.call("GET", "/v1/directory/positions")).json()["positions"]
            return all(positions.get(partition, 0) >= end for partition, end in ends.items())

        await eventually(far_enough, within=30)

    async def said(self, request: str, events: int = 1) -> list[dict[str, Any]]:
        """Give what `migration.requests` has of a request, when it has at least so many events."""

        async def there() -> list[dict[str, Any]]:
            found = [event for event in await self.everything_said() if event["data"]["request"] == request]
            return found if len(found) >= events else []

        return await eventually(there, within=30)

    async def everything_said(self) -> list[dict[str, Any]]:
        """Give all of `migration.requests`."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, max_partition_fetch_bytes=8 << 20)
        await consumer.start()
        try:
            places = [TopicPartition(f"{self.prefix}migration.requests", n) for n in range(REQUEST_PARTITIONS)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            missing, events = sum(ends.values()), []
            while missing > 0:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    events += [json.loads(each.value) for each in records]
                    missing -= len(records)
            return events
        finally:
            await consumer.stop()
