"""Requests take turns fairly, and the engine keeps near to its readers without depending on them."""

from services.provisioning_engine.domain.pacing import STANDS_STILL_S, ReaderPace, Reading
from services.provisioning_engine.domain.turns import LEAST_COST_USERS, Turns


def served(turns: Turns, requests: dict[str, int], steps: int) -> list[str]:
    """Let the request that is furthest behind do its step, so many times; `requests`: users of a step."""
    order = []
    for _ in range(steps):
        turns.keep(requests.keys())
        request = min(requests, key=turns.clock)
        turns.charge(request, requests[request])
        order.append(request)
    return order


def test_a_new_small_request_is_next_at_once() -> None:
    turns = Turns()
    served(turns, {"large": 2_000}, 100)
    order = served(turns, {"large": 2_000, "small": 100}, 22)
    assert order.count("large") == 1 or order[:2].count("small") == 1
    assert order.count("small") == 22 - order.count("large") >= 20


def test_equal_requests_get_equal_parts() -> None:
    order = served(Turns(), {"a": 2_000, "b": 2_000, "c": 2_000}, 30)
    assert {request: order.count(request) for request in "abc"} == {"a": 10, "b": 10, "c": 10}


def test_nobody_makes_up_for_the_time_before_they_came() -> None:
    turns = Turns()
    served(turns, {"old": 2_000}, 50)
    order = served(turns, {"old": 2_000, "new": 2_000}, 10)
    assert order.count("old") == order.count("new") == 5


def test_a_step_of_nobody_costs_something() -> None:
    turns = Turns()
    turns.keep(["a"])
    turns.charge("a", 0)
    assert turns.clock("a") == LEAST_COST_USERS


def test_ended_requests_are_forgotten() -> None:
    turns = Turns()
    served(turns, {"a": 2_000}, 3)
    turns.keep([])
    turns.charge("a", 5)
    assert turns.clock("a") == 0


def pace(*places: tuple[float, int, int]) -> ReaderPace:
    """Give a pace after these readings of (second, read, there), with 100 records allowed at least."""
    made = ReaderPace(least=100, ahead_s=0.5)
    for place in places:
        made.note(Reading(*place))
    return made


def test_a_reader_that_was_never_seen_is_not_waited_for() -> None:
    assert pace().allows(0.0)


def test_half_a_second_of_the_readers_own_work_may_be_unread() -> None:
    made = pace((0.0, 0, 0), (1.0, 10_000, 14_000))
    assert (made.allowance(), made.allows(1.0)) == (5_000, True)
    made.note(Reading(1.2, 12_000, 18_500))
    assert not made.allows(1.2)


def test_a_slow_reader_may_be_the_least_behind() -> None:
    assert pace((0.0, 0, 0), (1.0, 10, 110)).allows(1.0)
    assert not pace((0.0, 0, 0), (1.0, 10, 111)).allows(1.0)


def test_a_reader_that_stands_still_is_waited_for_only_so_long() -> None:
    made = pace((0.0, 0, 0), (1.0, 10, 5_000))
    assert not made.allows(1.0 + STANDS_STILL_S)
    assert made.allows(1.01 + STANDS_STILL_S)


def test_only_the_last_readings_are_kept() -> None:
    made = pace(*((second / 10, second, second) for second in range(10_000)))
    assert len(made.readings) < 30
