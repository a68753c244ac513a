"""Kafka and Postgres in containers, where a Docker engine runs and its images can be had."""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import docker
import psutil
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from standalone.ports import Ports

_LABEL = "org.planshift.tests"
_LOOPBACK = "127.0.0.1"
_KAFKA_PORT = 9094
_POSTGRES_PORT = 5432
_KAFKA_IMAGE = "apache/kafka:4.3.1"
_POSTGRES_IMAGE = "postgres:18"

# testcontainers' own reaper is a privileged container that not every engine allows; `remove_leftovers` does its work.
# The address of the host is the loopback that ports are published on, also where we run in a container ourselves.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")


def engine_runs() -> bool:
    """Whether a Docker engine listens; asked without its library, which leaks its socket when none does."""
    place = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    family, address = (
        (socket.AF_UNIX, place.path) if place.scheme == "unix" else (socket.AF_INET, (place.hostname, place.port))
    )
    with socket.socket(family) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


@contextlib.contextmanager
def kafka_container() -> Iterator[str]:
    """A broker's bootstrap address; raises DockerException if it can't be had."""
    port = Ports.free().kafka
    container = DockerContainer(_KAFKA_IMAGE)
    for name, value in _kafka_settings(port).items():
        container.with_env(name, value)
    _publish_on_loopback(container, _KAFKA_PORT, port)
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(60))
    with _running(container):
        yield f"{_LOOPBACK}:{port}"


@contextlib.contextmanager
def postgres_container() -> Iterator[str]:
    """A superuser's URL; raises DockerException if it can't be had."""
    port = Ports.free().postgres
    container = PostgresContainer(_POSTGRES_IMAGE, driver=None)
    _publish_on_loopback(container, _POSTGRES_PORT, port)
    with _running(container):
        yield f"postgresql://{container.username}:{container.password}@{_LOOPBACK}:{port}/{container.dbname}"


def remove_leftovers() -> None:
    """Remove containers of test runs whose process is gone: a killed run can't do that itself."""
    with contextlib.closing(docker.from_env()) as client:
        for container in client.containers.list(all=True, filters={"label": _LABEL}):
            if container.labels[_LABEL] != _mark(int(container.labels[_LABEL].partition("@")[0])):
                container.remove(force=True, v=True)


def _mark(pid: int) -> str:
    """Name a process beyond doubt: its pid and when it started; empty if there is none."""
    try:
        return f"{pid}@{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""


@contextlib.contextmanager
def _running(container: DockerContainer) -> Iterator[None]:
    container.with_kwargs(labels={_LABEL: _mark(os.getpid())})
    try:
        container.start()
        yield
    finally:
        container.stop()


def _publish_on_loopback(container: DockerContainer, inside: int, outside: int) -> None:
    """Publish a port to this machine only: the library's own way is open to the network, its types allow no other."""
    ports = cast("dict[str | int, object]", container.ports)
    ports.pop(inside, None)
    ports[f"{inside}/tcp"] = (_LOOPBACK, outside)


def _kafka_settings(port: int) -> dict[str, str]:
    # With the mapped port as its only address the broker could not reach itself, so it has one of its own.
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"INTERNAL://:9092,CONTROLLER://:9093,HOST://:{_KAFKA_PORT}",
        "KAFKA_ADVERTISED_LISTENERS": f"INTERNAL://localhost:9092,HOST://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,HOST:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_LOG_RETENTION_MS": "-1",
        "KAFKA_MESSAGE_MAX_BYTES": "16777216",
    }
