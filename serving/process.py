"""Running a service: settings, logs, one event loop, HTTP and background tasks, an orderly end and an exit code."""

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvicorn
import uvloop
from fastapi import FastAPI

from serving import logs
from serving.settings import BadSettings, ServiceSettings

EXIT_DONE, EXIT_DIED, EXIT_WRONG_CALL = 0, 1, 2
_STOP_S = 10.0
_STREAMS_S = 3
_TASKS_S = 4.0
_BACKLOG = 1024
_log = logs.get_logger("serving.process")

S = TypeVar("S", bound=ServiceSettings)


class CannotListen(Exception):  # noqa: N818 -- says what happened
    """The address can't be bound; the message is one clear line."""


class TaskEnded(Exception):  # noqa: N818 -- says what happened
    """A background task that should run as long as the service has ended or failed for good."""


@dataclass(frozen=True)
class Service:
    """What runs in the process: the HTTP application and background tasks by name, which end only when cancelled."""

    app: FastAPI
    tasks: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)


Build = Callable[[S, AsyncExitStack], Coroutine[Any, Any, Service]]
"""Makes the service; what it enters on the stack is closed at the end, last entered first."""


def run(service: str, settings_type: type[S], build: Build[S]) -> int:
    """Run the service until SIGTERM or SIGINT (exit code 0) or until a part of it dies for good (1).

    Wrong settings and an address that can't be bound are one clear line on stderr and exit code 2. Called as
    `… check`, it only prints the settings and every problem of theirs as JSON.
    """
    if sys.argv[1:] == ["check"]:
        return _check(settings_type)
    try:
        settings = settings_type.load()
        listener = listen(settings.http_host, settings.http_port)
    except BadSettings as bad:
        return _refuse(service, "wrong settings: " + "; ".join(bad.problems))
    except CannotListen as error:
        return _refuse(service, str(error))
    logs.configure(service, settings.instance, settings.log_level)
    # Batches of decoded events make the default thresholds collect all the time: a third of the time was measured.
    gc.set_threshold(100_000, 50, 50)
    with contextlib.closing(listener), _deadline() as begin_to_stop:
        return uvloop.run(_run(settings, listener, build, begin_to_stop))


def _check(settings_type: type[ServiceSettings]) -> int:
    problems = settings_type.check()
    settings = {} if problems else settings_type.load().describe()
    sys.stdout.write(json.dumps({"settings": settings, "problems": problems}) + "\n")
    return EXIT_WRONG_CALL if problems else EXIT_DONE


def _refuse(service: str, reason: str) -> int:
    sys.stderr.write(f"planshift {service}: {logs.redacted(reason)}\n")
    return EXIT_WRONG_CALL


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything else starts, so that a taken port is known at once; raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(f"can't listen on {host}:{port}: {(error.strerror or str(error)).lower()}") from error
    return listener


async def _run(settings: S, listener: socket.socket, build: Build[S], begin_to_stop: Callable[[], None]) -> int:
    stop = asyncio.Event()
    _on_signals(stop, begin_to_stop)
    async with AsyncExitStack() as stack:
        try:
            starting = asyncio.create_task(build(settings, stack))
            service = await _unless(stop, starting)
            if service is None:
                return EXIT_DONE
            return await _serve(service, listener, stop)
        except Exception as error:  # noqa: BLE001 -- the process' last line: logged, then an exit code
            _log.critical("the service can't go on", exc_info=error)
            return EXIT_DIED
        finally:
            begin_to_stop()
            stop.set()


def _on_signals(stop: asyncio.Event, begin_to_stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def begin(name: str) -> None:
        # Ctrl-C reaches the whole process group and `planshift up` sends SIGTERM after it: the second changes nothing.
        if not stop.is_set():
            _log.info("stopping", signal=name)
            begin_to_stop()
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin, number.name)


@contextlib.contextmanager
def _deadline() -> Iterator[Callable[[], None]]:
    """Give what starts the 10 s within which the process ends, whatever still holds it.

    A thread counts, as the loop itself may be stuck, and it counts until the loop is gone.
    """
    timer = threading.Timer(_STOP_S, _give_up)
    timer.daemon = True
    once = threading.Lock()

    def begin() -> None:
        if once.acquire(blocking=False):
            timer.start()

    try:
        yield begin
    finally:
        timer.cancel()


def _give_up() -> None:
    _log.critical(f"not stopped within {_STOP_S:g} s, ending at once")
    sys.stdout.flush()
    os._exit(EXIT_DIED)


async def _unless(stop: asyncio.Event, work: asyncio.Task[Service]) -> Service | None:
    """Give the built service, or None when the stop came first."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        await _cancel(work, stopping)


async def _serve(service: Service, listener: socket.socket, stop: asyncio.Event) -> int:
    server = _Server(_config(service.app))
    http = asyncio.create_task(_serve_http(server, listener), name="http")
    tasks = asyncio.create_task(supervise(service.tasks), name="tasks")
    stopping = asyncio.create_task(stop.wait())
    host, port = listener.getsockname()[:2]
    _log.info("listening", host=host, port=port)
    try:
        await asyncio.wait({http, tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return _verdict(http, tasks, wanted=stop.is_set())
    finally:
        stop.set()
        await _stop_http(service.app, server, http)
        await _cancel(tasks, stopping)
        _log.info("stopped")


async def _serve_http(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        await server.serve(sockets=[listener])
    except SystemExit:  # uvicorn's way to say that the application's lifespan failed, which it has logged
        raise TaskEnded("the HTTP application did not start") from None


def _verdict(http: asyncio.Task[None], tasks: asyncio.Task[None], *, wanted: bool) -> int:
    for task in (tasks, http):
        if task.done() and (error := task.exception()):
            _log.critical("a part of the service died", part=task.get_name(), exc_info=error)
            return EXIT_DIED
    return EXIT_DONE if wanted else EXIT_DIED


async def _stop_http(app: FastAPI, server: uvicorn.Server, http: asyncio.Task[None]) -> None:
    stopping = getattr(app, "stopping", None)
    if isinstance(stopping, asyncio.Event):
        stopping.set()  # streams end by themselves, readiness says so
    server.should_exit = True
    await asyncio.wait({http}, timeout=_STREAMS_S + 1)
    await _cancel(http)


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    if pending := {task for task in tasks if not task.done()}:
        await asyncio.wait(pending, timeout=_TASKS_S)


async def supervise(tasks: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Run the tasks until this is cancelled; raises TaskEnded naming the first that ends or fails.

    A task retries by itself what passes by itself; what it raises is for good.
    """
    running = [asyncio.ensure_future(_named(name, task)) for name, task in tasks.items()]
    if not running:
        await asyncio.Event().wait()
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        await next(iter(done))
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running, timeout=_TASKS_S)


async def _named(name: str, task: Callable[[], Awaitable[None]]) -> None:
    try:
        await task()
    except Exception as error:
        raise TaskEnded(f"the task '{name}' failed for good") from error
    raise TaskEnded(f"the task '{name}' ended though the service runs on")


class _Server(uvicorn.Server):
    """uvicorn without signal handling of its own: the process has one owner of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `run`."""
        yield


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=_STREAMS_S,
        h11_max_incomplete_event_size=65_536,
    )
