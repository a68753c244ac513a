"""What becomes of batches when their turn comes: everybody has exactly one end, and packages count it right."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.reasons import UserReason
from contracts.statuses import Outcome
from services.provisioning_engine.domain.outcomes import (
    NO_REFUSALS,
    Batch,
    PackageNow,
    Refusals,
    decide,
    deltas_of,
    needed_packages,
    result_of,
)

HAS = PackageNow(customer_active=True, provisioned=True, seat_limit=None, used=0, reserved=0, source_revision=1)
LACKS = HAS._replace(provisioned=False, source_revision=-1, reserved=3)


def batch(number: int = 0, users: int = 3, customer: str = "a") -> Batch:
    """Give a batch of users."""
    names = [f"u{at}" for at in range(users)]
    return Batch(number, customer, "silver", "gold", 1, names, 1, {}, users)


def endings(now: PackageNow, refusals: Refusals = NO_REFUSALS, *, generate: bool = False) -> list[str]:
    """Give the reason of each user of one batch who is not tried."""
    one = batch()
    packages = {one.package: now}
    made = needed_packages([one], packages, generate=generate, default_limits={"gold": 2})
    return [
        ending.reason.value for _, ending in sorted(decide([one], packages, made, refusals).tries[0].endings.items())
    ]


def test_each_reason_of_a_whole_batch_has_its_case() -> None:
    assert endings(HAS) == []
    assert endings(LACKS) == ["destination-package-missing"] * 3
    assert endings(LACKS, generate=True) == []
    assert endings(HAS._replace(customer_active=False)) == ["customer-inactive"] * 3
    refused = Refusals(packages={("a", "gold"): "no"})
    assert endings(LACKS, refused, generate=True) == ["package-generation-failed"] * 3


def test_seats_go_to_the_first_users_who_were_not_refused() -> None:
    full = HAS._replace(seat_limit=5, used=4)
    assert endings(full) == ["seat-limit-reached"] * 2
    refused = Refusals(users={(0, 0): "no", (7, 1): "another batch"})
    assert endings(full, refused) == ["refused-by-connector", "seat-limit-reached"]


def test_batches_of_one_package_share_its_seats() -> None:
    batches = [batch(0), batch(1)]
    tries = decide(batches, {batches[0].package: HAS._replace(seat_limit=4)}, {}, NO_REFUSALS).tries
    assert [len(tried.endings) for tried in tries] == [0, 2]


def test_a_generated_package_has_room_for_what_is_used_and_promised() -> None:
    one = batch()
    for limit, expected in ((2, 9), (20, 20), (None, None)):
        now = {one.package: LACKS._replace(used=4, reserved=5)}
        made = needed_packages([one, one], now, generate=True, default_limits={"gold": limit})
        assert [(each.seat_limit, each.revision) for each in made.values()] == [(expected, 0)]


def test_who_was_tried_and_did_not_move_had_changed_or_is_gone() -> None:
    tried = decide([batch()], {("a", "gold"): HAS}, {}, NO_REFUSALS).tries[0]
    result = result_of(tried, [1], {}, {2})
    assert {at: ending.reason for at, ending in result.endings.items()} == {
        0: UserReason.PLAN_CHANGED,
        2: UserReason.USER_REMOVED,
    }
    assert [one.position for one in result.not_migrated()] == [0, 2]


@given(st.data(), st.integers(1, 5), st.none() | st.integers(0, 12))
def test_everybody_has_one_end_and_the_packages_count_them(data: st.DataObject, count: int, limit: int | None) -> None:
    batches = [batch(number, data.draw(st.integers(1, 5)), data.draw(st.sampled_from("ab"))) for number in range(count)]
    packages = {(customer, "gold"): HAS._replace(seat_limit=limit) for customer in "ab"}
    results = []
    for tried in decide(batches, packages, {}, NO_REFUSALS).tries:
        able = [at for at in range(len(tried.batch.users)) if at not in tried.endings]
        moved = data.draw(st.lists(st.sampled_from(able), unique=True)) if able else []
        results.append(result_of(tried, moved, {}, frozenset()))
        assert results[-1].migrated == len(moved)
    for result in results:
        ends = sum(result.count(outcome) for outcome in (Outcome.FAILED, Outcome.SKIPPED, Outcome.CANCELLED))
        assert result.migrated + ends == len(result.batch.users)
    deltas = deltas_of(results)
    assert sum(deltas.used.values()) == 0
    assert sum(deltas.reserved.values()) == -sum(len(one.users) for one in batches)
    for customer in "ab":
        gained = deltas.used.get((customer, "gold"), 0)
        assert limit is None or gained <= limit
    assert deltas.rows() == sorted(deltas.rows())
