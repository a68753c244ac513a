"""A local stack: Kafka, Postgres and the services as supervised processes on one machine."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from serving.tokens import SCOPES, new_token, write_secret, write_tokens
from standalone.folder import DataFolder, default_folder
from standalone.kafka import KafkaNode, create_topics
from standalone.part import Part, PartPlan, Patience
from standalone.ports import Ports, check_free
from standalone.postgres import PostgresServer
from standalone.problems import StackProblem, not_reachable
from standalone.service_plans import COMMANDS, SERVICES, ServiceProcess, processes, service_plan, service_settings
from standalone.state import StackState, end_leftovers, running_part, write_state

Progress = Callable[[str], None]

EVERYTHING = frozenset({"kafka", "postgres", "services"})
_MEBIBYTE = 1024 * 1024
_FULL_BYTES = 16 * _MEBIBYTE
_TOPICS_DEADLINE_S = 30.0
_TOPICS_POLL_S = 0.2


def say_nothing(_line: str) -> None:
    """Take progress and show it to nobody."""


@dataclass(frozen=True)
class StackSettings:
    """
    What to run and where.

    `parts` is a subset of EVERYTHING. `commands` and `environment` are by service ("wizard", "engine", "tracker");
    `environment` has additional variables for it. `quick` starts Kafka sooner and runs it slower: for tests.
    """

    ports: Ports
    folder: Path = field(default_factory=default_folder)
    parts: frozenset[str] = EVERYTHING
    fresh: bool = False
    quick: bool = False
    topic_prefix: str = ""
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: COMMANDS)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    least_free_bytes: int = 512 * _MEBIBYTE


class Stack:
    """
    One stack on one data folder.

    `async with Stack(settings) as stack: await stack.start(print)`; leaving the block stops everything. `parts` has a
    handle for each process, by name: "kafka", "postgres", "wizard", "engine" (or "engine-1", …), "tracker".
    """

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.folder)
        self.parts: dict[str, Part] = {}
        ports = settings.ports
        self._kafka = KafkaNode(
            self.folder.kafka,
            self.folder.logs,
            port=ports.kafka,
            controller_port=ports.kafka_controller,
            quick=settings.quick,
        )
        self._postgres = PostgresServer(
            self.folder.postgres, self.folder.logs, self.folder.secrets, port=ports.postgres
        )
        self._hold = contextlib.ExitStack()
        self._failed: asyncio.Future[StackProblem] | None = None
        self._progress: Progress = say_nothing

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap address, host:port."""
        return self._kafka.address

    @property
    def postgres_url(self) -> str:
        """URL of Postgres with the superuser's password; not for logs."""
        return self._postgres.superuser_url

    @property
    def token(self) -> str:
        """The token with every scope, which the command line uses; not for logs."""
        return self.folder.token_file.read_text(encoding="ascii").strip()

    @property
    def state(self) -> StackState:
        """Where everything is, as others read it from the state file."""
        has = self.settings.parts
        running = {name: running_part(part.pid, part.plan.log) for name, part in self.parts.items() if part.pid}
        return StackState(
            supervisor=os.getpid(),
            folder=self.folder.path,
            kafka=self.kafka if "kafka" in has else None,
            postgres=self._postgres.address if "postgres" in has else None,
            topic_prefix=self.settings.topic_prefix,
            urls={each.part: each.url for each in self._processes()},
            databases={name: self._postgres.url(name) for name in SERVICES} if "postgres" in has else {},
            token_file=self.folder.token_file,
            parts={name: part for name, part in running.items() if part},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, progress: Progress = say_nothing) -> None:
        """
        Start every part and wait until all are ready; `progress` gets one line for a person at each step.

        Raises StackProblem and has stopped everything again if that isn't possible.
        """
        self._progress = progress
        self._failed = asyncio.get_running_loop().create_future()
        hold = self.folder.locked(fresh=self.settings.fresh, least_free_bytes=self.settings.least_free_bytes)
        self._hold.enter_context(hold)
        try:
            self._clear_the_ground()
            await self._start_ground()
            await self._start_services()
        except (OSError, StackProblem) as error:
            await self.stop()
            plain = not_reachable(f"{self.folder.path}: {error}") if isinstance(error, OSError) else error
            raise self._explained(plain) from error
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> StackProblem:
        """Wait until a part has died for good; answers what to say about it."""
        if self._failed is None:
            raise not_reachable("This stack wasn't started.")
        return self._explained(await asyncio.shield(self._failed))

    async def stop(self) -> None:
        """Stop the services first, then Kafka and Postgres; nothing is left running."""
        services = [part for name, part in self.parts.items() if name not in {"kafka", "postgres"}]
        ground = [part for name, part in self.parts.items() if name in {"kafka", "postgres"}]
        for group in (services, ground):
            if group:
                self._progress(f"Stopping {', '.join(part.name for part in group)}")
            await asyncio.gather(*(part.stop() for part in group))
        if self.parts:
            self.folder.state_file.unlink(missing_ok=True)
        self.parts.clear()
        self._hold.close()

    def erase(self) -> None:
        """Remove the data of a stack that is stopped."""
        self.folder.erase()

    def _clear_the_ground(self) -> None:
        left = end_leftovers(self.folder)
        if left:
            self._progress(f"An earlier run was cut off: ended what it left running ({', '.join(left)})")
        check_free(self._needed_ports())

    def _needed_ports(self) -> dict[str, int]:
        ports, has = self.settings.ports, self.settings.parts
        needed = {each.part: each.port for each in self._processes()}
        if "kafka" in has:
            needed |= {"kafka": ports.kafka, "kafka's controller": ports.kafka_controller}
        if "postgres" in has:
            needed |= {"postgres": ports.postgres}
        return needed

    def _processes(self) -> list[ServiceProcess]:
        return list(processes(self.settings.ports)) if "services" in self.settings.parts else []

    async def _start_ground(self) -> None:
        async with _one_problem() as group:
            if "kafka" in self.settings.parts:
                group.create_task(self._start_kafka())
            if "postgres" in self.settings.parts:
                group.create_task(self._start_postgres())

    async def _start_kafka(self) -> None:
        plan = await self._kafka.prepare(self._progress)
        self._progress("Kafka: starting")
        await self._start_part(plan)
        await self._create_topics()
        self._progress(f"Kafka: ready at {self.kafka}")

    async def _create_topics(self) -> None:
        """The port is open a moment before the broker takes administrative requests."""
        try:
            async with asyncio.timeout(_TOPICS_DEADLINE_S):
                while True:
                    try:
                        await create_topics(self.kafka, TOPICS, prefix=self.settings.topic_prefix)
                    except KafkaError:
                        await asyncio.sleep(_TOPICS_POLL_S)
                    else:
                        return
        except TimeoutError:
            raise not_reachable(f"Kafka takes no topics; see {self.parts['kafka'].plan.log}") from None

    async def _start_postgres(self) -> None:
        plan = await self._postgres.prepare(self._progress)
        self._progress("Postgres: starting")
        await self._start_part(plan)
        for name in SERVICES:
            await self._postgres.make_database(name)
        self._progress(f"Postgres: ready at {self._postgres.address}")

    async def _start_services(self) -> None:
        if not self._processes():
            return
        self._ensure_token()
        self._progress(f"Services: starting {', '.join(each.part for each in self._processes())}")
        async with _one_problem() as group:
            for each in self._processes():
                group.create_task(self._start_service(each))

    async def _start_service(self, process: ServiceProcess) -> None:
        settings = self.settings
        environment = {
            **service_settings(process, self.folder, self.kafka, self._postgres, topic_prefix=settings.topic_prefix),
            # The wizard answers with the address under which the tracker shows what was asked.
            "PLANSHIFT_TRACKER_URL": f"http://127.0.0.1:{settings.ports.tracker}",
            **settings.environment.get(process.service, {}),
        }
        command = settings.commands[process.service]
        await self._start_part(service_plan(process, command, environment, self.folder, settings.patience))
        self._progress(f"{process.part}: ready at {process.url}")

    async def _start_part(self, plan: PartPlan) -> None:
        if self._failed is None:
            raise not_reachable("This stack wasn't started.")
        part = Part(plan, progress=self._progress, on_change=self._write_state, failed=self._failed)
        self.parts[plan.name] = part
        await part.start()

    def _explained(self, problem: StackProblem) -> StackProblem:
        """Name a full disk, which makes parts die of many things."""
        if self.folder.free_bytes() > _FULL_BYTES:
            return problem
        return StackProblem(f"{problem.line} (the disk of {self.folder.path} is full)", problem.exit_code)

    def _ensure_token(self) -> None:
        if self.folder.token_file.exists() and self.folder.tokens_file.exists():
            return
        token, record = new_token("planshift up", SCOPES)
        write_tokens(self.folder.tokens_file, [record])
        write_secret(self.folder.token_file, token + "\n")

    def _write_state(self) -> None:
        # A full disk must not take down parts that still run; the state is written again at the next change.
        with contextlib.suppress(OSError):
            write_state(self.folder, self.state)


@contextlib.asynccontextmanager
async def _one_problem() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first problem is raised alone: one line for a person, whatever else failed with it."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as problems:
        raise _first(problems.exceptions) from problems


def _first(errors: Iterable[BaseException]) -> BaseException:
    """The most telling of several errors: one that was written for a person, if there is one."""
    ranked = sorted(errors, key=lambda error: not isinstance(error, StackProblem))
    return ranked[0]
