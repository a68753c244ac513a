"""Folds `directory.events` into the view: one statement for each kind of entity, whatever the number of records."""

from collections.abc import Sequence
from pathlib import Path

from eventlog.database import Connection
from eventlog.record import IncomingRecord
from eventlog.sqlfile import load_queries
from services.wizard.edges.view_group import DirectoryGroup, OnSkipped, directory_group

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "view.sql")


class DirectoryFold:
    """The fold of a Reader over `directory.events`."""

    def __init__(self, on_skipped: OnSkipped) -> None:
        self._on_skipped = on_skipped

    async def __call__(self, conn: Connection, records: Sequence[IncomingRecord]) -> None:
        """Fold records inside the reader's transaction."""
        group = directory_group(records, self._on_skipped)
        await conn.execute(QUERIES["lock_view"])
        await _write_catalogue(conn, group)
        await _write_customers(conn, group)
        await _write_users(conn, group)


async def _write_catalogue(conn: Connection, group: DirectoryGroup) -> None:
    """Write the few: resellers, services and plans, one by one in the order in which they were read."""
    if group.resellers:
        rows = [(r.reseller, r.revision, r.name, r.parent, r.active) for r in group.resellers]
        await conn.executemany(QUERIES["upsert_resellers"], rows)
    if group.services:
        services = [(s.service, s.revision, s.name, s.connector.model_dump()) for s in group.services]
        await conn.executemany(QUERIES["upsert_services"], services)
    if group.plans:
        plans = [
            (p.service, p.plan, p.revision, p.name, p.active, p.default_seat_limit, p.features, p.quotas)
            for p in group.plans
        ]
        await conn.executemany(QUERIES["upsert_plans"], plans)


async def _write_customers(conn: Connection, group: DirectoryGroup) -> None:
    if group.customers:
        revisions, removed, names, resellers, active = zip(*group.customers.values(), strict=True)
        await conn.execute(
            QUERIES["upsert_customers"], list(group.customers), revisions, removed, names, resellers, active
        )
    if group.packages:
        customers, services, plans = zip(*group.packages, strict=True)
        revisions, present, limits = zip(*group.packages.values(), strict=True)
        await conn.execute(
            QUERIES["upsert_packages"],
            customers,
            services,
            plans,
            revisions,
            present,
            [None if limit < 0 else limit for limit in limits],
        )


async def _write_users(conn: Connection, group: DirectoryGroup) -> None:
    if group.people:
        customers, users = zip(*group.people, strict=True)
        revisions, names, emails = zip(*group.people.values(), strict=True)
        await conn.execute(
            QUERIES["upsert_people"], customers, users, revisions, names, [email or None for email in emails]
        )
    if group.removals:
        customers, users = zip(*group.removals, strict=True)
        await conn.execute(QUERIES["remove_people"], customers, users, list(group.removals.values()))
    if group.assignments:
        customers, services, users = zip(*group.assignments, strict=True)
        revisions, plans = zip(*group.assignments.values(), strict=True)
        await conn.execute(
            QUERIES["upsert_assignments"], customers, services, users, [plan or None for plan in plans], revisions
        )
