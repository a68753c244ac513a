"""The whole real stack, started once for all end-to-end tests of a run."""

import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from standalone.part import Patience
from standalone.ports import Ports
from standalone.stack import Stack, StackSettings
from tests.e2e.api import Api

ENGINES = 2
_PATIENCE = Patience(deaths=1000, longest_pause_s=1.0)


@dataclass(frozen=True)
class Running:
    """The stack that runs, and a client of each service."""

    stack: Stack
    wizard: Api
    engine: Api
    tracker: Api

    @property
    def kafka(self) -> str:
        """Kafka's address."""
        return self.stack.kafka

    @property
    def prefix(self) -> str:
        """What the topics' names begin with."""
        return self.stack.settings.topic_prefix


_LOGS: list[Path] = []
_TOLD_LINES = 12


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Show with a failure what the services complained of last: their folder is gone when somebody looks."""
    if not report.failed:
        return
    for log in _LOGS:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        bad = [line for line in lines if '"level": "info"' not in line][-_TOLD_LINES:]
        report.sections.append((f"complaints of {log.stem}", "\n".join(line[:2000] for line in bad)))


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[Running]:
    """Give Kafka, Postgres, the wizard, two engines and the tracker, all real and all ready."""
    with tempfile.TemporaryDirectory(prefix="planshift-e2e-", ignore_cleanup_errors=True) as folder:
        settings = StackSettings(
            ports=Ports.free(ENGINES),
            folder=Path(folder) / "data",
            quick=True,
            topic_prefix=f"e{secrets.token_hex(3)}.",
            patience=_PATIENCE,
        )
        async with Stack(settings) as stack:
            await stack.start()
            urls = stack.state.urls
            _LOGS[:] = [part.plan.log for name, part in stack.parts.items() if name not in {"kafka", "postgres"}]
            apis = [Api(urls[name], stack.token) for name in ("wizard", "engine-1", "tracker")]
            yield Running(stack, *apis)
            for api in apis:
                await api.close()
        stack.erase()
