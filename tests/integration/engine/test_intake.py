"""Every record of `migration.requests` is distrusted, and the next one goes on."""

import json
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts.requests import MigrationSelectionPart, RequestEvent, Selection, UserRef
from eventlog.partitions import partition_of
from tests.integration.engine.asking import ask, customer, of
from tests.integration.engine.process import Engine
from tests.integration.wizard.records import PARTITIONS, record
from tests.waiting import eventually


async def send(engine: Engine, key: str, value: bytes | None) -> str:
    """Publish any bytes to `migration.requests`; gives the record's name."""
    producer = AIOKafkaProducer(bootstrap_servers=engine.kafka, max_request_size=8 << 20)
    await producer.start()
    try:
        partition = partition_of(key, PARTITIONS["migration.requests"])
        topic = f"{engine.prefix}migration.requests"
        place = await producer.send_and_wait(topic, value, key.encode(), partition)
        return f"migration.requests/{place.partition}/{place.offset}"
    finally:
        await producer.stop()


async def quarantined(engine: Engine, name: str) -> dict[str, Any]:
    """Wait for a record in quarantine."""

    async def there() -> dict[str, Any] | None:
        answer = await engine.call("GET", f"/v1/quarantine/{name}")
        return dict(answer.json()) if answer.is_success else None

    return await eventually(there, within=10, what=f"{name} is in quarantine")


def document(event: RequestEvent, **changed: str) -> dict[str, Any]:
    """Give an event's document with other attributes."""
    return {**json.loads(record(event).value or b""), **changed}


async def test_what_cannot_be_read_is_kept_whole_and_the_next_record_goes_on(shared: Engine) -> None:
    await shared.learn(customer("i-next", 1))
    bad = [await send(shared, "k", value) for value in (b"{no json", b"\xff\xfe", b"", None, b'{"a":1}')]
    request = ask(of("i-next"))
    await shared.tell(request)
    await shared.listener.ended(request.request)
    kept = [await quarantined(shared, name) for name in bad]
    assert [one["reason"] for one in kept] == ["not-json", "not-utf8", "empty", "tombstone", "not-a-cloud-event"]
    assert kept[0]["value_text"] == "{no json"


async def test_control_characters_in_an_envelope_stop_nothing(shared: Engine) -> None:
    await shared.learn(customer("i-nul", 1))
    request = ask(of("i-nul"))
    changes: list[dict[str, str]] = [{"id": "a\x00b"}, {"id": "a\tb"}, {"correlationid": "\x00"}]
    bad = [await send(shared, request.request, json.dumps(document(request, **change)).encode()) for change in changes]
    assert {(await quarantined(shared, name))["reason"] for name in bad} == {"wrong-shape"}
    await shared.tell(request)
    await shared.listener.ended(request.request)


async def test_an_event_that_comes_twice_counts_once_and_a_changed_one_is_kept_aside(shared: Engine) -> None:
    await shared.learn(customer("i-twice", 2))
    request = ask(of("i-twice"))
    first = document(request)
    for _ in range(2):
        await send(shared, request.request, json.dumps(first).encode())
    changed = document(request.model_copy(update={"name": "Another"}), id=first["id"])
    name = await send(shared, request.request, json.dumps(changed).encode())
    assert (await quarantined(shared, name))["reason"] == "id-reused"
    await shared.listener.ended(request.request)
    assert len(shared.listener.said(request.request, "migration-started")) == 1
    assert len(shared.listener.said(request.request, "user-migrated")) == 2


async def test_a_request_id_used_again_by_another_event_is_kept_aside(shared: Engine) -> None:
    await shared.learn(customer("i-again", 1))
    request = ask(of("i-again"))
    await shared.tell(request)
    other = request.model_copy(update={"name": "Another"})
    name = await send(shared, request.request, json.dumps(document(other)).encode())
    assert (await quarantined(shared, name))["reason"] == "id-reused"
    await shared.listener.ended(request.request)


def part(request: str, number: int, *users: tuple[str, str]) -> MigrationSelectionPart:
    """Give a part of a list of users."""
    refs = tuple(UserRef(customer=name, user=user) for name, user in users)
    return MigrationSelectionPart(request=request, part=number, list="users", users=refs)


async def test_parts_of_a_list_add_up_also_when_one_comes_after_the_request(shared: Engine) -> None:
    await shared.learn(customer("i-part", 5))
    inline = (UserRef(customer="i-part", user="u0"),)
    request = ask(Selection(users=inline, parts=2))
    await shared.tell(part(request.request, 1, ("i-part", "u1"), ("i-part", "u2")), request)
    assert shared.listener.said(request.request) == []
    await shared.tell(part(request.request, 2, ("i-part", "u3")))
    finished = await shared.listener.ended(request.request)
    assert finished["migrated"] == 4
    late = await send(
        shared, request.request, json.dumps(document(part(request.request, 3, ("i-part", "u4")))).encode()
    )
    kept = await quarantined(shared, late)
    assert (kept["reason"], "can't grow" in kept["detail"]) == ("id-reused", True)
    assert (await shared.plans("i-part"))["u4"] == "silver"


async def test_a_part_that_the_request_does_not_name_rejects_it(shared: Engine) -> None:
    await shared.learn(customer("i-more", 2))
    request = ask(Selection(users=(UserRef(customer="i-more", user="u0"),)))
    await shared.tell(part(request.request, 1, ("i-more", "u1")), request)
    rejected = await shared.listener.until(request.request, "migration-rejected")
    assert [problem["code"] for problem in rejected["problems"]] == ["selection-contradictory"]


async def test_a_user_listed_twice_and_one_of_another_customer_are_named(shared: Engine) -> None:
    await shared.learn([*customer("i-one", 1), *customer("i-two", 2)])
    refs = [("i-one", "u0"), ("i-two", "u1"), ("i-one", "u0"), ("i-one", "u1")]
    request = ask(Selection(users=tuple(UserRef(customer=name, user=user) for name, user in refs)))
    await shared.tell(request)
    rejected = await shared.listener.until(request.request, "migration-rejected")
    assert {(p["code"], p["pointer"]) for p in rejected["problems"]} == {
        ("user-listed-twice", "/selection/users/0"),
        ("user-unknown", "/selection/users/3"),
    }
