"""Runs an import of directory files with progress and every bad row shown, and waits until the services know it all."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cli.complaints import DONE, ENDED_WITH_FAILURES, Complaint, not_reachable
from cli.output import note
from cli.places import Places, client, find
from cli.progress import Advance, counting
from contracts.topics import DIRECTORY

if TYPE_CHECKING:
    from directoryfiles.bad_rows import BadRow
    from directoryfiles.publish import ImportResult
    from directoryfiles.reading import Stage

_SHOWN_BAD_ROWS = 1000
_POLL_S = 0.1
_KNOWN_WITHIN_S = 600.0
_READERS = ("wizard", "engine")


@dataclass(frozen=True)
class Wanted:
    """What to import, and how; `cache_folder` keeps what is known of the topic (none: the user's own)."""

    files: list[Path]
    source: str = "files"
    strict: bool = False
    remove_missing: bool = False
    wait: bool = True
    cache_folder: Path | None = None


@dataclass
class Done:
    """What an import did, and the bad rows."""

    result: "ImportResult"
    bad_rows: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """Give 1 where a row was bad: not everything in the files went in."""
        return ENDED_WITH_FAILURES if self.result.bad_rows else DONE

    def document(self) -> dict[str, Any]:
        """Give everything as JSON."""
        files = [each._asdict() for each in self.result.files]
        return {**asdict(self.result), "files": files, "bad": self.bad_rows, "seconds": round(self.seconds, 3)}

    def facts(self) -> dict[str, object]:
        """Give what a person wants to know."""
        result = self.result
        missing = ", ".join(f"{count:,} {kind}" for kind, count in result.missing_by_kind.items())
        return {
            "Rows": result.rows,
            "Bad rows": result.bad_rows or None,
            "Published": f"{result.published:,}" + (" (strict: a row was bad)" if result.refused else ""),
            "Unchanged": result.unchanged,
            "Removed": result.removed or None,
            "Missing": missing,
            "Took": f"{self.seconds:,.1f} s",
        }


class _Stages:
    """Shows progress stage by stage: a bar of its own for each."""

    def __init__(self) -> None:
        self._stage: Stage | None = None
        self._advance: Advance | None = None
        self._bar = ExitStack()

    def show(self, stage: "Stage", done: int, total: int | None) -> None:
        """Take what directoryfiles tells."""
        if stage is not self._stage or self._advance is None:
            self._bar.close()
            self._stage, self._advance = stage, self._bar.enter_context(counting(str(stage).capitalize()))
        self._advance(done, total or 0)

    def close(self) -> None:
        """End the last stage's bar."""
        self._bar.close()


@contextmanager
def _stages() -> Iterator[_Stages]:
    stages = _Stages()
    try:
        yield stages
    finally:
        stages.close()


def check(files: list[Path]) -> Done:
    """Read and check files without publishing anything."""
    from directoryfiles.publish import check_files

    bad: list[dict[str, Any]] = []
    started = time.monotonic()
    with _stages() as stages, TemporaryDirectory(prefix="planshift-") as folder:
        result = check_files(files, work_folder=Path(folder), progress=stages.show, on_bad_row=_noting(bad))
    return Done(result, bad, time.monotonic() - started)


def import_and_wait(wanted: Wanted, places: Places | None = None) -> Done:
    """Import, then wait until wizard and engine know everything. Raises Complaint."""
    places = places or find()
    bad: list[dict[str, Any]] = []
    started = time.monotonic()
    with _stages() as stages:
        result = _imported(wanted, places, stages, _noting(bad))
    if wanted.wait and result.published + result.removed:
        _until_known(places)
    return Done(result, bad, time.monotonic() - started)


def _imported(
    wanted: Wanted, places: Places, stages: _Stages, on_bad_row: "Callable[[BadRow], None]"
) -> "ImportResult":
    from directoryfiles.index import ImportRunningError
    from directoryfiles.publish import ImportOptions, import_directory
    from directoryfiles.sending import StalledError
    from eventlog.connections import KafkaSettings

    try:
        return import_directory(
            wanted.files,
            kafka=KafkaSettings(places.brokers(), places.topic_prefix, client_id="planshift-import"),
            cache_folder=wanted.cache_folder or _cache_folder(),
            options=ImportOptions(wanted.source, strict=wanted.strict, remove_missing=wanted.remove_missing),
            progress=stages.show,
            on_bad_row=on_bad_row,
        )
    except ImportRunningError:
        raise Complaint("Another import of this directory runs on this machine; try again when it has ended.") from None
    except StalledError as error:
        raise not_reachable(
            f"Kafka took nothing for a long time: {error}", "Import again to publish the rest."
        ) from None


def _cache_folder() -> Path:
    import platformdirs

    folder = platformdirs.user_cache_path("planshift") / "directory"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _noting(bad: list[dict[str, Any]]) -> "Callable[[BadRow], None]":
    """Print each bad row as `file:line: reason`, and keep the first thousand for the JSON."""

    def note_row(row: "BadRow") -> None:
        if len(bad) < _SHOWN_BAD_ROWS:
            bad.append({"file": row.file, "line": row.line, "reasons": list(row.reasons)})
        for reason in row.reasons:
            sys.stderr.write(f"{row.file}:{row.line}: {reason}\n")

    return note_row


def _until_known(places: Places) -> None:
    """Wait until wizard and engine have read the directory as far as it goes now; a service that isn't here is not."""
    ends = _directory_ends(places)
    readers = [service for service in _READERS if service in places.urls]
    total, deadline = sum(ends.values()), time.monotonic() + _KNOWN_WITHIN_S
    with counting("Wizard and engine read it") as advance:
        while readers:
            read = min(_read_so_far(places, service, ends) for service in readers)
            advance(read, total)
            if read >= total:
                return
            if time.monotonic() > deadline:
                note(f"Published; {' or '.join(readers)} has not read it all yet.")
                return
            time.sleep(_POLL_S)


def _read_so_far(places: Places, service: str, ends: dict[int, int]) -> int:
    with client(service, places) as asked:
        positions = asked.get("/v1/directory/positions")["positions"]
    return sum(min(int(positions.get(str(partition), 0)), end) for partition, end in ends.items())


def _directory_ends(places: Places) -> dict[int, int]:
    import asyncio

    from aiokafka import AIOKafkaConsumer, TopicPartition

    async def ends() -> dict[int, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=places.brokers())
        await consumer.start()
        try:
            topic = places.topic_prefix + DIRECTORY.name
            found = await consumer.end_offsets([TopicPartition(topic, n) for n in range(DIRECTORY.partitions)])
        finally:
            await consumer.stop()
        return {place.partition: end for place, end in found.items()}

    return asyncio.run(ends())
