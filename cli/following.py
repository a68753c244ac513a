"""Follows a request live until it ends: by Server-Sent Events, with a reconnect wherever the stream is cut."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cli.complaints import DONE, ENDED_WITH_FAILURES, Complaint
from contracts.statuses import ENDED, RequestStatus

if TYPE_CHECKING:
    from serving.client import Client

_UNKNOWN_FOR_S = 30.0
_AWAY_FOR_S = 120.0
_PAUSE_S = 0.25
_NOT_FOUND = 404

Answer = dict[str, Any]

_TOLD_WAITS = {
    "start-time": "waits for its start time.",
    "confirmation": "waits for a confirmation: the engine found another number of users than was seen.",
}

OUTCOMES = ("migrated", "failed", "skipped", "cancelled")


def snapshots(tracker: "Client", request: str) -> Iterator[Answer]:
    """Give the request's states as they change, the last one when it has ended.

    A request that was just accepted may not have reached the tracker: it is waited for. Raises Complaint if it never
    comes, Unreachable if the tracker stays away.
    """
    from serving.client import ServiceError, Unreachable

    heard_at, last_id = time.monotonic(), None
    while True:
        try:
            for event in tracker.events(f"/v1/requests/{request}/live", last_id):
                heard_at, last_id = time.monotonic(), event.id
                yield event.data
                if has_ended(event.data):
                    return
        except ServiceError as error:
            if error.status != _NOT_FOUND:
                raise
            if time.monotonic() - heard_at > _UNKNOWN_FOR_S:
                raise Complaint(f"The tracker knows no request {request!r}.") from None
        except Unreachable:
            if time.monotonic() - heard_at > _AWAY_FOR_S:
                raise
        time.sleep(_PAUSE_S)


def watch(tracker: "Client", request: str, *, title: str = "") -> Answer:
    """Show progress until the request has ended; gives its last state."""
    from cli.output import note
    from cli.progress import counting

    last: Answer = {}
    waited_for = None
    with counting(title or request) as advance:
        for answer in snapshots(tracker, request):
            last = answer
            if answer.get("waits_for") in _TOLD_WAITS and answer["waits_for"] != waited_for:
                waited_for = answer["waits_for"]
                note(f"{request} {_TOLD_WAITS[waited_for]}")
            counts = answer["counts"]
            advance(sum(counts[outcome] for outcome in OUTCOMES), counts["planned"])
    return last


def has_ended(answer: Answer) -> bool:
    """Whether nothing more happens to the request by itself."""
    return answer["status"] in ENDED


def exit_code(answer: Answer) -> int:
    """Give the exit code that says how the request ended."""
    good = {RequestStatus.PROVISIONED, RequestStatus.PREVIEWED}
    return DONE if answer["status"] in good else ENDED_WITH_FAILURES
