"""The tracker outlives a Postgres that is away, and shares its work with a second tracker."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.gate import gate_to
from tests.integration.tracker.process import Tracker
from tests.tracker_model import Model
from tests.tracker_story import Request, Story, publish
from tests.waiting import eventually


def _told(users: int = 60) -> tuple[Story, Request]:
    story = Story()
    request = Request("r-one", {f"customer-{i:03d}": users for i in range(30)}, failing=0.1)
    story.whole(request)
    return story, request


def _expected(story: Story) -> list[str]:
    model = Model()
    for log in story.records.values():
        model.fold(log)
    return model.dump()


async def _dump(tracker: Tracker) -> list[str]:
    return [text for text in await tracker.once("dump") if not text.startswith('["position"')]


async def test_postgres_away_at_the_start_and_in_the_middle_loses_and_doubles_nothing(
    tracker: Tracker, kafka: str, topic_prefix: str
) -> None:
    story, request = _told()
    url = urlsplit(tracker.environment["PLANSHIFT_DATABASE_URL"])
    async with gate_to(url.hostname or "", url.port or 0, opened=False) as gate:
        through = url._replace(netloc=f"{url.username}@127.0.0.1:{gate.port}").geturl()
        await tracker.start(PLANSHIFT_DATABASE_URL=through, PLANSHIFT_FOLD_RECORDS="100")
        assert (await tracker.http.get("/livez")).is_success
        assert (await tracker.http.get("/readyz")).status_code == 503
        assert (await tracker.http.get("/v1/requests")).status_code == 503
        await gate.open()
        await tracker.ready()
        await publish(kafka, topic_prefix, story.records)

        async def folding() -> bool:
            return (await tracker.http.get(f"/v1/requests/{request.id}")).is_success

        await eventually(folding)
        await gate.close()

        async def away() -> bool:
            return (await tracker.http.get("/readyz")).status_code == 503

        await eventually(away)
        await gate.open()
        await tracker.ended(request.id)
        assert await _dump(tracker) == _expected(story)


async def test_two_trackers_share_the_partitions_and_one_goes_on_alone(
    tracker: Tracker, kafka: str, topic_prefix: str, database: str, tmp_path: Path
) -> None:
    story, request = _told()
    (tmp_path / "second").mkdir()
    second = Tracker(tmp_path / "second", kafka, topic_prefix, database)
    await tracker.start()
    await second.start()
    await tracker.ready()
    await second.ready()
    half = {place: log[: len(log) // 2] for place, log in story.records.items()}
    await publish(kafka, topic_prefix, half)
    expected = sum(len(log) for log in half.values())

    async def folded() -> bool:
        as_of = (await second.get("/v1/requests/r-one"))["as_of"]["positions"]
        return sum(sum(offsets.values()) for offsets in as_of.values()) == expected

    await eventually(folded, within=30)
    assert await tracker.stop() == 0
    await publish(kafka, topic_prefix, {place: log[len(half[place]) :] for place, log in story.records.items()})
    answer = await second.ended(request.id)
    assert answer["counts"]["planned"] == 1800
    assert await _dump(second) == _expected(story)
    assert await second.stop() == 0
