"""Bad input at the front doors of the running stack: answered or quarantined, and the next record goes on at once."""

import json
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from contracts.requests import MigrationRequested
from contracts.topics import REQUEST_PARTITIONS, REQUESTS
from eventlog.partitions import partition_of
from tests.e2e.asking import make_known
from tests.e2e.conftest import Running
from tests.e2e.verdict import until_ended
from tests.e2e.world import World
from tests.waiting import eventually

CONTENT_TYPE = ("content-type", b"application/cloudevents+json; charset=UTF-8")


def event_of(data: dict[str, Any], **attributes: str) -> dict[str, Any]:
    """A structured CloudEvent as another system would write it."""
    return {
        "specversion": "1.0",
        "id": f"crm/{data.get('request', '')}",
        "source": "/crm",
        "type": MigrationRequested.TYPE,
        "time": "2026-11-24T12:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
        **attributes,
    }


def data_of(world: World, request: str, **more: object) -> dict[str, Any]:
    """The data of a request of another system for everybody in a world."""
    return {**world.request(), "request": request, "requested_by": "crm", **more}


async def send(running: Running, key: str, value: bytes | None) -> tuple[int, int]:
    """Publish bytes as they are; gives partition and offset."""
    producer = AIOKafkaProducer(bootstrap_servers=running.kafka, max_request_size=8 * 1024 * 1024)
    await producer.start()
    try:
        record = await producer.send_and_wait(
            running.prefix + REQUESTS.name,
            value,
            key=key.encode(),
            partition=partition_of(key, REQUEST_PARTITIONS),
            headers=[CONTENT_TYPE],
        )
        return record.partition, record.offset
    finally:
        await producer.stop()


async def quarantined(running: Running, partition: int, offset: int) -> dict[str, Any]:
    """Wait for a record in quarantine; gives it."""
    path = f"/v1/quarantine/{REQUESTS.name}/{partition}/{offset}"

    async def there() -> dict[str, Any]:
        return dict(await running.engine.get(path))

    return await eventually(there, within=30, what=f"{path} is in quarantine")


UNREADABLE: dict[str, bytes | None] = {
    "not-json": b"{never closed",
    "not-utf8": b'{"specversion": "1.0", "type": "\xff\xfe"}',
    "empty": b"",
    "tombstone": None,
    "not-a-cloud-event": b"[1, 2, 3]",
    "too-large": b'{"specversion":"1.0","type":"x","data":"' + b"x" * 5_000_000 + b'"}',
    "unknown-type": json.dumps(event_of({"request": "r"}, type="com.example.hello.v1")).encode(),
    "newer-version": json.dumps(
        event_of({"request": "r"}, type=MigrationRequested.TYPE.replace(".v1", ".v9"))
    ).encode(),
    "wrong-topic": json.dumps(event_of({"request": "r"}, type="planshift.directory.user-removed.v1")).encode(),
    "wrong-shape": json.dumps(event_of({"request": "wrong-shape", "mappings": "gold"})).encode(),
}


@pytest.mark.parametrize("reason", UNREADABLE)
async def test_what_cannot_be_read_is_quarantined_and_the_next_record_goes_on(running: Running, reason: str) -> None:
    world = World({"a": 3})
    await make_known(running, world)
    request = f"{world.name}-after-{reason}"
    # The same key, so the same partition: the good record stands right behind the bad one.
    partition, offset = await send(running, request, UNREADABLE[reason])
    await send(running, request, json.dumps(event_of(data_of(world, request))).encode())

    answer = await until_ended(running, request)

    assert answer["counts"]["migrated"] == 3
    record = await quarantined(running, partition, offset)
    assert record["reason"] == reason


async def test_the_same_event_twice_is_one_request_and_another_content_is_quarantined(running: Running) -> None:
    world = World({"a": 4})
    await make_known(running, world)
    request = f"{world.name}-twice"
    event = event_of(data_of(world, request))
    await send(running, request, json.dumps(event).encode())
    await send(running, request, json.dumps(event).encode())
    other = {**event, "data": {**event["data"], "name": "Another one"}}
    partition, offset = await send(running, request, json.dumps(other).encode())

    answer = await until_ended(running, request)

    assert (await quarantined(running, partition, offset))["reason"] == "id-reused"
    assert (answer["name"], answer["counts"]["migrated"]) == ("Silver to Gold", 4)


ALL = {"all_customers": True, "all_users": True}
IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "service-unknown": {"service": "no-such-service"},
    "plan-unknown": {"mappings": [{"from_plan": "silver", "to_plan": "platinum"}]},
    "customer-unknown": {"selection": {"customers": ["nobody"], "all_users": True}},
    "selection-empty": {"selection": {}},
    "mapping-to-itself": {"mappings": [{"from_plan": "silver", "to_plan": "silver"}]},
    "mapping-in-a-circle": {
        "mappings": [{"from_plan": "silver", "to_plan": "gold"}, {"from_plan": "gold", "to_plan": "silver"}]
    },
    "user-listed-twice": {"selection": {"users": [{"customer": "a", "user": "user-000000"}] * 2}},
    "user-unknown": {"selection": {"users": [{"customer": "b", "user": "user-000009"}]}},
    "start-out-of-range": {"start_at": "2999-01-01T00:00:00Z"},
    "name-invalid": {"name": "x" * 10_000},
}


def with_customers_of(world: World, change: dict[str, Any]) -> dict[str, Any]:
    """The change with the world's own customers in it."""
    users = change.get("selection", {}).get("users")
    if not users:
        return change
    named = [{**user, "customer": world.customer(user["customer"])} for user in users]
    return {**change, "selection": {**change["selection"], "users": named}}


@pytest.mark.parametrize("code", IMPOSSIBLE)
async def test_what_can_be_read_but_not_done_is_rejected_with_its_problem(running: Running, code: str) -> None:
    world = World({"a": 12, "b": 3})
    await make_known(running, world)
    request = f"{world.name}-{code}"
    data = data_of(world, request, **with_customers_of(world, IMPOSSIBLE[code]))

    await send(running, request, json.dumps(event_of(data)).encode())

    answer = await until_ended(running, request)
    assert answer["status"] == "Rejected"
    assert code in {problem["code"] for problem in answer["problems"]}


async def test_control_characters_in_a_name_are_rejected(running: Running) -> None:
    world = World({"a": 1})
    await make_known(running, world)
    request = f"{world.name}-control"

    await send(running, request, json.dumps(event_of(data_of(world, request, name="a\u0000b\u0007"))).encode())

    answer = await until_ended(running, request)
    assert "name-invalid" in {problem["code"] for problem in answer["problems"]}


async def test_every_problem_is_named_not_the_first_one(running: Running) -> None:
    world = World({"a": 1})
    await make_known(running, world)
    request = f"{world.name}-many"
    data = data_of(world, request, **IMPOSSIBLE["mapping-to-itself"], **IMPOSSIBLE["name-invalid"], selection={})

    await send(running, request, json.dumps(event_of(data)).encode())

    answer = await until_ended(running, request)
    codes = {problem["code"] for problem in answer["problems"]}
    assert codes >= {"mapping-to-itself", "name-invalid", "selection-empty"}
