"""The services' HTTP API as the tests call it: asynchronous, so that the stack that runs beside is looked after."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

Answer = dict[str, Any]


class Api:
    """Speaks to one service with a token."""

    def __init__(self, base_url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=30, trust_env=False)

    async def get(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - JSON
        """Give the JSON answer; raises httpx.HTTPStatusError."""
        response = await self.http.get(path, params=parameters or None)
        return response.raise_for_status().json()

    async def post(self, path: str, body: object = None, *, key: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """Send a POST and give the JSON answer; raises httpx.HTTPStatusError."""
        response = await self.http.post(path, json=body, headers={"Idempotency-Key": key} if key else {})
        assert response.is_success, f"{response.status_code}: {response.text}"
        return response.json()

    async def status_of(self, path: str) -> int:
        """Give the status code of a GET, 0 when nobody answers."""
        try:
            return (await self.http.get(path)).status_code
        except httpx.HTTPError:
            return 0

    async def lines(self, path: str, **parameters: str | int) -> AsyncIterator[Answer]:
        """Give the documents of a JSONL answer."""
        async with self.http.stream("GET", path, params=parameters) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line:
                    yield json.loads(line)

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()
