"""Server-Sent Events of snapshots: one query per key and tick for all who watch, and a slow watcher delays nobody.

Each event is the whole present state and its id the position behind it, so a reconnect is right whatever was missed,
and a watcher that reads slowly skips states in place of queueing them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serving.logs import get_logger
from serving.problems import Problem

HEARTBEAT_S = 15.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_LONGEST_ID = 512
_log = get_logger("serving.sse")


class Snapshot(NamedTuple):
    """The state of one key: `data` is one JSON document, `final` says that it will never change again."""

    id: str
    event: str
    data: bytes
    final: bool = False


Load = Callable[[str], Awaitable[Snapshot]]
"""Reads a key's present state; may raise Problem (404), and any other error is tried again at the next tick."""


class _Feed:
    """What one key's producer shares with the watchers of that key."""

    def __init__(self, latest: Snapshot) -> None:
        self.latest = latest
        self.changed = asyncio.Event()
        self.watchers = 0
        self.over = False
        self.producer: asyncio.Task[None] | None = None

    def publish(self, snapshot: Snapshot) -> None:
        """Put the state in place of the former one and wake everybody."""
        self.latest = snapshot
        self.over = snapshot.final
        self._wake()

    def end(self) -> None:
        """Let all watchers end."""
        self.over = True
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class SnapshotHub:
    """Watches keys for whoever asks; `load` runs once per key and tick, however many watch it."""

    def __init__(self, load: Load, *, tick_s: float = 0.5, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._load = load
        self._tick_s = tick_s
        self._heartbeat_s = heartbeat_s
        self._feeds: dict[str, _Feed] = {}

    async def respond(self, request: Request, key: str) -> Response:
        """Give the stream of the key's states, beginning with the present one unless Last-Event-ID names it.

        A watcher that already has the final state gets 204, which tells an EventSource not to come back.
        """
        feed = self._feeds.get(key)
        first = await self._load(key) if feed is None or feed.over else feed.latest
        seen = last_event_id(request)
        if first.final and seen == first.id:
            return Response(status_code=204)
        stopping = getattr(request.app, "stopping", None) or asyncio.Event()
        stream = self._stream(key, first, seen, stopping)
        return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)

    async def _stream(
        self, key: str, first: Snapshot, seen: str | None, stopping: asyncio.Event
    ) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        ending = asyncio.create_task(stopping.wait())
        try:
            with self._joined(key, first) as feed:
                while True:
                    changed, snapshot = feed.changed, feed.latest
                    if snapshot.id != seen:
                        seen = snapshot.id
                        yield encode_event(snapshot)
                    if feed.over or stopping.is_set():
                        return
                    if changed is feed.changed and not await self._waited(changed, ending):
                        yield b": still here\n\n"
        finally:
            ending.cancel()

    async def _waited(self, changed: asyncio.Event, ending: asyncio.Task[Literal[True]]) -> bool:
        """Wait for the next state or the end; False when neither came before a heartbeat is due."""
        waiting = asyncio.create_task(changed.wait())
        try:
            done, _ = await asyncio.wait(
                {waiting, ending}, timeout=self._heartbeat_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        return bool(done)

    @contextlib.contextmanager
    def _joined(self, key: str, first: Snapshot) -> Iterator[_Feed]:
        feed = self._feeds.get(key)
        if feed is None or feed.over:
            feed = self._feeds[key] = _Feed(first)
            feed.over = first.final
            if not first.final:
                feed.producer = asyncio.create_task(self._produce(key, feed), name=f"watch {key}")
        feed.watchers += 1
        try:
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                self._close(key, feed)

    def _close(self, key: str, feed: _Feed) -> None:
        if feed.producer is not None:
            feed.producer.cancel()
        if self._feeds.get(key) is feed:
            del self._feeds[key]

    async def _produce(self, key: str, feed: _Feed) -> None:
        failing = False
        while not feed.over:
            await asyncio.sleep(self._tick_s)
            try:
                snapshot = await self._load(key)
            except Problem:
                feed.end()
                return
            except Exception as error:  # noqa: BLE001 -- whatever it is, watchers keep the last state until it passes
                if not failing:
                    _log.warning("a watched state can't be read, trying on", key=key, exc_info=error)
                failing = True
                continue
            failing = False
            if snapshot.id != feed.latest.id:
                feed.publish(snapshot)


def last_event_id(request: Request) -> str | None:
    """Give the id that a reconnecting watcher saw last; None for a new watcher or a senseless id."""
    text = request.headers.get("last-event-id")
    return text if text and len(text) <= _LONGEST_ID else None


def encode_event(snapshot: Snapshot) -> bytes:
    """Give the event's bytes; line ends inside `data` become several data lines, as the format wants it."""
    lines = snapshot.data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    data = b"\n".join(b"data: " + line for line in lines)
    return f"id: {snapshot.id}\nevent: {snapshot.event}\n".encode() + data + b"\n\n"
