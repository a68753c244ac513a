"""What the topic says last of each entity: a cache on this machine, which can be lost at any time.

Per entity: a digest of the content, its revision, and whether it is there. It is brought up to date from the topic
before it is used, so whoever else writes to the topic is heard.
"""

import fcntl
import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from directoryfiles.kinds import Kind
from eventlog.sqlfile import load_queries

_QUERIES = load_queries(Path(__file__).parent / "index.sql")
_CACHE_KIB = 8 * 1024
_ASKED_AT_ONCE = 4000
_VERSION = 1


class ImportRunningError(Exception):
    """Another import of the same topic runs on this machine."""


class Known(NamedTuple):
    """The last word on an entity."""

    digest: int
    revision: int
    present: bool


class Statement(NamedTuple):
    """What one record says: `present` is false for a removal."""

    key: str
    digest: int
    revision: int
    present: bool


class Position(NamedTuple):
    """How far a partition was read, and when the record before that place was written (milliseconds)."""

    next_offset: int
    last_timestamp: int


class Index:
    """The cache of one topic; only one import at a time may use it."""

    def __init__(self, folder: Path, cluster: str, topic: str) -> None:
        """Open or make it. Raises ImportRunningError."""
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{cluster}-{topic}-v{_VERSION}")
        self._lock = (folder / f"{name}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise ImportRunningError(f"Another import into {topic} is running on this machine.") from None
        self._database = sqlite3.connect(folder / f"{name}.sqlite", isolation_level=None)
        # Losing the last transactions in a power cut costs reading the topic again, nothing else.
        self._database.executescript(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            f"PRAGMA cache_size = -{_CACHE_KIB};"
        )
        self._database.executescript(_QUERIES["create"])
        self.is_empty = bool(self._database.execute(_QUERIES["is_empty"]).fetchone()[0])

    def positions(self) -> dict[int, Position]:
        """Give how far each partition was read; one that was not read at all is missing."""
        return {row[0]: Position(row[1], row[2]) for row in self._database.execute(_QUERIES["positions"])}

    def clear(self) -> None:
        """Forget everything."""
        self._database.executescript(_QUERIES["clear"])
        self.is_empty = True

    def take(
        self, statements: Sequence[Statement], positions: dict[int, Position], removed_users: Iterable[Statement] = ()
    ) -> None:
        """Take what records said, and how far they go, in one transaction."""
        self._database.execute("BEGIN")
        # In the order of the keys, neighbours are on one page.
        self._database.executemany(_QUERIES["state"], sorted(statements, key=itemgetter(0)))
        for key, _, revision, _ in removed_users:
            prefix = "assignment/" + key.partition("/")[2]
            self._database.execute(_QUERIES["forget_assignments"], (prefix + "/", prefix + "0", revision))
        rows = [(partition, *position) for partition, position in positions.items()]
        self._database.executemany(_QUERIES["advance"], rows)
        self._database.execute("COMMIT")
        self.is_empty = self.is_empty and not statements

    def find(self, keys: Sequence[str]) -> dict[str, Known]:
        """Give what is known of entities; those that nothing is known of are missing."""
        if self.is_empty:
            return {}
        found = self._database.execute(_QUERIES["find"], (json.dumps(keys),))
        return {key: Known(digest, revision, bool(present)) for key, digest, revision, present in found}

    def present(self, keys: Iterable[str]) -> set[str]:
        """Give those of the keys whose entities are there."""
        if self.is_empty:
            return set()
        return {
            row[0]
            for some in _batched(keys)
            for row in self._database.execute(_QUERIES["find_present"], (json.dumps(some),))
        }

    def present_keys(self, kind: Kind) -> Iterable[str]:
        """Give the key of everything of a kind that is there, in order."""
        for row in self._database.execute(_QUERIES["present_keys"], (f"{kind.word}/", f"{kind.word}0")):
            yield row[0]

    def close(self) -> None:
        """Let the next import have it."""
        self._database.close()
        self._lock.close()


def _batched(keys: Iterable[str]) -> Iterable[list[str]]:
    waiting: list[str] = []
    for key in keys:
        waiting.append(key)
        if len(waiting) >= _ASKED_AT_ONCE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
