"""Folds `provisioning.events` into the view: whole batches when they end, never user by user."""

from collections.abc import Sequence

from contracts.envelope import AnyEnvelope
from contracts.provisioning import (
    BatchFinished,
    BatchPlanned,
    BatchReopened,
    PackageGenerated,
)
from eventlog.database import Connection
from eventlog.record import IncomingRecord
from services.wizard.edges.directory_fold import QUERIES
from services.wizard.edges.view_group import OnSkipped, decoded

WANTED_TYPES = frozenset(event.TYPE for event in (BatchPlanned, BatchFinished, BatchReopened, PackageGenerated))
"""Everything else, each user's own event above all, is skipped by the record's header."""

OpenBatchRow = tuple[str, int, str, str, str, int, tuple[str, ...], list[int] | None]


class _Steps:
    """What a fold has gathered and not written yet; `reopen` and a batch's second end force it out in between."""

    def __init__(self) -> None:
        self.planned: list[OpenBatchRow] = []
        self.finished: dict[tuple[str, int], tuple[int, BatchFinished]] = {}
        self.packages: dict[tuple[str, str, str], tuple[int, int, int]] = {}

    async def write(self, conn: Connection) -> None:
        """Write packages, then plans, then ends, and forget them."""
        if self.packages:
            await _write_packages(conn, self.packages)
        if self.planned:
            await conn.executemany(QUERIES["open_batches"], self.planned)
        if self.finished:
            await _write_finished(conn, list(self.finished.values()))
        self.packages, self.planned, self.finished = {}, [], {}


class ProvisioningFold:
    """The fold of a Reader over `provisioning.events`."""

    def __init__(self, on_skipped: OnSkipped) -> None:
        self._on_skipped = on_skipped

    async def __call__(self, conn: Connection, records: Sequence[IncomingRecord]) -> None:
        """Fold records inside the reader's transaction."""
        envelopes = [found for record in records if (found := decoded(record, self._on_skipped))]
        wanted = [found for found in envelopes if found.type in WANTED_TYPES]
        if not wanted:
            return
        await conn.execute(QUERIES["lock_view"])
        steps = _Steps()
        for envelope in wanted:
            await _take(conn, steps, envelope)
        await steps.write(conn)


async def _take(conn: Connection, steps: _Steps, envelope: AnyEnvelope) -> None:
    event, sequence = envelope.data, int(envelope.sequence or 0)
    match event:
        case BatchPlanned() if event.mode == "execute":
            steps.planned.append(_open_row(event))
        case BatchFinished():
            key = (event.request, event.batch)
            if key in steps.finished:
                await steps.write(conn)
            steps.finished[key] = (sequence, event)
        case BatchReopened():
            await steps.write(conn)
            await conn.execute(QUERIES["reopen_batch"], event.request, event.batch, event.positions)
        case PackageGenerated():
            limit = -1 if event.seat_limit is None else event.seat_limit
            place = (event.customer, event.service, event.plan)
            row = (event.revision, sequence, limit)
            steps.packages[place] = max(row, steps.packages.get(place, row))
        case _:
            pass  # a preview's batch: nothing will happen to its users


def _open_row(event: BatchPlanned) -> OpenBatchRow:
    revisions = None
    if event.revisions:
        revisions = [event.revisions.get(str(position), event.revision) for position in range(len(event.users))]
    return (
        event.request,
        event.batch,
        event.customer,
        event.service,
        event.to_plan,
        event.revision,
        event.users,
        revisions,
    )


async def _write_packages(conn: Connection, packages: dict[tuple[str, str, str], tuple[int, int, int]]) -> None:
    customers, services, plans = zip(*packages, strict=True)
    revisions, sequences, limits = zip(*packages.values(), strict=True)
    await conn.execute(
        QUERIES["upsert_generated_packages"],
        customers,
        services,
        plans,
        revisions,
        sequences,
        [None if limit < 0 else limit for limit in limits],
    )


async def _write_finished(conn: Connection, finished: list[tuple[int, BatchFinished]]) -> None:
    events = [event for _, event in finished]
    left_out = [(number, left.position) for number, event in enumerate(events, 1) for left in event.not_migrated]
    other = [
        (number, int(position), revision)
        for number, event in enumerate(events, 1)
        for position, revision in event.revisions.items()
    ]
    await conn.execute(
        QUERIES["finish_batches"],
        [event.request for event in events],
        [event.batch for event in events],
        [sequence for sequence, _ in finished],
        [number for number, _ in left_out],
        [position for _, position in left_out],
        [number for number, _, _ in other],
        [position for _, position, _ in other],
        [revision for _, _, revision in other],
    )
    # A batch with failures may be reopened; the others are over.
    over = [event for event in events if event.failed == 0]
    await conn.execute(QUERIES["close_batches"], [event.request for event in over], [event.batch for event in over])
