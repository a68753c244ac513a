"""What the tracker's API answers: lists with filters, users, files, events, history, live states."""

import csv
import json
from datetime import timedelta

import pytest

from contracts import directory
from contracts import provisioning as said
from contracts.codec import encode, headers_for
from contracts.envelope import wrap
from contracts.reasons import ProblemCode
from contracts.topics import DIRECTORY, PROVISIONING
from eventlog.record import IncomingRecord
from tests.integration.tracker.process import Answer, Tracker, check_sum
from tests.tracker_story import START, Request, Story, publish
from tests.waiting import eventually


def _one() -> Request:
    return Request(
        "r-one",
        {"anna": 130, "bert": 20, "carl": 60},
        excluded={"anna": 3, "dora": 2},
        failing=0.2,
    )


class Told:
    """A story that a running tracker has folded."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.story = Story(3)
        self.one, self.two = _one(), Request("r-two", {"emil": 15})
        self.preview = Request("r-preview", {"anna": 40}, mode="preview")
        self.watched = Request("r-watched", {"fred": 15})
        self.rejected = "r-rejected"

    def tell(self) -> None:
        """Tell everything."""
        self.story.whole(self.one, retry=True)
        self.story.tick(3600)
        self.story.asked_for(self.two, reference="order-7", name="100% Silver_to gold", service="fax")
        self.story.plan(self.two)
        self.story.start(self.two)
        self.story.asked_for(self.watched, service="web")
        self.story.plan(self.watched)
        self.story.start(self.watched)
        self.story.tick(60)
        self.story.asked_for(self.preview)
        self.story.plan(self.preview)
        self.story.asked_for(Request(self.rejected, {}))
        problem = said.Problem(code=ProblemCode.PLAN_UNKNOWN, pointer="/mappings/0/from_plan", detail="no such plan")
        rejected = said.MigrationRejected(request=self.rejected, problems=(problem,), problem_count=1)
        self.story.say(rejected, "r-rejected/rejected")


@pytest.fixture(scope="module")
async def told(shared_tracker: Tracker) -> Told:
    """Give a tracker that knows five requests: partly done, two running, a preview, rejected."""
    one = Told(shared_tracker)
    one.tell()
    await publish(shared_tracker.kafka, shared_tracker.prefix, one.story.records)
    await shared_tracker.start()
    await shared_tracker.ended(one.one.id)
    await shared_tracker.ended(one.preview.id)
    await shared_tracker.ended(one.rejected)

    async def started() -> bool:
        answers = [await shared_tracker.get(f"/v1/requests/{request.id}") for request in (one.two, one.watched)]
        return all(answer["status"] == "In progress" for answer in answers)

    await eventually(started)
    return one


async def _ids(tracker: Tracker, **filters: object) -> list[str]:
    return [item["request"] for item in (await tracker.get("/v1/requests", **filters))["items"]]


async def test_requests_are_listed_the_newest_first_and_narrowed_by_every_filter(told: Told) -> None:
    tracker = told.tracker
    assert await _ids(tracker) == ["r-rejected", "r-watched", "r-two", "r-one"]
    assert await _ids(tracker, mode="preview") == ["r-preview"]
    assert set(await _ids(tracker, mode="all")) == {"r-rejected", "r-preview", "r-watched", "r-two", "r-one"}
    assert await _ids(tracker, status="In progress", service="fax") == ["r-two"]
    assert await _ids(tracker, status=["Partially provisioned", "Rejected"]) == ["r-rejected", "r-one"]
    assert await _ids(tracker, status="Provisioned") == []
    assert await _ids(tracker, service="fax") == ["r-two"]
    assert await _ids(tracker, plan="platinum", customer="anna") == ["r-one"]
    assert await _ids(tracker, plan="bronze") == []
    assert await _ids(tracker, text="100% silver_") == ["r-two"]
    assert await _ids(tracker, text="_to_") == []
    assert await _ids(tracker, text="ORDER-7") == ["r-two"]
    since = (START + timedelta(minutes=30)).isoformat()
    assert await _ids(tracker, from_=since) == ["r-rejected", "r-watched", "r-two"]
    assert await _ids(tracker, to=since) == ["r-one"]
    assert [item["request"] for item in (await tracker.get("/v1/by-reference/order-7"))["items"]] == ["r-two"]
    (rejected,) = (await tracker.get("/v1/rejected"))["items"]
    assert [problem["code"] for problem in rejected["problems"]] == ["plan-unknown"]


async def test_pages_follow_each_other_without_a_gap_and_cursors_fit_only_their_list(told: Told) -> None:
    tracker = told.tracker
    one_by_one = await tracker.pages("/v1/requests", limit=1)
    assert [item["request"] for item in one_by_one] == ["r-rejected", "r-watched", "r-two", "r-one"]
    narrowed = await tracker.pages("/v1/requests", limit=1, status=["Rejected", "Partially provisioned"])
    assert [item["request"] for item in narrowed] == ["r-rejected", "r-one"]
    cursor = (await tracker.get("/v1/requests", limit=1))["next"]
    other = await tracker.http.get("/v1/requests", params={"cursor": cursor, "service": "fax"})
    assert other.status_code == 400
    assert other.json()["type"].endswith("bad-cursor")
    customers = await tracker.pages("/v1/requests/r-one/customers", limit=1)
    assert [item["customer"] for item in customers] == ["anna", "bert", "carl", "dora"]


async def test_a_request_is_shown_with_everything_about_it(told: Told) -> None:
    answer = await told.tracker.get("/v1/requests/r-one")
    check_sum(answer["counts"])
    assert answer["counts"]["selected"] == 215
    assert answer["roll_up"] == "yellow"
    assert answer["packages"]["generated"] == 1
    assert answer["batches"] == {"planned": 6, "finished": 6}
    assert {row["reason"]: row["count"] for row in answer["excluded_reasons"]} == {"seat-limit-reached": 5}
    (skipped,) = answer["reasons"]
    assert skipped["count"] == told.one.tally["skipped"]
    assert skipped["reason"] == "plan-changed"
    assert skipped["advice"]
    assert answer["as_of"]["behind"] == {"events": 0, "seconds": 0.0}
    assert [event["type"].split(".")[2] for event in answer["timeline"]] == [
        "migration-requested",
        "migration-planning-started",
        "migration-planned",
        "migration-started",
        "migration-finished",
    ]
    running = await told.tracker.get("/v1/requests/r-two")
    assert running["counts"]["pending"] == 15
    assert running["finished_at"] is None


async def test_users_are_found_by_outcome_reason_and_customer(told: Told) -> None:
    tracker, tally = told.tracker, told.one.tally
    everybody = await tracker.pages("/v1/requests/r-one/users", limit=37)
    assert len(everybody) == 210
    assert len({(user["customer"], user["user"]) for user in everybody}) == 210
    for outcome in ("migrated", "failed", "skipped"):
        found = await tracker.pages("/v1/requests/r-one/users", outcome=outcome)
        assert len(found) == tally[outcome]
    assert len(await tracker.pages("/v1/requests/r-one/users", reason="plan-changed")) == tally["skipped"]
    assert await tracker.pages("/v1/requests/r-one/users", reason="user-removed") == []
    assert len(await tracker.pages("/v1/requests/r-one/users", customer="bert")) == 20
    assert len(await tracker.pages("/v1/requests/r-two/users", outcome="pending")) == 15
    left_out = await tracker.pages("/v1/requests/r-one/excluded", limit=2)
    assert [(user["customer"], user["user"]) for user in left_out if user["customer"] == "dora"] == [
        ("dora", "left-00000"),
        ("dora", "left-00001"),
    ]
    assert len(left_out) == 5


async def test_results_are_the_same_users_as_csv_and_as_jsonl(told: Told) -> None:
    http = told.tracker.http
    as_csv = await http.get("/v1/requests/r-one/results", headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(as_csv.text.splitlines()))
    lines = await http.get("/v1/requests/r-one/results", headers={"Accept": "application/x-ndjson"})
    documents = [json.loads(text) for text in lines.text.splitlines()]
    assert [(row["customer"], row["user"], row["outcome"]) for row in rows] == [
        (document["customer"], document["user"], document["outcome"]) for document in documents
    ]
    assert len(rows) == 210
    skipped = await http.get("/v1/requests/r-one/results", params={"outcome": "skipped", "format": "csv"})
    assert len(skipped.text.splitlines()) == 1 + told.one.tally["skipped"]
    left_out = await http.get("/v1/requests/r-one/results", params={"outcome": "excluded", "format": "jsonl"})
    assert len(left_out.text.splitlines()) == 5


async def test_the_events_of_a_request_are_read_from_kafka_forwards_and_backwards(told: Told) -> None:
    tracker = told.tracker
    expected = {
        record.id for log in told.story.records.values() for record in log if b'"r-one"' in (record.value or b"")
    }
    forwards = await tracker.pages("/v1/requests/r-one/events", limit=70)
    assert {item["event"]["id"] for item in forwards} == expected
    assert len(forwards) == len(expected)
    backwards = await tracker.pages("/v1/requests/r-one/events", limit=49, order="newest")
    assert {item["event"]["id"] for item in backwards} == expected
    assert backwards[0]["event"]["type"].endswith("migration-finished.v1")
    times = [item["event"]["time"] for item in forwards]
    assert times[0] == min(times)


async def test_the_event_behind_an_outcome_is_found_by_its_place(told: Told) -> None:
    tracker = told.tracker
    (user,) = (await tracker.get("/v1/requests/r-one/users", outcome="skipped", limit=1))["items"]
    place = user["event"]
    by_sequence = await tracker.get(f"/v1/shards/{place['partition']}/{place['sequence']}")
    assert by_sequence["event"]["data"]["user"] == user["user"]
    where = f"{by_sequence['topic']}/{by_sequence['partition']}/{by_sequence['offset']}"
    assert await tracker.get(f"/v1/events/{where}") == by_sequence
    for nowhere in ("provisioning.events/0/99999999", "provisioning.events/99/0", "nothing/0/0"):
        assert (await tracker.http.get(f"/v1/events/{nowhere}")).status_code == 404


async def test_a_users_history_has_every_attempt_of_every_request(told: Told) -> None:
    again = {number: positions for number, positions in told.one.reopened.items() if positions}
    number, positions = next(iter(again.items()))
    batch = told.one.batches[number]
    user = batch.users[positions[0]]
    items = (await told.tracker.get(f"/v1/users/{batch.customer}/{user}"))["items"]
    (retried,) = [item for item in items if item["request"] == "r-one"]
    assert [(attempt["attempt"], attempt["outcome"]) for attempt in retried["attempts"]] == [
        (1, "failed"),
        (2, "migrated"),
    ]
    assert retried["attempts"][0]["reason"] == "refused-by-connector"
    both = (await told.tracker.get("/v1/users/anna/user-00001"))["items"]
    assert [item["request"] for item in both] == ["r-preview", "r-one"]
    left_out = (await told.tracker.get("/v1/users/dora/left-00001"))["items"]
    assert [(item["outcome"], item["reason"]) for item in left_out] == [("excluded", "seat-limit-reached")]
    one_by_one = await told.tracker.pages("/v1/users/anna/user-00001", limit=1)
    assert [item["request"] for item in one_by_one] == ["r-preview", "r-one"]
    assert (await told.tracker.get("/v1/users/anna/nobody"))["items"] == []


async def test_a_request_that_nobody_knows_is_a_problem_that_says_how_far_behind_the_answer_is(told: Told) -> None:
    for path in ("", "/users", "/excluded", "/results", "/live"):
        response = await told.tracker.http.get(f"/v1/requests/nobody{path}")
        assert response.status_code == 404
        assert response.json()["type"].endswith("unknown-request")
        assert response.json()["as_of"]["behind"]["events"] == 0


async def test_live_states_end_with_the_end_and_a_reconnect_goes_on(told: Told) -> None:
    story, request, seen = told.story, told.watched, list[tuple[str, Answer]]()
    already = {place: len(log) for place, log in story.records.items()}
    async for event_id, state in told.tracker.states(request.id):
        seen.append((event_id, state))
        break
    assert seen[0][1]["counts"]["pending"] == 15
    story.work(request)
    story.finish(request)
    later = {place: log[already.get(place, 0) :] for place, log in story.records.items()}
    await publish(told.tracker.kafka, told.tracker.prefix, later)
    async for event_id, state in told.tracker.states(request.id, seen[0][0]):
        check_sum(state["counts"])
        seen.append((event_id, state))
    assert seen[-1][1]["status"] == "Provisioned"
    assert seen[-1][1]["counts"]["migrated"] == 15
    assert len({event_id for event_id, _ in seen}) == len(seen)
    assert [state async for _, state in told.tracker.states(request.id, seen[-1][0])] == []


async def test_names_come_from_the_directory_the_newest_revision_first(told: Told) -> None:
    facts = [
        directory.ServiceDefined(service="mail", name="Hosted Mail", revision=2),
        directory.ServiceDefined(service="mail", name="Old Mail", revision=1),
        directory.UserPlanDefined(service="mail", plan="gold", name="Gold", revision=1),
        directory.CustomerRegistered(customer="anna", reseller="x", name="Anna & Co", revision=1),
    ]
    records: dict[tuple[str, int], list[IncomingRecord]] = {(DIRECTORY.name, 0): []}
    for fact in facts:
        envelope = wrap(fact, event_id=f"{fact.key()}{fact.revision}", source="/test", time=START)
        fields = (0, 0, 0, fact.key().encode(), encode(envelope), tuple(headers_for(envelope)))
        records[DIRECTORY.name, 0].append(IncomingRecord(DIRECTORY.name, *fields, fact.TYPE, None, None))
    await publish(told.tracker.kafka, told.tracker.prefix, records)

    async def named() -> bool:
        return bool((await told.tracker.get("/v1/requests/r-one"))["service_name"] == "Hosted Mail")

    await eventually(named)
    answer = await told.tracker.get("/v1/requests/r-one")
    assert answer["mappings"][0]["from_name"] == "Gold"
    customers = await told.tracker.get("/v1/requests/r-one/customers")
    assert customers["items"][0]["name"] == "Anna & Co"


async def test_the_lag_names_every_partition_and_nothing_waits(told: Told) -> None:
    answer = await told.tracker.get("/v1/lag")
    assert answer["ready"]
    assert not answer["alarms"]
    assert len([one for one in answer["partitions"] if one["topic"] == PROVISIONING.name]) == PROVISIONING.partitions
    assert all(one["behind_events"] == 0 for one in answer["partitions"])


async def test_a_token_without_the_scope_operate_may_not_begin_a_rebuild(told: Told) -> None:
    response = await told.tracker.http.post("/v1/rebuild", headers={"Authorization": "Bearer ps_nobody"})
    assert response.status_code == 401
