"""Placing: brings the consumer to the stored position of each partition, and refuses places that don't exist."""

from __future__ import annotations

from typing import Any

import structlog

from eventlog.alarms import Alarms
from eventlog.database import Pool
from eventlog.fetching import Fetching
from eventlog.positions import PartitionKey, load_or_create
from eventlog.slots import Slot, Slots

_log = structlog.get_logger("eventlog.placing")

_LOOK_AGAIN_S = 2.0

STOPPED = "stopped"
OUT_OF_RANGE = "out-of-range"


class Placing:
    """Reads stored positions for slots that have none in memory and lets the consumer stand there."""

    def __init__(self, pool: Pool, reader: str, slots: Slots, fetching: Fetching, alarms: Alarms) -> None:
        self._pool = pool
        self._reader = reader
        self._slots = slots
        self._fetching = fetching
        self._alarms = alarms

    async def place_missing(self) -> None:
        """Place what is due. Raises what the clients raise while Kafka or Postgres is away."""
        missing = self._slots.unplaced
        consumer = self._fetching.consumer
        if not missing or consumer is None:
            return
        begins, ends = await _range(consumer, missing)
        async with self._pool.acquire() as conn, conn.transaction():
            found = await load_or_create(conn, self._reader, begins)
        for slot in missing:
            if self._slots.get(slot.key) is slot and slot.progress is None:
                slot.shown = found[slot.key]
                slot.end_offset = ends[slot.key]
                self._place(slot, begins[slot.key])

    def _place(self, slot: Slot, begin: int) -> None:
        progress, end, place = slot.shown, slot.end_offset, str(slot.key)
        if progress is None or end is None:
            return
        if progress.stopped is not None:
            self._refuse(slot, STOPPED, progress.stopped)
            return
        self._alarms.clear(STOPPED, place)
        if not begin <= progress.next_offset <= end:
            self._refuse(
                slot,
                OUT_OF_RANGE,
                f"position {progress.next_offset} is outside the topic, which has {begin} to {end}: it was cut off, "
                f"made anew or restored. Restore the topic, or rebuild this reader",
            )
            return
        self._alarms.clear(OUT_OF_RANGE, place)
        if self._fetching.stand_at(slot, progress.next_offset):
            slot.put(progress)
            _log.debug("placed", reader=self._reader, place=place, next_offset=progress.next_offset)

    def _refuse(self, slot: Slot, kind: str, text: str) -> None:
        self._fetching.pause(slot)
        slot.take_out(retry_after_s=_LOOK_AGAIN_S, why=text)
        self._alarms.raise_(kind, str(slot.key), text, reader=self._reader)


async def _range(
    consumer: Any,  # noqa: ANN401 - aiokafka has no types
    slots: list[Slot],
) -> tuple[dict[PartitionKey, int], dict[PartitionKey, int]]:
    """First and next offsets of the slots' partitions, as Kafka says now."""
    places = [slot.place for slot in slots]
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return (
        {slot.key: begins[slot.place] for slot in slots},
        {slot.key: ends[slot.place] for slot in slots},
    )
