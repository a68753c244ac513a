"""What a record of the topic says about an entity, for the index."""

from contracts.codec import UnknownTypeFromKnownSourceError, UnreadableError, decode
from contracts.envelope import IMPORT_SOURCE
from contracts.topics import DIRECTORY
from directoryfiles.facts import digest_of, fact_of, removal_tail
from directoryfiles.index import Statement
from directoryfiles.kinds import REMOVING_TYPES, STATING_TYPES

_OURS = f'"source":"{IMPORT_SOURCE}/'.encode()
_DATA = b',"data":{"revision":'
_HEAD_BYTES = 1000

Headers = tuple[tuple[str, bytes | None], ...]


def statement_of(key: bytes | None, value: bytes | None, headers: Headers) -> Statement | None:
    """Give what a record says; None for one that can't be read, which the services put into quarantine."""
    quick = _of_our_own(key, value, headers)
    if quick is not None:
        return quick
    try:
        envelope = decode(DIRECTORY.name, key, value, headers)
    except (UnreadableError, UnknownTypeFromKnownSourceError):
        return None
    data = envelope.data
    present = data.TYPE in STATING_TYPES
    tail = fact_of(data).tail if present else removal_tail(data.TYPE, data.key())
    return Statement(data.key(), digest_of(data.TYPE, tail), data.revision, present)


def _of_our_own(key: bytes | None, value: bytes | None, headers: Headers) -> Statement | None:
    """Take the content of what the importer itself wrote as it stands there: it is in the importer's own form."""
    if key is None or value is None or len(headers) < 2 or headers[1][0] != "type":  # noqa: PLR2004 - as we write them
        return None
    head, found, rest = value.partition(_DATA)
    event_type = (headers[1][1] or b"").decode("ascii", "replace")
    if not found or _OURS not in head or f'"type":"{event_type}"'.encode() not in head:
        return None
    revision, _, tail = rest.partition(b",")
    if not revision.isdigit() or not tail.endswith(b"}}"):
        return None
    present = event_type in STATING_TYPES
    if not present and event_type not in REMOVING_TYPES:
        return None
    return Statement(
        key.decode(errors="replace"), digest_of(event_type, tail[:-1].decode(errors="replace")), int(revision), present
    )
