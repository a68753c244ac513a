"""The fold: what a group of records says, applied to the rows that it concerns. It never refuses; the past happened."""

from typing import assert_never

from contracts.topics import PROVISIONING
from services.request_tracker.domain import batches, states
from services.request_tracker.domain.facts import BatchWork, Facts, Finished, Planned, Reopened, Settled
from services.request_tracker.domain.pace import paced
from services.request_tracker.domain.rows import BatchKey, BatchRow, CustomerKey, CustomerRow, Rows, ShardKey, ShardRow
from services.request_tracker.domain.texts import micros


def keys_of(facts: Facts) -> tuple[set[BatchKey], set[ShardKey], set[CustomerKey], set[str]]:
    """Rows that have to be loaded before `evolve`: batches, shards, customers, states."""
    shards = {ShardKey(key.request, work.shard) for key, work in facts.batches.items()}
    customers = {CustomerKey(key.request, work.customer) for key, work in facts.batches.items()}
    for exclusion in facts.exclusions:
        shards.add(ShardKey(exclusion.request, exclusion.shard))
        customers.add(CustomerKey(exclusion.request, exclusion.customer))
    shards |= {ShardKey(package.request, package.shard) for package in facts.packages}
    return {key for key in facts.batches if not _is_new(facts.batches[key])}, shards, customers, set(facts.states)


def _is_new(work: BatchWork) -> bool:
    return isinstance(work.ops[0], Planned)


def evolve(facts: Facts, rows: Rows) -> None:
    """Apply the facts to the loaded rows; rows that aren't there yet are added."""
    for key, work in facts.batches.items():
        for op in work.ops:
            _apply(key, op, work, facts, rows)
    for exclusion in facts.exclusions:
        shard = _shard(rows, exclusion.request, exclusion.shard)
        shard.counts.excluded += exclusion.n
        shard.excluded_reasons[exclusion.reason] = shard.excluded_reasons.get(exclusion.reason, 0) + exclusion.n
        _customer(rows, exclusion.request, exclusion.customer, exclusion.shard).counts.excluded += exclusion.n
    for package in facts.packages:
        shard = _shard(rows, package.request, package.shard)
        shard.packages_generated += package.generated
        shard.packages_failed += not package.generated
    for request, ops in facts.states.items():
        for state_op in ops:
            states.apply(rows, request, state_op)


def _apply(
    key: BatchKey, op: Planned | Settled | Finished | Reopened, work: BatchWork, facts: Facts, rows: Rows
) -> None:
    if isinstance(op, Planned) and key not in rows.batches:
        _plan(key, op, rows)
        return
    row = rows.batches.get(key)
    if row is None or isinstance(op, Planned):
        facts.skip(PROVISIONING.name, work.shard, "stray")
        return
    match op:
        case Settled():
            _settle(row, op, facts, rows)
        case Finished():
            if not batches.finish(row, op):
                facts.skip(PROVISIONING.name, work.shard, "counts-differ")
            _shard(rows, row.request, row.shard).batches_finished += 1
        case Reopened():
            _reopen(row, op, rows)
        case _:
            assert_never(op)


def _plan(key: BatchKey, op: Planned, rows: Rows) -> None:
    row = rows.batches[key] = op.row
    rows.new_batches.add(key)
    shard = _shard(rows, row.request, row.shard)
    shard.batches += 1
    shard.counts.planned += row.n
    _customer(rows, row.request, row.customer, row.shard).counts.planned += row.n


def _settle(row: BatchRow, op: Settled, facts: Facts, rows: Rows) -> None:
    taken = batches.settle(row, op)
    if taken < op.n:
        facts.skip(PROVISIONING.name, row.shard, "second-outcome", op.n - taken)
    if not taken:
        return
    shard = _shard(rows, row.request, row.shard)
    batches.count(shard.counts, op.code, taken)
    batches.count(_customer(rows, row.request, row.customer, row.shard).counts, op.code, taken)
    if op.reason is not None:
        name = batches.reason_name(op.code, op.reason)
        shard.reasons[name] = shard.reasons.get(name, 0) + taken
    time_us = micros(op.time)
    paced(shard.pace, time_us, taken)
    shard.first_outcome_us = time_us if shard.first_outcome_us is None else min(shard.first_outcome_us, time_us)
    shard.last_outcome_us = time_us if shard.last_outcome_us is None else max(shard.last_outcome_us, time_us)


def _reopen(row: BatchRow, op: Reopened, rows: Rows) -> None:
    shard = _shard(rows, row.request, row.shard)
    customer = _customer(rows, row.request, row.customer, row.shard)
    shard.batches_finished -= row.finished_at is not None
    for code, reason in batches.reopen(row, op):
        batches.count(shard.counts, code, -1)
        batches.count(customer.counts, code, -1)
        if reason is not None:
            name = batches.reason_name(code, reason)
            shard.reasons[name] -= 1
            if not shard.reasons[name]:
                del shard.reasons[name]


def _shard(rows: Rows, request: str, shard: int) -> ShardRow:
    key = ShardKey(request, shard)
    row = rows.shards.get(key)
    if row is None:
        row = rows.shards[key] = ShardRow(request, shard)
    return row


def _customer(rows: Rows, request: str, customer: str, shard: int) -> CustomerRow:
    key = CustomerKey(request, customer)
    row = rows.customers.get(key)
    if row is None:
        row = rows.customers[key] = CustomerRow(request, customer, shard)
    return row
