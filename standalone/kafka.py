"""The one-node Kafka of a local stack: its files, how it is started and when it is ready."""

import asyncio
import base64
import logging
import os
import shutil
import signal
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import TopicDefinition
from standalone.java import find_java, run_logged
from standalone.kafka_jars import FILES, kafka_jars
from standalone.part import PartPlan
from standalone.problems import not_reachable

# Polling a broker that isn't up yet is our business; without a handler the library would print it to a person.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

_PROBE_TIMEOUT_S = 1.0
_ALREADY_EXISTS = TopicAlreadyExistsError.errno


class KafkaNode:
    """A broker and controller in one process on 127.0.0.1."""

    def __init__(self, data: Path, logs: Path, *, port: int, controller_port: int, quick: bool) -> None:
        self._data = data
        self._log = logs / "kafka.log"
        self._properties = data.with_name("kafka.properties")
        self._port = port
        self._controller_port = controller_port
        # Half-optimised code is there sooner: right for tests, wrong for measuring.
        self._jvm_flags = ("-XX:TieredStopAtLevel=1",) if quick else ()
        self.address = f"127.0.0.1:{port}"

    async def prepare(self, progress: Callable[[str], None]) -> PartPlan:
        """Get Java and the jars, lay the data folder out if it is new, and answer what to run."""
        java = await find_java()
        jars = await kafka_jars(java, progress, self._log)
        self._write_properties(self._data)
        if not self._data.exists():
            progress("Kafka: laying out its data")
            await self._format(java, jars)
        return self._plan(java, jars)

    def _plan(self, java: Path, jars: Path) -> PartPlan:
        flags = (
            *("-Xms256m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"),
            f"-Dlog4j2.configurationFile={FILES / 'log4j2.properties'}",
            *self._jvm_flags,
        )
        return PartPlan(
            name="kafka",
            command=(str(java), *flags, "-cp", f"{jars}/*", "kafka.Kafka", str(self._properties)),
            log=self._log,
            ready=self._answers,
            death_signal=signal.SIGTERM,
        )

    async def _answers(self) -> bool:
        return await accepts_connections("127.0.0.1", self._port)

    async def _format(self, java: Path, jars: Path) -> None:
        # Laid out beside its place, so that an interrupted try isn't taken for data.
        draft = self._data.with_name("kafka.new")
        shutil.rmtree(draft, ignore_errors=True)
        self._write_properties(draft)
        cluster = cluster_id(uuid.uuid4().bytes)
        tool = ("-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        code = await run_logged((str(java), "-XX:TieredStopAtLevel=1", *tool), self._log)
        if code != 0:
            raise not_reachable(f"Kafka's data folder could not be laid out; see {self._log}")
        draft.rename(self._data)
        self._write_properties(self._data)

    def _write_properties(self, data: Path) -> None:
        text = (FILES / "server.properties").read_text(encoding="ascii")
        places = {"port": str(self._port), "controller_port": str(self._controller_port), "data": str(data)}
        for name, value in places.items():
            text = text.replace("${" + name + "}", value)
        self._properties.write_text(text, encoding="utf-8")


async def accepts_connections(host: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def cluster_id(sixteen_bytes: bytes) -> str:
    """A cluster's id as Kafka writes it; never with a "-" at its beginning, where Kafka's own tool sees an option."""
    tamed = bytes([sixteen_bytes[0] & 0x7F]) + sixteen_bytes[1:]
    return base64.urlsafe_b64encode(tamed).decode().rstrip("=")


async def create_topics(
    bootstrap: str, topics: Sequence[TopicDefinition], *, prefix: str, extra_config: Mapping[str, str] | None = None
) -> None:
    """Create the topics that don't exist yet, each named with the prefix; raises KafkaError if the broker refuses."""
    wanted = [
        NewTopic(prefix + topic.name, topic.partitions, 1, topic_configs={**topic.config, **(extra_config or {})})
        for topic in topics
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id=f"planshift-{os.getpid()}")
    await admin.start()
    try:
        answer = await admin.create_topics(wanted)
    finally:
        await admin.close()
    for name, code, *reason in answer.topic_errors:
        if code not in {0, _ALREADY_EXISTS}:
            error: type[KafkaError] = for_code(code)
            raise error(f"{name}: {reason}")
