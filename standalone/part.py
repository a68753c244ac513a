"""One part of the stack: a process that is started, watched, started again when it crashes, and stopped."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from standalone.problems import StackProblem, died_for_good, not_reachable

_LAUNCHER = Path(__file__).with_name("launch.py")
_LOG_KEPT_BYTES = 16 * 1024 * 1024
_READY_POLL_S = 0.1

Ready = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Patience:
    """How long to wait for a part, and when to give it up."""

    ready_s: float = 90.0
    stop_s: float = 20.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0
    deaths: int = 6
    within_s: float = 60.0

    def pause_s(self, deaths: int) -> float:
        """How long to wait after so many deaths in a row, in seconds; doubles each time."""
        return min(self.longest_pause_s, self.first_pause_s * 2.0 ** (deaths - 1))


@dataclass(frozen=True)
class PartPlan:
    """
    What a part runs and how one sees that it is ready.

    `ready` answers quickly and never raises. `death_signal` is what the process gets when the supervisor is killed.
    `user` is the system user to run as, empty for our own.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    ready: Ready
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    patience: Patience = Patience()


class Part:
    """
    A supervised process.

    `on_change` is called whenever the pid changes; `progress` gets one line for a person; `failed` gets the problem
    when the part died for good.
    """

    def __init__(
        self,
        plan: PartPlan,
        *,
        progress: Callable[[str], None],
        on_change: Callable[[], None],
        failed: asyncio.Future[StackProblem],
    ) -> None:
        self.plan = plan
        self.name = plan.name
        self.restarts = 0
        self._progress = progress
        self._on_change = on_change
        self._failed = failed
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._deaths: deque[float] = deque(maxlen=plan.patience.deaths)

    @property
    def pid(self) -> int | None:
        """The pid of the process, or None while it doesn't run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it, wait until it is ready and watch it from then on; raises StackProblem if it doesn't come up."""
        self._deaths.clear()
        await self._spawn()
        try:
            await self._until_ready()
        except BaseException:
            await self._end_process()
            raise
        self._watch = asyncio.create_task(self._supervise(), name=f"watch {self.name}")

    async def stop(self) -> None:
        """Stop it for as long as nobody starts it; kills it if it takes too long. Does nothing if it doesn't run."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._end_process()

    async def restart(self) -> None:
        """Stop it in order and start it again."""
        await self.stop()
        await self.start()

    def signal(self, which: signal.Signals) -> None:
        """Send a signal to the process itself, e.g. SIGSTOP; raises ProcessLookupError if it doesn't run."""
        pid = self.pid
        if pid is None:
            raise ProcessLookupError(self.name)
        os.kill(pid, which)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); it is started again like after any crash."""
        self.signal(signal.SIGKILL)

    async def ready(self) -> bool:
        """Whether it runs and answers."""
        return self.pid is not None and await self.plan.ready()

    async def _spawn(self) -> None:
        _keep_log_small(self.plan.log)
        plan = self.plan
        with plan.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(plan.death_signal)), plan.user),
                *plan.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **plan.environment},
                cwd=plan.folder,
                # Its own group: Ctrl-C in the terminal reaches only us, and we stop the parts in order.
                start_new_session=True,
            )
        self._on_change()

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + self.plan.patience.ready_s
        while not await self.plan.ready():
            if self.pid is None:
                raise not_reachable(f"{self.name} {self._ending()} while it started; see {self.plan.log}")
            if time.monotonic() > deadline:
                raise not_reachable(
                    f"{self.name} isn't ready after {self.plan.patience.ready_s:.0f} s; see {self.plan.log}"
                )
            await asyncio.sleep(_READY_POLL_S)

    async def _supervise(self) -> None:
        try:
            await self._keep_alive()
        except OSError as error:
            self._fail(f"{self.name} can't be started again: {error.strerror}; see {self.plan.log}")

    async def _keep_alive(self) -> None:
        while True:
            await self._died()
            now = time.monotonic()
            self._deaths.append(now)
            recent = [death for death in self._deaths if death > now - self.plan.patience.within_s]
            if len(recent) >= self.plan.patience.deaths:
                self._give_up(len(recent))
                return
            pause_s = self.plan.patience.pause_s(len(recent))
            self._progress(f"{self.name} {self._ending()}; starting it again in {pause_s:.1f} s")
            await asyncio.sleep(pause_s)
            self.restarts += 1
            await self._spawn()
            await self._say_when_ready()

    async def _died(self) -> None:
        if self._process is None:
            raise ProcessLookupError(self.name)
        await self._process.wait()
        _sweep(self._process.pid)
        self._on_change()

    async def _say_when_ready(self) -> None:
        """A part that isn't ready again is left alone as long as it lives: it may be waiting for another part."""
        with contextlib.suppress(StackProblem):
            await self._until_ready()
            self._progress(f"{self.name} is back")

    def _give_up(self, deaths: int) -> None:
        often = f"{self.name} died {deaths} times within {self.plan.patience.within_s:.0f} s"
        self._fail(f"{often} (at last it {self._ending()}); see {self.plan.log}")

    def _fail(self, line: str) -> None:
        if not self._failed.done():
            self._failed.set_result(died_for_good(line))

    def _ending(self) -> str:
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    async def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.plan.stop_signal)
                # One that was stopped with SIGSTOP takes no other signal before it goes on.
                process.send_signal(signal.SIGCONT)
            try:
                await asyncio.wait_for(process.wait(), self.plan.patience.stop_s)
            except TimeoutError:
                _sweep(process.pid)
                await process.wait()
        _sweep(process.pid)
        self._on_change()


def _sweep(group: int) -> None:
    """Kill what is left of a part's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _keep_log_small(log: Path) -> None:
    """Set a long log aside before a start; one earlier one is kept."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_KEPT_BYTES:
            log.replace(log.with_suffix(".log.1"))
