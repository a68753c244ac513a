"""Importing files into the directory: what differs from the last word of the topic is published, nothing else."""

import asyncio
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from contracts.envelope import IMPORT_SOURCE
from contracts.topics import DIRECTORY
from directoryfiles.bad_rows import BadRow
from directoryfiles.catching_up import catch_up, cluster_of
from directoryfiles.difference import revision_to_publish, revision_to_remove
from directoryfiles.facts import Frame, digest_of, removal_tail
from directoryfiles.index import Index, Statement
from directoryfiles.kinds import REMOVING, TYPE_OF, Kind, kind_of_key
from directoryfiles.missing import missing_counts, missing_keys
from directoryfiles.reading import FileRead, Progress, Reading, Stage, read
from directoryfiles.sending import Sending
from directoryfiles.shapes import IDENTIFIER
from directoryfiles.staging import Staged
from eventlog.connections import KafkaSettings

STALL_S = 120.0
"""How long Kafka may take nothing before an import gives up."""


class SourceNameError(ValueError):
    """A source's name that can't be part of an event's source."""


@dataclass(frozen=True)
class ImportOptions:
    """How to import.

    `source` names who decided what the files say: `/planshift/directory-import/<source>`. `now` is when. `strict`:
    publish nothing if any row is bad. `complete`: the files are all that there is of the kinds that they have, so
    count what they lack; `remove_missing`: and publish that it is gone (never while a row is bad).
    """

    source: str = "files"
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    strict: bool = False
    complete: bool = False
    remove_missing: bool = False
    stall_s: float = STALL_S

    def __post_init__(self) -> None:
        """Raise SourceNameError for a source that can't be part of an event's source."""
        if not IDENTIFIER.fullmatch(self.source):
            raise SourceNameError(
                f"{self.source!r} can't name a source: only ASCII letters, digits and . _ @ : + = - can."
            )

    @property
    def revision(self) -> int:
        """Give `now` in microseconds since 1970-01-01 UTC."""
        return round(self.now.timestamp() * 1_000_000)


@dataclass
class ImportResult:
    """What an import did. rows = good rows + bad rows; entities stated = published + unchanged, unless refused."""

    rows: int = 0
    bad_rows: int = 0
    published: int = 0
    unchanged: int = 0
    removed: int = 0
    refused: bool = False
    published_by_kind: dict[str, int] = field(default_factory=dict)
    missing_by_kind: dict[str, int] = field(default_factory=dict)
    files: Sequence[FileRead] = ()


def import_directory(
    paths: Iterable[Path],
    *,
    kafka: KafkaSettings,
    cache_folder: Path,
    options: ImportOptions,
    progress: Progress,
    on_bad_row: Callable[[BadRow], None],
) -> ImportResult:
    """Import files, or folders of them; `on_bad_row` gets every bad row in order, before anything is published.

    Runs its own event loop: call it in a thread of its own from asynchronous code. Interrupted in the middle, or after
    an error, the next import publishes the rest. Raises ImportRunningError, StalledError, KafkaError, OSError.
    """
    with _fewer_collections():
        return _import_directory(paths, kafka, cache_folder, options, progress, on_bad_row)


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Let Python look for circular garbage rarely: an import makes millions of tuples and no circles."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _import_directory(
    paths: Iterable[Path],
    kafka: KafkaSettings,
    cache_folder: Path,
    options: ImportOptions,
    progress: Progress,
    on_bad_row: Callable[[BadRow], None],
) -> ImportResult:
    index = Index(cache_folder, asyncio.run(cluster_of(kafka)), kafka.topic(DIRECTORY.name))
    try:
        asyncio.run(catch_up(index, kafka, progress))
        with read(paths, cache_folder, index.present, progress) as reading:
            return _import(reading, index, kafka, options, progress, on_bad_row)
    finally:
        index.close()


def check_files(
    paths: Iterable[Path], *, work_folder: Path, progress: Progress, on_bad_row: Callable[[BadRow], None]
) -> ImportResult:
    """Only read and check files, without Kafka: what they refer to has to be in them. Raises OSError."""
    with read(paths, work_folder, lambda _: set(), progress) as reading:
        return _reported(reading, on_bad_row)


