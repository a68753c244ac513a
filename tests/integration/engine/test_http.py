"""The engine over HTTP: what it says of itself, the quarantine, its directory, republishing, and who may."""

import pytest

from tests.e2e.checker import check
from tests.integration.engine.asking import ask, assigned, customer, of
from tests.integration.engine.process import Engine
from tests.integration.engine.test_intake import quarantined, send
from tests.waiting import eventually


async def test_the_state_names_shards_readers_and_alarms(shared: Engine) -> None:
    await eventually(lambda: _all_work(shared), within=10)
    state = await shared.state()
    assert [shard["shard"] for shard in state["shards"]] == list(range(16))
    assert all(shard["epoch"] >= 1 and shard["unsent"] >= 0 for shard in state["shards"])
    assert {reader["topic"] for reader in state["readers"]} == {"directory.events", "migration.requests"}
    assert state["alarms"] == []


async def _all_work(engine: Engine) -> bool:
    return await engine.owned() == 16


@pytest.mark.parametrize(
    "method,path",
    [
        ("GET", "/v1/state"),
        ("GET", "/v1/quarantine"),
        ("GET", "/v1/quarantine/migration.requests/0/0"),
        ("GET", "/v1/directory/positions"),
        ("GET", "/v1/directory/customers/x"),
        ("GET", "/metrics"),
    ],
)
async def test_reading_needs_the_scope_read(shared: Engine, method: str, path: str) -> None:
    assert (await shared.call(method, path, caller="system")).status_code == 403


@pytest.mark.parametrize("path", ["/v1/events/republish", "/v1/quarantine/migration.requests/0/0/replay"])
async def test_doing_needs_the_scope_operate(shared: Engine, path: str) -> None:
    assert (await shared.call("POST", path, {"shard": 0, "from_sequence": 1}, caller="auditor")).status_code == 403


@pytest.mark.parametrize(
    "method,path,status",
    [
        ("GET", "/v1/quarantine/migration.requests/0/99999999999999999999", 422),
        ("GET", "/v1/quarantine/migration.requests/99999999999/0", 422),
        ("GET", "/v1/quarantine/migration.requests/0/999999999", 404),
        ("GET", "/v1/quarantine/a%00b/0/0", 422),
        ("GET", "/v1/quarantine?reason=%00", 422),
        ("GET", "/v1/quarantine?cursor=nonsense", 400),
        ("GET", "/v1/directory/customers/a%00b", 422),
        ("GET", "/v1/directory/customers/nobody", 404),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/state", 405),
    ],
)
async def test_a_wrong_call_is_answered_with_a_problem(shared: Engine, method: str, path: str, status: int) -> None:
    answer = await shared.call(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_the_quarantine_is_read_in_pages_newest_first(shared: Engine) -> None:
    names = [await send(shared, "h", b"{h%d" % number) for number in range(3)]
    await quarantined(shared, names[-1])
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await shared.call("GET", f"/v1/quarantine?reason=not-json&limit=2{cursor}")).json()
        found += [item["record"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert found[:3] == names[::-1]
    assert len(found) == len(set(found))


async def test_a_record_is_replayed_to_where_it_came_from_and_who_did_it_is_kept(shared: Engine) -> None:
    name = await send(shared, "replayed", b"{still no json")
    await quarantined(shared, name)
    answer = await shared.call("POST", f"/v1/quarantine/{name}/replay", {})
    assert answer.is_success, answer.text
    assert answer.json()["replayed_by"] == "operator"
    topic, partition, offset = name.split("/")
    again = await quarantined(shared, f"{topic}/{partition}/{int(offset) + 1}")
    assert again["value_text"] == "{still no json"


async def test_a_customer_is_shown_in_pages_without_losing_a_second_service(shared: Engine) -> None:
    both = [assigned("h-page", f"u{number}", "bronze", 1, service="calendar") for number in range(3)]
    await shared.learn([*customer("h-page", 3), *both])
    whole = await shared.customer("h-page")
    assert (whole["active"], whole["reseller"], len(whole["assignments"])) == (True, "provider", 6)
    found: list[dict[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await shared.call("GET", f"/v1/directory/customers/h-page?limit=1{cursor}")).json()
        found += page["assignments"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert found == whole["assignments"]


async def test_events_are_sent_again_as_they_were_and_readers_can_tell(shared: Engine) -> None:
    await shared.learn(customer("h-again", 2))
    request = ask(of("h-again"))
    await shared.tell(request)
    await shared.listener.ended(request.request)
    shard = (await shared.customer("h-again"))["shard"]

    before = len(shared.listener.records)
    answer = await shared.call("POST", "/v1/events/republish", {"shard": shard, "from_sequence": 1})
    assert answer.is_success, answer.text
    sent = answer.json()["sent"]
    await eventually(lambda: len(shared.listener.records) >= before + sent, within=10)
    history = check(shared.listener.records, everything_ended=False)
    assert (history.faults, history.duplicates >= sent > 0) == ([], True)
