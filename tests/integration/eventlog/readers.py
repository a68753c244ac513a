"""Readers as the tests build them, and what the tests ask of them."""

from collections.abc import Callable, Sequence
from typing import Any

from eventlog.connections import KafkaSettings
from eventlog.database import Pool
from eventlog.reader import Reader, Subscription
from tests.integration.eventlog.records import fold_ids, folded_ids
from tests.waiting import eventually

LOG = Subscription("log", sequenced=True)
PLAIN = Subscription("log")


def reader_of(
    pool: Pool,
    settings: KafkaSettings,
    subscription: Subscription = LOG,
    **options: Any,  # noqa: ANN401 - whatever a Reader takes
) -> Reader:
    return Reader(pool, settings, "reader", [subscription], options.pop("fold", fold_ids("reader")), **options)


async def all_folded(pool: Pool, expected: Sequence[str], within: float = 15) -> None:
    async def matches() -> bool:
        return await folded_ids(pool) == list(expected)

    await eventually(matches, within=within, what=f"{len(expected)} ids folded in order")


def is_idle(reader: Reader) -> Callable[[], bool]:
    return lambda: reader.ready and reader.lag == 0


def alarm_kinds(reader: Reader) -> list[str]:
    return [alarm.kind for alarm in reader.alarms.standing]
