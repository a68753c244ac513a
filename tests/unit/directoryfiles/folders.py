"""Small directories as files, and what reading them finds."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from directoryfiles.bad_rows import BadRow
from directoryfiles.reading import read
from directoryfiles.staging import Staged

GOOD_FILES = {
    "resellers.csv": "reseller,name,parent\nprovider,Provider,\nalpine,Alpine IT,provider\n",
    "customers.csv": "customer,reseller,name,active\nacme,alpine,Acme,yes\nzeta,alpine,Zeta GmbH,no\n",
    "services.csv": "service,name,connector,options\nexchange,Hosted Exchange,internal,\n",
    "plans.csv": "service,plan,name,features,quotas\nexchange,gold,Gold,archive=yes,mb=50\nexchange,silver,Silver,,\n",
    "packages.csv": "customer,service,plan,seat_limit\nacme,exchange,gold,10\n",
    "users.csv": "customer,user,name,email\nacme,u1,Ada Lovelace,ada@acme.example\nacme,u2,Grace Hopper,\n",
    "assignments.csv": "customer,user,service,plan\nacme,u1,exchange,gold\nacme,u2,exchange,silver\n",
}


class Found(NamedTuple):
    """What reading found."""

    rows: int
    bad: list[BadRow]
    facts: list[Staged]

    @property
    def keys(self) -> list[str]:
        """The keys of the facts that may be used."""
        return [fact.key for fact in self.facts]

    def reasons(self, file: str) -> dict[int, tuple[str, ...]]:
        """What is wrong with the file's rows, by line."""
        return {bad.line: bad.reasons for bad in self.bad if bad.file == file}


def write(folder: Path, **changes: str | None) -> Path:
    """Write the good files, with changes by stem; None leaves a file out."""
    folder.mkdir(exist_ok=True)
    for name, text in GOOD_FILES.items():
        changed = changes.get(name.partition(".")[0], text)
        if changed is not None:
            (folder / name).write_text(changed, encoding="utf-8")
    return folder


def found_in(*paths: Path, known: Iterable[str] = ()) -> Found:
    """Read the files, with a directory that has the known keys already."""
    there = set(known)
    work = paths[0].parent / "work"
    with read(paths, work, there.intersection, lambda *_: None) as reading:
        facts = [fact for some in reading.staging.good_facts() for fact in some]
        return Found(reading.rows, list(reading.bad), facts)
