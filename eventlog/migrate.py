"""Numbered SQL migrations: immutable, applied in order, safe to start from many processes at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eventlog.database import Connection
from eventlog.errors import MigrationChanged
from eventlog.sqlfile import load_queries

_HERE = Path(__file__).parent
_QUERIES = load_queries(_HERE / "sql" / "migrate.sql")
_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")

OWN_MIGRATIONS = _HERE / "migrations"


class _Migration(NamedTuple):
    name: str
    sql: str
    checksum: str


async def migrate(conn: Connection, *, schema_folders: Sequence[Path]) -> list[str]:
    """Bring the schema of the connection's `search_path` up to date; returns the names applied now.

    The event log's own migrations come first, then each folder's `NNNN_words.sql` in order of their numbers,
    which start at 1 and have no holes. All of it is one transaction, under an advisory lock.

    Raises MigrationChanged when a file that was applied before now differs or is gone, ValueError for a bad file
    name or number.
    """
    wanted = [m for folder in (OWN_MIGRATIONS, *schema_folders) for m in _read_folder(folder)]
    async with conn.transaction():
        await conn.execute(_QUERIES["lock"])
        await conn.execute(_QUERIES["create_table"])
        applied = {row["name"]: row["checksum"] for row in await conn.fetch(_QUERIES["applied"])}
        _refuse_changes(wanted, applied)
        pending = [m for m in wanted if m.name not in applied]
        for migration in pending:
            await conn.execute(migration.sql)
            await conn.execute(_QUERIES["record"], migration.name, migration.checksum)
    return [m.name for m in pending]


def _read_folder(folder: Path) -> list[_Migration]:
    """Migrations of one folder; the folder's owner is part of the name, so that several can be numbered from 1."""
    found: list[_Migration] = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _FILE_NAME.match(path.name)
        if match is None or int(match[1]) != number:
            raise ValueError(f"{path.name} should be number {number:04} and named like {number:04}_words.sql")
        sql = path.read_text(encoding="utf-8")
        name = f"{folder.parent.name}/{path.stem}"
        found.append(_Migration(name, sql, hashlib.sha256(sql.encode()).hexdigest()))
    return found


def _refuse_changes(wanted: Sequence[_Migration], applied: dict[str, str]) -> None:
    known = {m.name: m.checksum for m in wanted}
    problems = [f"{m.name} was changed" for m in wanted if applied.get(m.name, m.checksum) != m.checksum]
    problems += [f"{name} is gone" for name in sorted(applied.keys() - known.keys())]
    if problems:
        raise MigrationChanged("migrations that this database has had are immutable: " + "; ".join(problems))
