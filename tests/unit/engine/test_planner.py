"""The manifest: whoever is selected is planned or excluded, and never twice."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from contracts.provisioning import BATCH_LIMIT
from contracts.reasons import UserReason
from services.provisioning_engine.domain.planner import (
    Planned,
    Room,
    UserGroup,
    Wish,
    batch_hash,
    chained,
    manifest_hash,
    plan,
)

CUSTOMERS, PLANS = ["a", "b", "c"], ["silver", "bronze", "gold", None]
WISH = Wish("mail", {"silver": "gold", "bronze": "gold"}, generate_missing_packages=False)
GENERATING = WISH._replace(generate_missing_packages=True)


def group(customer: str, users: int, *, on: str | None = "silver", removed: bool = False) -> UserGroup:
    """Give a group of users on one plan."""
    names = [f"{on}{number:05d}" for number in range(users)]
    return UserGroup(customer, on, removed, names, [1] * users)


def planned(wish: Wish, *groups: UserGroup, room: Room | None = None, active: bool = True) -> Planned:
    """Plan groups whose customers all have the same destination package."""
    rooms = {(one.customer, "gold"): room or Room() for one in groups}
    customers = {one.customer for one in groups} if active else set()
    return plan(wish, groups, active_customers=customers, rooms=rooms, planned_before={})


groups = st.lists(
    st.builds(group, st.sampled_from(CUSTOMERS), st.integers(1, 12), on=st.sampled_from(PLANS), removed=st.booleans()),
    max_size=8,
    unique_by=lambda one: (one.customer, one.plan),
)
some_rooms = st.dictionaries(
    st.tuples(st.sampled_from(CUSTOMERS), st.just("gold")),
    st.builds(Room, st.booleans(), st.none() | st.integers(0, 20), st.integers(0, 9)),
)


@given(groups, some_rooms, st.frozensets(st.sampled_from(CUSTOMERS)), st.booleans())
def test_selected_is_planned_and_excluded(
    selected: list[UserGroup], rooms: dict[tuple[str, str], Room], active: frozenset[str], generate: bool
) -> None:
    wish = WISH._replace(generate_missing_packages=generate)
    result = plan(wish, selected, active_customers=active, rooms=rooms, planned_before={})
    asked = Counter((one.customer, user) for one in selected for user in one.users)
    told = Counter((batch.customer, user) for batch in result.batches for user in batch.users)
    told.update((left.customer, user) for left in result.exclusions for user in left.users)
    assert told == asked
    assert result.planned + result.excluded == asked.total()
    assert sum(result.excluded_by_reason().values()) == result.excluded
    assert sum(result.reserves.values()) == result.planned
    for package, seats in result.reserves.items():
        room = rooms.get(package, Room())
        if room.provisioned and room.seat_limit is not None:
            assert room.taken + seats <= room.seat_limit
        assert room.provisioned or generate
        assert package[0] in active


@given(st.integers(1, 3 * BATCH_LIMIT + 1))
def test_batches_and_exclusions_have_no_more_than_the_limit(users: int) -> None:
    result = planned(GENERATING, group("a", users))
    sizes = [len(batch.users) for batch in result.batches]
    assert (sum(sizes), max(sizes) <= BATCH_LIMIT) == (users, True)
    excluded = planned(WISH, group("a", users))
    assert max(len(one.users) for one in excluded.exclusions) <= BATCH_LIMIT


def test_each_reason_has_its_case() -> None:
    has = Room(provisioned=True)
    cases = {
        UserReason.USER_REMOVED: planned(WISH, group("a", 1, removed=True), room=has),
        UserReason.NOT_ON_SOURCE_PLAN: planned(WISH, group("a", 1, on="gold"), room=has),
        UserReason.CUSTOMER_INACTIVE: planned(WISH, group("a", 1), room=has, active=False),
        UserReason.DESTINATION_PACKAGE_MISSING: planned(WISH, group("a", 1)),
        UserReason.SEAT_LIMIT_REACHED: planned(WISH, group("a", 1), room=Room(provisioned=True, seat_limit=0)),
    }
    assert {reason: result.excluded_by_reason() for reason, result in cases.items()} == {
        reason: {reason.value: 1} for reason in cases
    }


def test_two_source_plans_share_the_seats_of_one_destination() -> None:
    room = Room(provisioned=True, seat_limit=6, taken=1)
    result = planned(WISH, group("a", 3), group("a", 4, on="bronze"), room=room)
    assert [len(batch.users) for batch in result.batches] == [3, 2]
    assert result.exclusions[0].users == ["bronze00002", "bronze00003"]


def test_a_package_is_generated_once_and_has_room_for_everybody() -> None:
    result = planned(GENERATING, group("a", 3), group("a", 2, on="bronze"), room=Room(seat_limit=1))
    assert (result.generates, result.planned) == ([("a", "gold")], 5)
    before = {("a", "gold"): 3}
    later = plan(GENERATING, [group("a", 2)], active_customers={"a"}, rooms={}, planned_before=before)
    assert (later.generates, later.customers) == ([], set())


def test_revisions_are_named_where_they_differ_from_the_most_frequent() -> None:
    one = group("a", 4)._replace(revisions=[7, 5, 7, 6])
    batch = planned(GENERATING, one).batches[0]
    assert (batch.revision, batch.revisions) == (7, {1: 5, 3: 6})


def test_the_hash_says_all_that_a_batch_does() -> None:
    base = ("mail", "a", "silver", "gold", ["u", "v"], [1, 1])
    others = [
        ("mail", "a", "silver", "gold", ["u", "v"], [1, 2]),
        ("mail", "a", "silver", "gold", ["v", "u"], [1, 1]),
        ("mail", "b", "silver", "gold", ["u", "v"], [1, 1]),
        ("mail", "a", "bronze", "gold", ["u", "v"], [1, 1]),
    ]
    assert len({batch_hash(*one) for one in (base, *others)}) == 5


def test_the_manifest_does_not_depend_on_the_steps_it_was_planned_in() -> None:
    hashes = [batch.hash for batch in planned(GENERATING, group("a", 1), group("b", 1)).batches]
    assert chained(chained(b"", hashes[:1]), hashes[1:]) == chained(b"", hashes)
    one = chained(b"", hashes)
    assert manifest_hash({0: b"", 3: one}) == manifest_hash({3: one}) != manifest_hash({4: one})
