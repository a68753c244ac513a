"""Which step comes next while the readers are far behind."""

from types import SimpleNamespace
from typing import Any, cast

from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings
from services.provisioning_engine.domain.pacing import SMALL_REQUEST_USERS
from services.provisioning_engine.edges.counts import Counts
from services.provisioning_engine.edges.work import Work
from services.provisioning_engine.edges.worker import Worker
from serving.metrics import Metrics

LARGE = Work("run", "large", 0, SMALL_REQUEST_USERS + 1)
SMALL = Work("run", "small", 0, SMALL_REQUEST_USERS)
PLAN = Work("plan", "large", 0)


def chosen(*works: Work, readers_are_near: bool = False, unsent: int = 0) -> Work | None:
    """Give the step that a worker with one free shard would begin."""
    worker = Worker(cast("Any", None), KafkaSettings(""), "test", Counts(Metrics("test")), Alarms(), concurrency=1)
    worker.may_append = lambda: readers_are_near
    worker._shards[0] = cast("Any", SimpleNamespace(is_free=True, relay=SimpleNamespace(unsent=unsent)))
    worker._work = {work.key: work for work in works}
    worker._turns.keep({work.request for work in works})
    return worker._next()


def test_a_large_request_waits_for_readers_that_are_far_behind() -> None:
    assert chosen(LARGE) is None
    assert chosen(LARGE, readers_are_near=True) is LARGE
    assert chosen(LARGE, readers_are_near=True, unsent=1_000_000) is None


def test_a_small_request_goes_on_although_the_readers_are_far_behind() -> None:
    assert chosen(LARGE, SMALL) is SMALL
    assert chosen(LARGE, SMALL, unsent=1_000_000) is SMALL


def test_planning_does_not_wait_for_the_readers() -> None:
    assert chosen(LARGE, PLAN) is PLAN
