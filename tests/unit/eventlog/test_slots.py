"""A slot knows when nothing moves although it should, and when nothing is left to move for."""

import time

from aiokafka import TopicPartition

from eventlog.arithmetic import Gap, Progress
from eventlog.positions import PartitionKey
from eventlog.slots import Slot


def _slot(progress: Progress, end: int) -> Slot:
    slot = Slot(PartitionKey("log", 0), TopicPartition("x.log", 0))
    slot.put(progress)
    slot.end_offset = end
    slot.note_position(progress.next_offset)
    return slot


def test_a_slot_with_records_left_that_does_not_move_stands_still() -> None:
    slot = _slot(Progress(5), 9)
    slot.moved_at = time.monotonic() - 60
    assert slot.stands_still_for_s() >= 60
    slot.progress = slot.shown = Progress(6)
    slot.note_position(6)
    assert slot.stands_still_for_s() < 1


def test_a_slot_at_the_end_or_before_a_known_gap_does_not_stand_still() -> None:
    for slot in (_slot(Progress(9), 9), _slot(Progress(5, gap=Gap(5, 7)), 9)):
        slot.moved_at = time.monotonic() - 60
        assert slot.stands_still_for_s() == 0


def test_offsets_without_a_record_are_passed_only_when_the_consumer_stands_at_the_end_twice() -> None:
    slot = _slot(Progress(5), 7)
    seen: list[int | None] = []
    for decoded_to in (5, 5, 6):  # at last a record was fetched that isn't folded yet
        slot.decoded_to = decoded_to
        slot.note_position(7)
        seen.append(slot.pass_to)
    assert seen == [None, 7, None]
