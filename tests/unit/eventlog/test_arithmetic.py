"""Whatever a topic brings, each sequence counts once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from eventlog.arithmetic import WINDOW, Progress, SeenIds, Step, advance
from eventlog.record import IncomingRecord


def _record(offset: int, sequence: int | None, event_id: str | None = None) -> IncomingRecord:
    name = event_id or f"e{sequence}"
    return IncomingRecord("t", 0, offset, 1000 + offset, None, b"v", (), "type", name, sequence)


def _log(*sequences: int | None) -> list[IncomingRecord]:
    return [_record(offset, sequence) for offset, sequence in enumerate(sequences)]


def _sequences(step: Step) -> list[int | None]:
    return [record.sequence for record in step.fold]


class _ReaderOf:
    """Reads a log as a reader does: from where it stands, going back when told to."""

    def __init__(self, log: list[IncomingRecord]) -> None:
        self.log = log
        self.progress = Progress(0)
        self.seen = SeenIds()
        self.read_to = 0
        self.folded: list[int | None] = []

    def read(self, count: int) -> None:
        records = self.log[self.read_to : self.read_to + count]
        step = advance(self.progress, self.seen, records)
        self.progress = step.after
        self.folded += _sequences(step)
        self.read_to = step.after.next_offset if step.go_back else self.read_to + len(records)

    def start_again(self) -> None:
        """Only what is stored is left."""
        place = self.progress
        self.progress = Progress(place.next_offset, place.last_sequence, place.last_id)
        self.seen = SeenIds(place.last_sequence, place.last_id)
        self.read_to = place.next_offset

    def read_all(self) -> None:
        for _ in range(10_000):
            if self.read_to == len(self.log) or self.progress.stopped:
                return
            self.read(3)
        raise AssertionError("the reader goes round in circles")


def test_records_in_order_are_folded() -> None:
    step = advance(Progress(0), SeenIds(), _log(1, 2, 3))
    assert _sequences(step) == [1, 2, 3]
    assert (step.after.next_offset, step.after.last_sequence, step.after.last_id) == (3, 3, "e3")


def test_lower_sequences_are_dropped_and_counted() -> None:
    step = advance(Progress(0), SeenIds(), _log(1, 2, 1, 2, 3))
    assert _sequences(step) == [1, 2, 3]
    assert step.dropped == 2


def test_records_without_a_sequence_count_by_their_offset() -> None:
    step = advance(Progress(1), SeenIds(), _log(None, None, 1, None))
    assert _sequences(step) == [None, 1, None]
    assert step.after.next_offset == 4


def test_holes_of_compaction_are_nothing() -> None:
    step = advance(Progress(2), SeenIds(), [_record(5, None), _record(9, None)])
    assert step.after.next_offset == 10


def test_a_gap_stops_at_its_place() -> None:
    step = advance(Progress(0), SeenIds(), _log(1, 2, 4, 5, None))
    assert _sequences(step) == [1, 2]
    assert step.after.next_offset == 2
    assert step.after.gap is not None
    assert step.after.gap.found == 4


def test_a_missing_one_that_comes_later_closes_the_gap_and_the_reader_goes_back() -> None:
    reader = _ReaderOf(_log(1, 2, 4, 5, 3))
    reader.read_all()
    assert reader.folded == [1, 2, 3, 4, 5]
    assert reader.progress.next_offset == 5


def test_everything_republished_closes_the_gap_as_well() -> None:
    reader = _ReaderOf(_log(1, 2, 4, 5, 3, 4, 5, 6))
    reader.read_all()
    assert reader.folded == [1, 2, 3, 4, 5, 6]


def test_several_missing_ones_may_come_apart_with_a_start_in_between() -> None:
    reader = _ReaderOf(_log(1, 2, 6, 7, 3))
    reader.read_all()
    assert reader.folded == [1, 2, 3]
    reader.start_again()
    reader.log += [_record(5, 4), _record(6, 9), _record(7, 5), _record(8, 8)]
    reader.read_all()
    assert reader.folded == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert reader.progress.gap is None


def test_the_same_sequence_with_another_id_stops_the_partition() -> None:
    step = advance(Progress(0), SeenIds(), [*_log(1, 2, 3), _record(3, 2, "other"), _record(4, 4)])
    assert _sequences(step) == [1, 2, 3]
    assert step.after.next_offset == 3
    assert step.after.stopped is not None
    assert "sequence 2 came with id 'other'" in step.after.stopped
    assert advance(step.after, SeenIds(), [_record(4, 4)]).fold == []


def test_another_id_is_noticed_for_the_last_record_before_a_start() -> None:
    step = advance(Progress(2, 2, "e2"), SeenIds(2, "e2"), [_record(2, 2, "other")])
    assert step.after.stopped is not None


def test_another_id_is_noticed_while_looking_for_missing_ones() -> None:
    step = advance(Progress(0), SeenIds(), [*_log(1, 3), _record(2, 1, "other")])
    assert step.after.stopped is not None


def test_an_id_too_old_to_be_remembered_is_dropped() -> None:
    seen = SeenIds()
    last = advance(Progress(0), seen, _log(*range(1, WINDOW + 10))).after
    step = advance(last, seen, [_record(last.next_offset, 3, "other")])
    assert (step.after.stopped, step.dropped) == (None, 1)


@given(st.data(), st.integers(1, 12))
def test_each_sequence_counts_once_and_in_order_whatever_the_topic_brings(data: st.DataObject, last: int) -> None:
    noise = data.draw(st.lists(st.one_of(st.none(), st.integers(1, last)), max_size=30))
    # In the end somebody publishes everything again, in order, as an operator would.
    log = _log(*noise, *range(1, last + 1))
    reader = _ReaderOf(log)
    while reader.read_to < len(log):
        reader.read(data.draw(st.integers(1, 5)))
        if data.draw(st.integers(0, 9)) == 0:
            reader.start_again()
    assert [s for s in reader.folded if s is not None] == list(range(1, last + 1))
    assert reader.folded.count(None) == noise.count(None)
    assert reader.progress.gap is None
