"""The hot path says byte for byte what the contracts say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode, encode
from contracts.envelope import ENGINE_SOURCE, wrap
from contracts.identifiers import IDENTIFIER_PATTERN
from contracts.provisioning import UserMigrated
from contracts.topics import PROVISIONING
from eventlog.record import OutgoingEvent, record_headers
from services.provisioning_engine.domain.outcomes import Batch
from services.provisioning_engine.edges.wire import Thread, migrated_users

TIME = datetime(2026, 11, 24, 21, 30, 15, 123456, tzinfo=UTC)
# fullmatch of the pattern without its anchors: `$` would let a line feed pass.
identifiers = st.from_regex(IDENTIFIER_PATTERN.strip("^$"), fullmatch=True)
anything = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
LOOKS_LIKE_A_MARK = ("1000000000000007", "a@user@b", "10000000000000000001", "1000000000000009")


def contract_says(thread: Thread, service: str, batch: Batch, sequence: int, position: int, revision: int) -> bytes:
    data = UserMigrated(
        request=thread.request,
        customer=batch.customer,
        user=batch.users[position],
        batch=batch.no,
        position=position,
        attempt=batch.attempt,
        service=service,
        from_plan=batch.from_plan,
        to_plan=batch.to_plan,
        revision=revision,
    )
    return encode(
        wrap(
            data,
            event_id=f"{thread.request}/{batch.no}/{position}/{batch.attempt}",
            source=ENGINE_SOURCE,
            time=TIME,
            sequence=sequence,
            correlation_id=thread.correlation,
            causation_id=thread.causation,
            traceparent=thread.traceparent,
        )
    )


def assert_same(thread: Thread, batch: Batch, first: int) -> list[OutgoingEvent]:
    migrated = [(position, user, 5 + position) for position, user in enumerate(batch.users)]
    events = migrated_users(thread, "mail", batch, TIME, first, migrated)
    for position, event in enumerate(events):
        assert event.body == contract_says(thread, "mail", batch, first + position, position, 5 + position)
        assert event.id == f"{thread.request}/{batch.no}/{position}/{batch.attempt}"
        assert (event.type, event.key) == (UserMigrated.TYPE, batch.customer)
    return events


@given(
    request=identifiers,
    customer=identifiers,
    users=st.lists(identifiers, min_size=1, max_size=5),
    correlation=anything,
    causation=anything,
    first=st.integers(1, 10**18),
    no=st.integers(0, 2**31),
)
def test_a_template_gives_the_bytes_that_the_contracts_give(
    request: str, customer: str, users: list[str], correlation: str, causation: str, first: int, no: int
) -> None:
    batch = Batch(no, customer, "silver", "gold", 1, users, 1, {}, len(users))
    assert_same(Thread(request, correlation, causation, None), batch, first)


@pytest.mark.parametrize("name", LOOKS_LIKE_A_MARK)
@pytest.mark.parametrize("field", ["request", "correlation", "causation", "customer", "user"])
def test_names_that_look_like_the_templates_marks_change_nothing(field: str, name: str) -> None:
    names = {"request": "r", "correlation": "c", "causation": "e", "customer": "acme", "user": "u"} | {field: name}
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    thread = Thread(names["request"], names["correlation"], names["causation"], trace)
    assert_same(thread, Batch(3, names["customer"], "silver", "gold", 2, [names["user"], "v"], 1, {}, 2), 7)


def test_every_event_is_read_as_what_was_meant() -> None:
    thread = Thread("r1", "r1", "e1", None)
    events = assert_same(thread, Batch(0, "acme", "silver", "gold", 1, ["a", "b"], 1, {}, 2), 1)
    for sequence, event in enumerate(events, 1):
        headers = record_headers(event.type.encode(), event.id.encode(), sequence)
        envelope = decode(PROVISIONING.name, event.key.encode(), event.body, headers)
        assert int(envelope.sequence or "") == sequence
        assert envelope.data.position == sequence - 1
