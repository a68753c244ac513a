"""What the tracker reads of events: little of a migrated user, and nothing harmful of anybody's request."""

from contracts.codec import decode_trusted, encode
from contracts.envelope import ENGINE_SOURCE, wrap
from contracts.provisioning import UserMigrated
from services.request_tracker.domain import people_words
from services.request_tracker.domain.facts import Facts
from services.request_tracker.domain.migrated import read_migrated
from services.request_tracker.domain.texts import NAME_LIMIT
from tests.tracker_story import START, Request, Story


def test_what_is_read_of_a_migrated_user_is_what_the_contract_says() -> None:
    said = UserMigrated(
        request="r",
        customer="anna",
        user="user-1",
        batch=3,
        position=7,
        attempt=2,
        service="mail",
        from_plan="gold",
        to_plan="platinum",
        revision=9,
    )
    value = encode(wrap(said, event_id="x", source=ENGINE_SOURCE, time=START, sequence=5))
    whole, read = decode_trusted(UserMigrated.TYPE, value), read_migrated(value)
    assert read["data"] == {name: getattr(whole.data, name) for name in read["data"]}
    assert set(read["data"]) == {"request", "customer", "batch", "position", "attempt"}
    assert read["time"] == START.isoformat().replace("+00:00", "Z")


def test_a_request_of_ten_thousand_characters_with_zero_bytes_becomes_storable() -> None:
    story = Story()
    story.asked_for(Request("r", {}), name="n\x00" * 5_000, description="d" * 100_000, requested_by="a\x00")
    (log,) = story.records.values()
    facts = Facts()
    people_words.digest(log, facts)
    (request,) = facts.requests
    assert len(request.name) == NAME_LIMIT
    assert "\x00" not in request.name + request.description + request.requested_by
    assert "\x00" not in str(facts.timeline)


def test_records_of_people_that_cannot_be_read_are_counted_by_their_reason() -> None:
    story = Story()
    story.asked_for(Request("r", {}))
    ((record,),) = story.records.values()
    facts = Facts()
    people_words.digest(
        [
            record._replace(value=None),
            record._replace(value=b"{"),
            record._replace(value=b"[]", headers=()),
            record._replace(key=b"somebody-else"),
            record._replace(value=b"{}"),
        ],
        facts,
    )
    assert {reason for _, _, reason in facts.skipped} == {
        "tombstone",
        "not-json",
        "not-a-cloud-event",
        "wrong-key",
        "wrong-shape",
    }
    assert not facts.requests
