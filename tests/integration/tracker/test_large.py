"""A large request's results go through the tracker in bounded memory."""

from tests.integration.tracker.process import Tracker
from tests.tracker_story import Request, Story, publish
from tests.waiting import eventually

_USERS = 100_000
_MOST_MIB = 32.0


async def test_the_results_of_a_large_request_stream_in_bounded_memory(
    tracker: Tracker, kafka: str, topic_prefix: str
) -> None:
    story = Story()
    request = Request("r-large", {f"customer-{i:02d}": _USERS // 50 for i in range(50)}, batch_size=2000)
    story.asked_for(request)
    story.plan(request)
    await publish(kafka, topic_prefix, story.records)
    await tracker.start()

    async def planned() -> bool:
        return bool((await tracker.get(f"/v1/requests/{request.id}"))["counts"]["planned"] == _USERS)

    await eventually(planned, within=60)
    before, highest, size = tracker.resident_mib, 0.0, 0
    for wanted in ("csv", "jsonl"):
        lines = 0
        path = f"/v1/requests/{request.id}/results"
        async with tracker.http.stream("GET", path, params={"format": wanted}) as response:
            async for chunk in response.aiter_bytes():
                lines += chunk.count(b"\n")
                size += len(chunk)
                highest = max(highest, tracker.resident_mib)
        assert lines == _USERS + (wanted == "csv")
    assert size > 20_000_000
    assert highest - before < _MOST_MIB