def _reported(reading: Reading, on_bad_row: Callable[[BadRow], None]) -> ImportResult:
    for bad in reading.bad:
        on_bad_row(bad)
    return ImportResult(rows=reading.rows, bad_rows=reading.bad.count(), files=reading.files)


def _import(
    reading: Reading,
    index: Index,
    kafka: KafkaSettings,
    options: ImportOptions,
    progress: Progress,
    on_bad_row: Callable[[BadRow], None],
) -> ImportResult:
    result = _reported(reading, on_bad_row)
    if options.strict and result.bad_rows:
        result.refused = True
        return result
    if options.complete or options.remove_missing:
        result.missing_by_kind = missing_counts(reading.staging, index)
    publication = Publication(index, kafka, options, progress, result)
    asyncio.run(publication.run(reading))
    return result


class Publication:
    """The publishing part of one import."""

    def __init__(
        self, index: Index, kafka: KafkaSettings, options: ImportOptions, progress: Progress, result: ImportResult
    ) -> None:
        """Count into `result`."""
        source = f"{IMPORT_SOURCE}/{options.source}"
        self._frame = Frame(source, options.now.astimezone(UTC).isoformat().replace("+00:00", "Z"))
        self._index = index
        self._was_empty = index.is_empty
        self._kafka = kafka
        self._options = options
        self._progress = progress
        self._result = result

    async def run(self, reading: Reading) -> None:
        """Publish what differs, and what is gone if that is asked for."""
        total = sum(reading.staging.counts)
        counts = [0] * len(Kind)
        async with Sending(self._kafka, self._index, self._options.stall_s) as sending:
            done = 0
            for facts in reading.staging.good_facts():
                self._publish(facts, sending, counts)
                await sending.drain()
                done += len(facts)
                self._progress(Stage.PUBLISHING, done, total)
            self._result.published_by_kind = {kind.word: counts[kind] for kind in Kind if counts[kind]}
            self._result.published = sum(counts)
            if self._options.remove_missing and not self._result.bad_rows:
                await self._remove(missing_keys(reading.staging, self._index), sending)

    def _publish(self, facts: list[Staged], sending: Sending, counts: list[int]) -> None:
        # Where nothing was known before, only what comes again can be known: for one, what rows of others imply.
        asked = facts if not self._was_empty else [fact for fact in facts if fact[5] or fact[1] < _USER]
        known = self._index.find([fact[2] for fact in asked])
        revision = self._options.revision
        for _, kind, key, tail, weak, implied in facts:
            event_type = TYPE_OF[kind]
            digest = digest_of(event_type, tail)
            comes_again = implied or kind < _USER
            last = (sending.latest.get(key) if comes_again else None) or known.get(key)
            decided = revision_to_publish(last, digest, revision, weak=weak)
            if decided is None:
                self._result.unchanged += 1
                continue
            counts[kind] += 1
            statement = Statement(key, digest, decided, present=True)
            if comes_again:
                sending.remember(statement)
            self._say(statement, event_type, tail, sending)

    async def _remove(self, keys: Iterator[str], sending: Sending) -> None:
        for some in _grouped(keys):
            known = self._index.find(some)
            for key in some:
                decided = revision_to_remove(known.get(key), self._options.revision)
                if decided is None:
                    continue
                event_type = REMOVING[kind_of_key(key)].TYPE
                tail = removal_tail(event_type, key)
                self._result.removed += 1
                statement = Statement(key, digest_of(event_type, tail), decided, present=False)
                self._say(statement, event_type, tail, sending)
            await sending.drain()
            self._progress(Stage.REMOVING, self._result.removed, sum(self._result.missing_by_kind.values()))

    def _say(self, statement: Statement, event_type: str, tail: str, sending: Sending) -> None:
        event_id = f"{statement.revision}/{statement.key}"
        document = self._frame.document(event_type, event_id, statement.key, statement.revision, tail)
        sending.put(statement, event_type.encode(), event_id.encode(), document.encode())


def _grouped(keys: Iterator[str]) -> Iterator[list[str]]:
    waiting: list[str] = []
    for key in keys:
        waiting.append(key)
        if len(waiting) >= _KEYS_AT_ONCE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


_KEYS_AT_ONCE = 2000
_USER = int(Kind.USER)
