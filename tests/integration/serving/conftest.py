"""What several tests of serving ask for: the log of this process, and the sample application served."""

import io
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import structlog

from serving import logs
from serving.app import create_api
from serving.metrics import Metrics
from tests.integration.serving.sample_api import LIMIT, Setting, sample_router
from tests.integration.serving.served import sample_settings, served, write_sample_tokens


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Give the stream that this process logs to during the test."""
    stream, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("sample", "here", "INFO", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
async def setting(tmp_path: Path, log: io.StringIO) -> AsyncIterator[Setting]:
    """Give the sample application on a real port."""
    tokens, reasons = write_sample_tokens(tmp_path), list[str]()

    async def readiness() -> Sequence[str]:
        return reasons

    settings = sample_settings(tmp_path, body_limit=LIMIT)
    app = create_api("Sample", "1.0.0", settings, metrics=Metrics("sample"), readiness=readiness)
    app.include_router(sample_router())
    async with served(app) as url:
        yield Setting(url, tokens, log, reasons)
