"""What the directory has and a complete import doesn't."""

from collections.abc import Iterator

from directoryfiles.index import Index
from directoryfiles.kinds import REMOVING, Kind
from directoryfiles.staging import BUCKETS, Spill, Staging, bucket_of

_FROM_THE_LEAVES = (Kind.ASSIGNMENT, Kind.USER, Kind.PACKAGE, Kind.CUSTOMER, Kind.PLAN, Kind.SERVICE, Kind.RESELLER)


def missing_counts(staging: Staging, index: Index) -> dict[str, int]:
    """Give how many entities of each kind that the files have are in the directory but not in the files."""
    counts = {kind.word: sum(1 for _ in _missing(staging, index, kind)) for kind in _FROM_THE_LEAVES}
    return {word: count for word, count in counts.items() if count}


def missing_keys(staging: Staging, index: Index) -> Iterator[str]:
    """Give those that can be removed, what refers to others first."""
    for kind in _FROM_THE_LEAVES:
        if kind in REMOVING:
            yield from _missing(staging, index, kind)


def _missing(staging: Staging, index: Index, kind: Kind) -> Iterator[str]:
    if not staging.counts[kind]:
        return
    spill = Spill(staging.folder)
    try:
        for key in index.present_keys(kind):
            spill.add(bucket_of(kind, key), key)
        for bucket in range(BUCKETS):
            stated = {definition.key for definition in staging.definitions(kind, bucket)}
            for chunk in spill.chunks(bucket):
                yield from (key for key in chunk if key not in stated)
    finally:
        spill.close()
