"""What is worth publishing: only what differs from the last word on the entity (its revision has no part in it).

So last night's unchanged file says nothing, and doesn't undo a migration; a real change is a new decision and wins.
"""

from directoryfiles.index import Known


def revision_to_publish(known: Known | None, digest: int, revision: int, *, weak: bool = False) -> int | None:
    """Give the revision with which to publish that the entity is there, or None when there is nothing to say.

    The answer is above the revision that is known, or readers would not take it.
    """
    if known is None:
        return revision
    if known.present and (weak or known.digest == digest):
        return None
    return max(revision, known.revision + 1)


def revision_to_remove(known: Known | None, revision: int) -> int | None:
    """Give the revision with which to publish that the entity is gone, or None if it is."""
    if known is None or not known.present:
        return None
    return max(revision, known.revision + 1)
