"""The facts of an import between being read and being published: on disk, so that memory doesn't grow with them.

Facts are kept in their order. What is needed to find duplicates and dangling references goes into buckets by key, each
small enough to be looked at alone.
"""

import marshal
from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from directoryfiles.facts import Fact
from directoryfiles.kinds import Kind

BUCKETS = 256
_CHUNK_ENTRIES = 128
_CHUNK_FACTS = 2000
_USER, _ASSIGNMENT = int(Kind.USER), int(Kind.ASSIGNMENT)
GOOD = 255
"""In `failed`: the row is good; else the kind from which on its facts are not used."""


class Definition(NamedTuple):
    """That a row states an entity: enough to compare it with other rows that do. Implied ones may be repeated."""

    key: str
    content: int
    row: int
    line: int
    implied: bool
    weak: bool
    references: tuple[str, ...]


class Staged(NamedTuple):
    """A fact as it comes back from the disk; only implied ones may come more than once."""

    row: int
    kind: int
    key: str
    tail: str
    weak: bool
    implied: bool


class Spill:
    """Lists of plain tuples on disk, one list for each name, written and read in chunks."""

    def __init__(self, folder: Path) -> None:
        """Open a file without a name in the folder, which the system deletes when it is closed."""
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the spill, closed by close()
        self._end = 0
        self._open: dict[Any, list[Any]] = {}
        self._places: dict[Any, array[int]] = {}

    def add(self, name: Any, entry: Any) -> None:  # noqa: ANN401 - whatever marshal takes
        """Append an entry to the list of that name."""
        entries = self._open.get(name)
        if entries is None:
            entries = self._open[name] = []
        entries.append(entry)
        if len(entries) >= _CHUNK_ENTRIES:
            self._write(name, entries)

    def _write(self, name: Any, entries: list[Any]) -> None:  # noqa: ANN401 - as in add
        written = marshal.dumps(entries)
        self._places.setdefault(name, array("q")).extend((self._end, len(written)))
        self._file.seek(self._end)
        self._file.write(written)
        self._end += len(written)
        entries.clear()

    def chunks(self, name: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - as in add
        """Give the list of that name, in its order, some entries at a time."""
        places = self._places.get(name, array("q"))
        for place, length in zip(places[::2], places[1::2], strict=True):
            self._file.seek(place)
            yield marshal.loads(self._file.read(length))  # noqa: S302 - our own file, which nobody else can name
        if self._open.get(name):
            yield list(self._open[name])

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


class Staging:
    """Everything that the files of one import state."""

    def __init__(self, folder: Path) -> None:
        """Keep it below `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._facts = Spill(folder)
        self._definitions = Spill(folder)
        self._references = Spill(folder)
        self._seen: dict[str, int] = {}
        self._asked: set[tuple[str, ...]] = set()
        self.failed = bytearray()
        self.counts = [0] * len(Kind)

    def next_row(self) -> int:
        """Give the number of a new row, which is good until something is found."""
        self.failed.append(GOOD)
        return len(self.failed) - 1

    def fail(self, row: int, kind: int) -> None:
        """Use none of the row's facts from this kind on."""
        self.failed[row] = min(self.failed[row], kind)

    def add(self, row: int, line: int, facts: tuple[Fact, ...]) -> None:
        """Take what a row states; all but its last fact are implied by it, and may be repeated by other rows."""
        for fact in facts[:-1]:
            if not self._is_repeated(fact.key, hash(fact.tail)):
                self._stage(fact, row, line, implied=True)
        self._stage(facts[-1], row, line, implied=False)

    def _stage(self, fact: Fact, row: int, line: int, *, implied: bool) -> None:
        kind, key, tail, references, weak = fact
        self.counts[kind] += 1
        self._facts.add("facts", (row, kind, key, tail, weak, implied))
        bucket = kind * BUCKETS + bucket_of(kind, key)
        self._definitions.add(bucket, (key, hash(tail), row, line, implied, weak, references))
        if references and references not in self._asked:
            self._ask(references)

    def _is_repeated(self, key: str, content: int) -> bool:
        if self._seen.get(key) == content:
            return True
        if len(self._seen) >= _MEMORY_ENTRIES:
            self._seen.clear()
        self._seen[key] = content
        return False

    def _ask(self, references: tuple[str, ...]) -> None:
        if len(self._asked) >= _MEMORY_ENTRIES:
            self._asked.clear()
        self._asked.add(references)
        for reference in references:
            self._references.add((reference.partition("/")[0], hash(reference) % BUCKETS), reference)

    def definitions(self, kind: Kind, bucket: int) -> Iterator[Definition]:
        """Give who defines entities of the kind, of one bucket."""
        for chunk in self._definitions.chunks(kind * BUCKETS + bucket):
            yield from map(Definition._make, chunk)

    def references(self, kind: Kind, bucket: int) -> set[str]:
        """Give the distinct keys of this kind and bucket that something refers to."""
        return {key for chunk in self._references.chunks((kind.word, bucket)) for key in chunk}

    def good_facts(self) -> Iterator[list[Staged]]:
        """Give the facts that may be used, in the order of the files, some thousand at a time."""
        waiting: list[Staged] = []
        failed = self.failed
        for chunk in self._facts.chunks("facts"):
            waiting += [Staged._make(entry) for entry in chunk if failed[entry[0]] > entry[1]]
            if len(waiting) >= _CHUNK_FACTS:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def close(self) -> None:
        """Give the disk space back."""
        self._facts.close()
        self._definitions.close()
        self._references.close()


_MEMORY_ENTRIES = 8_000
"""How many keys are remembered to save repeated entries; forgetting one costs an entry, nothing else."""


def bucket_of(kind: int, key: str) -> int:
    """Give the bucket of an entity; a user and its assignments are in the same one."""
    if kind == _ASSIGNMENT:
        return hash(key[11 : key.rindex("/")]) % BUCKETS
    return hash(key[5:] if kind == _USER else key) % BUCKETS
