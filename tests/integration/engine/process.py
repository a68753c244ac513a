"""The engine as a real process, what it is told over Kafka, and what it says there."""

import asyncio
import copy
import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from contracts.directory import DirectoryEvent
from serving.tokens import Scope, new_token, write_tokens
from tests.database_settings import database_settings
from tests.integration.engine.listening import Listener
from tests.integration.wizard.records import publish
from tests.waiting import eventually

TOKENS: dict[str, tuple[Scope, ...]] = {"operator": ("read", "operate"), "auditor": ("read",), "system": ("publish",)}


class Engine:
    """One database and one prefix of topics; the process on them can be stopped, die and start again."""

    def __init__(self, folder: Path, kafka: str, prefix: str, database: str) -> None:
        self.kafka, self.prefix, self.database = kafka, prefix, database
        self._log = folder / "engine.log"
        made = {name: new_token(name, scopes) for name, scopes in TOKENS.items()}
        self._tokens = {name: token for name, (token, _) in made.items()}
        write_tokens(folder / "tokens.json", [kept for _, kept in made.values()])
        self._environment = os.environ | {
            "PLANSHIFT_KAFKA": kafka,
            "PLANSHIFT_TOPIC_PREFIX": prefix,
            "PLANSHIFT_TOKENS_FILE": str(folder / "tokens.json"),
            **database_settings(database),
        }
        self.told: list[DirectoryEvent] = []
        self.listener = Listener(kafka, prefix)
        self.process: asyncio.subprocess.Process | None = None
        self._base = ""

    def another(self) -> "Engine":
        """Give a second process on the same database and topics."""
        other = copy.copy(self)
        other.process, other._log = None, self._log.with_suffix(".other")
        return other

    async def start(self, *, wait: bool = True, **environment: str) -> None:
        """Start the process; unless told otherwise, wait until it is ready."""
        with self._log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.provisioning_engine.main", "serve"),
                env=self._environment | environment,
                stdout=log,
                stderr=log,
            )
        if wait:
            self._base = await eventually(self._listening, within=30, what="the engine listens")
            await eventually(self.is_ready, within=30, what="the engine is ready")

    def _listening(self) -> str | None:
        for line in self._log.read_text().splitlines():
            document = json.loads(line) if line.startswith("{") else {}
            if document.get("event") == "listening":
                return f"http://127.0.0.1:{document['port']}"
        return None

    async def is_ready(self) -> bool:
        """Say whether the engine says that it can do its work."""
        return (await self.call("GET", "/readyz")).is_success

    async def end(self) -> int | None:
        """Stop the process if it still runs; gives its exit code (-9 after a failpoint)."""
        if self.process is None:
            return None
        if self.process.returncode is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)
        return await self.process.wait()

    def has_died(self) -> bool:
        """Say whether the process has ended by itself."""
        return self.process is not None and self.process.returncode is not None

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.process is not None
        self.process.send_signal(number)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - JSON
        *,
        caller: str = "operator",
    ) -> httpx.Response:
        """Make one call."""
        content: dict[str, Any] = {"json": body} if body is not None else {}
        headers = {"Authorization": f"Bearer {self._tokens[caller]}"}
        async with httpx.AsyncClient(base_url=self._base, timeout=30, trust_env=False) as http:
            return await http.request(method, path, headers=headers, **content)

    async def state(self) -> dict[str, Any]:
        """Give /v1/state."""
        return dict((await self.call("GET", "/v1/state")).json())

    async def owned(self) -> int:
        """Give how many shards the process works on."""
        return sum(shard["works"] for shard in (await self.state())["shards"])

    async def learn(self, events: Iterable[DirectoryEvent]) -> dict[str, int]:
        """Publish directory events and wait until the engine has folded them."""
        told = list(events)
        self.told += told
        ends = await publish(self.kafka, self.prefix, told)
        await self.knows(ends)
        return ends

    async def knows(self, ends: dict[str, int]) -> None:
        """Wait until the directory is folded as far as these next offsets."""

        async def far_enough() -> bool:
            positions = (await self.call("GET", "/v1/directory/positions")).json()["positions"]
            return all(positions.get(partition, 0) >= end for partition, end in ends.items())

        await eventually(far_enough, within=30, what="the directory is folded")

    async def tell(self, *words: Any) -> None:  # noqa: ANN401 - any events of migration.requests
        """Publish events of `migration.requests`."""
        await publish(self.kafka, self.prefix, words)

    async def customer(self, name: str) -> dict[str, Any]:
        """Give a customer's merged state."""
        answer = await self.call("GET", f"/v1/directory/customers/{name}")
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def plans(self, customer: str) -> dict[str, str]:
        """Give the plan of each of a customer's users."""
        return {row["user"]: row["plan"] for row in (await self.customer(customer))["assignments"]}

    async def package(self, customer: str, plan: str) -> dict[str, Any]:
        """Give one of a customer's packages; empty if it has none and nobody is on the plan."""
        packages = (await self.customer(customer))["packages"]
        return next((dict(one) for one in packages if one["plan"] == plan), {})
