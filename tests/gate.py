"""A door in front of a real server: closed, the server is away for whoever comes through it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """Forwards a loopback port to another address while it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.accepted = 0

    async def open(self) -> None:
        """Let connections through; the port stays the same when it was open before."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is None:
            return
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            there, out = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(out)
        with contextlib.suppress(OSError):
            await asyncio.gather(_pump(reader, out), _pump(there, writer))
        for one in (writer, out):
            one.transport.abort()
            self._writers.discard(one)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def gate_to(host: str, port: int, *, opened: bool = True) -> AsyncIterator[Gate]:
    """Give a gate in front of the address; closed at first unless `opened`, but its port is known."""
    gate = Gate(host, port)
    await gate.open()
    if not opened:
        await gate.close()
    try:
        yield gate
    finally:
        await gate.close()
