"""Kafka clients with the settings that this event log relies on, and patience for parts that are away."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from eventlog import leniency
from eventlog.database import TRANSIENT_ERRORS

_log = structlog.get_logger("eventlog.connections")

Result = TypeVar("Result")

LONGEST_WAIT_S = 5.0
_FIRST_WAIT_S = 0.1

AWAY_ERRORS: tuple[type[BaseException], ...] = (KafkaError, *TRANSIENT_ERRORS)
"""Errors of a Kafka or a Postgres that may come back."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where Kafka is and how to speak to it. `password` never appears in a representation."""

    bootstrap: str
    topic_prefix: str = ""
    client_id: str = "planshift"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    def topic(self, name: str) -> str:
        """A topic's full name."""
        return self.topic_prefix + name

    def client_arguments(self) -> dict[str, Any]:
        """Arguments that every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }


def make_producer(kafka: KafkaSettings) -> AIOKafkaProducer:
    """Idempotent producer: every acknowledged batch is there once and in order, whatever the network did."""
    return AIOKafkaProducer(
        **kafka.client_arguments(),
        enable_idempotence=True,
        acks="all",
        compression_type="zstd",  # aiokafka's lz4 runs at level 9: nine times the time and twice the bytes
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=10_000,
        linger_ms=0,
    )


BATCH_BYTES = 256 * 1024
MAX_REQUEST_BYTES = 16 * 1024 * 1024


def make_consumer(kafka: KafkaSettings) -> AIOKafkaConsumer:
    """Consumer without a group, for looking at a topic; never jumps silently."""
    leniency.install()
    return AIOKafkaConsumer(
        **kafka.client_arguments(),
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=10_000,
    )


def quiet_client_logs() -> None:
    """Let aiokafka's loggers speak of errors only; states are logged here, once each."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class Patience:
    """Waits longer with each failure, and logs only when the state changes."""

    def __init__(self, what: str, *, longest_s: float = LONGEST_WAIT_S) -> None:
        self._what = what
        self._longest_s = longest_s
        self._wait_s = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether the last attempt failed."""
        return self._wait_s > 0

    async def failed(self, error: BaseException) -> None:
        """Say so the first time, and wait before the next attempt."""
        if not self.is_waiting:
            _log.warning("away, keeps trying", what=self._what, error=describe(error))
        self._wait_s = min(self._longest_s, self._wait_s * 2 or _FIRST_WAIT_S)
        await asyncio.sleep(self._wait_s)

    def succeeded(self) -> None:
        """Say so after a failure."""
        if self.is_waiting:
            _log.info("back", what=self._what)
            self._wait_s = 0.0


def describe(error: BaseException) -> str:
    """An error's type and the start of its text."""
    return f"{type(error).__name__}: {error}"[:500]


async def keep_trying(
    what: str,
    attempt: Callable[[], Awaitable[Result]],
    *,
    longest_wait_s: float = LONGEST_WAIT_S,
    also_retry: tuple[type[BaseException], ...] = (),
) -> Result:
    """Result of `attempt`, tried again with growing waits while Kafka or Postgres is away."""
    patience = Patience(what, longest_s=longest_wait_s)
    while True:
        try:
            result = await attempt()
        except (*AWAY_ERRORS, *also_retry) as error:
            await patience.failed(error)
        else:
            patience.succeeded()
            return result
