"""The projection equals a pure fold of the topics: live, after a crash, and rebuilt; its counts always add up."""

import asyncio

from contracts.topics import PROVISIONING, REQUESTS
from tests.integration.tracker.process import Tracker, check_sum
from tests.tracker_model import Model
from tests.tracker_story import Request, Story, publish
from tests.waiting import eventually


def _request(name: str = "r-one", *, customers: int = 12, users: int = 70) -> Request:
    return Request(
        name,
        {f"customer-{i:03d}": users for i in range(customers)},
        excluded={"customer-001": 4, "customer-none": 2},
        failing=0.1,
    )


def _expected(story: Story) -> list[str]:
    model = Model()
    for log in story.records.values():
        model.fold(log)
    return model.dump()


async def _dump(tracker: Tracker, *arguments: str) -> list[str]:
    """The dump's lines without the positions."""
    return [text for text in await tracker.once("dump", *arguments) if not text.startswith('["position"')]


async def test_the_live_projection_is_the_pure_fold_of_the_topics(
    tracker: Tracker, kafka: str, topic_prefix: str
) -> None:
    story, request = Story(), _request()
    status = story.whole(request, retry=True)
    await publish(kafka, topic_prefix, story.records)
    await tracker.start()
    answer = await tracker.ended(request.id)
    assert await _dump(tracker) == _expected(story)
    assert answer["status"] == str(status)
    assert {name: answer["counts"][name] for name in request.tally} == request.tally
    assert answer["counts"]["excluded"] == 6


async def test_a_rebuild_gives_the_same_dump_while_the_former_projection_answers(
    tracker: Tracker, kafka: str, topic_prefix: str
) -> None:
    story, request = Story(), _request(customers=40)
    story.whole(request)
    await publish(kafka, topic_prefix, story.records)
    await tracker.start()
    before = await tracker.ended(request.id)
    live = await tracker.once("dump")
    begun = await tracker.http.post("/v1/rebuild")
    assert begun.status_code == 202
    again = await tracker.http.post("/v1/rebuild")
    assert again.json()["generation"] == begun.json()["generation"]

    async def done() -> bool:
        answer = await tracker.get(f"/v1/requests/{request.id}")
        assert answer["counts"] == before["counts"]
        return bool((await tracker.get("/v1/rebuild"))["state"] == "done")

    await eventually(done, within=60)
    assert await tracker.once("dump") == live
    assert await tracker.once("dump", "--generation", "1") == live

    async def changed() -> bool:
        return bool((await tracker.get("/v1/lag"))["generation"] == 2)

    await eventually(changed, within=20)
    assert (await tracker.get(f"/v1/requests/{request.id}"))["counts"] == before["counts"]


async def test_the_rebuilt_projection_goes_on_with_what_comes_later(
    tracker: Tracker, kafka: str, topic_prefix: str
) -> None:
    story, request = Story(), _request()
    story.asked_for(request)
    story.plan(request)
    story.start(request)
    await publish(kafka, topic_prefix, story.records)
    await tracker.start()
    await tracker.ready()
    await tracker.once("rebuild")
    already = {place: len(log) for place, log in story.records.items()}
    story.work(request)
    story.finish(request)
    await publish(kafka, topic_prefix, {place: log[already.get(place, 0) :] for place, log in story.records.items()})
    await tracker.ended(request.id)
    assert await _dump(tracker) == _expected(story)


async def test_killed_in_the_middle_of_a_fold_it_goes_on_and_ends_with_equal_counts(
    tracker: Tracker, kafka: str, topic_prefix: str
) -> None:
    story, request = Story(), _request(customers=30)
    story.whole(request)
    await publish(kafka, topic_prefix, story.records)
    for transactions in ("2", "4"):
        await tracker.start(PLANSHIFT_FAILPOINT=f"in-fold:{transactions}", PLANSHIFT_FOLD_RECORDS="150")
        assert await tracker.died() < 0
    await tracker.start()
    await tracker.ended(request.id)
    assert await _dump(tracker) == _expected(story)


async def test_counts_add_up_in_every_answer_while_it_folds(tracker: Tracker, kafka: str, topic_prefix: str) -> None:
    story, request = Story(), _request(customers=60, users=100)
    story.whole(request, retry=True)
    await tracker.start(PLANSHIFT_FOLD_RECORDS="100")
    await tracker.ready()
    publishing = asyncio.create_task(publish(kafka, topic_prefix, story.records))
    seen = set()

    async def ended() -> bool:
        response = await tracker.http.get(f"/v1/requests/{request.id}")
        if response.status_code == 404:
            return False
        answer = response.json()
        check_sum(answer["counts"])
        seen.add(answer["counts"]["migrated"])
        listed = await tracker.get("/v1/requests")
        customers = await tracker.get(f"/v1/requests/{request.id}/customers", limit=500)
        for item in [*listed["items"], *customers["items"]]:
            check_sum(item["counts"])
        return bool(answer["ended"])

    await eventually(ended, within=60)
    await publishing
    assert len(seen) > 3


async def test_records_that_say_nothing_are_counted_and_passed_over(
    tracker: Tracker, kafka: str, topic_prefix: str
) -> None:
    story, request = Story(), _request(customers=2)
    story.whole(request)
    good = {place: list(log) for place, log in story.records.items()}
    for topic in (PROVISIONING.name, REQUESTS.name):
        place = next(place for place in good if place[0] == topic)
        junk = [
            good[place][0]._replace(value=value, headers=headers)
            for value, headers in (
                (None, ()),
                (b"", ()),
                (b"\xff\xfe", ()),
                (b"{}", (("type", b"planshift.of-tomorrow.v1"),)),
                (b"x" * 1_500_000, ()),
            )
        ]
        good[place] = [*junk, *good[place]]
    await publish(kafka, topic_prefix, good)
    await tracker.start()
    await tracker.ended(request.id)
    skipped = (await tracker.get("/v1/lag"))["skipped"]
    by_topic = {
        topic: sum(row["n"] for row in skipped if row["topic"] == topic) for topic in {r["topic"] for r in skipped}
    }
    assert by_topic == {PROVISIONING.name: 5, REQUESTS.name: 5}


async def test_a_missing_sequence_is_an_alarm_until_it_arrives(tracker: Tracker, kafka: str, topic_prefix: str) -> None:
    story, request = Story(), _request(customers=1)
    story.whole(request)
    place = max((log for log in story.records if log[0] == PROVISIONING.name), key=lambda key: len(story.records[key]))
    whole = story.records[place]
    missing = whole[3]
    await publish(kafka, topic_prefix, story.records | {place: [*whole[:3], *whole[4:]]})
    await tracker.start()

    async def alarmed() -> bool:
        return any("is missing" in alarm["text"] for alarm in (await tracker.get("/v1/lag"))["alarms"])

    await eventually(alarmed, within=30)
    assert "planshift_alarms 1.0" in (await tracker.http.get("/metrics")).text
    assert not (await tracker.get(f"/v1/requests/{request.id}"))["ended"]
    await publish(kafka, topic_prefix, {place: [missing, *whole[4:]]})
    await tracker.ended(request.id)
    assert await _dump(tracker) == _expected(story)
    assert not (await tracker.get("/v1/lag"))["alarms"]
