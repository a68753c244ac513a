"""Versions of what can be changed: ETag, If-Match and If-None-Match, so that nobody overwrites what they didn't see."""

import hashlib
import re
from typing import Annotated

from fastapi import Header

from serving.problems import Problem

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="the ETag of the version that this change is about")
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="the ETag of the version at hand")]


def etag_of(*parts: str | int) -> str:
    """Give the strong ETag of a version, with its quotes, from what identifies it (an id and a version number)."""
    text = "\0".join(str(part) for part in parts)
    return f'"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"'


def require_match(if_match: str | None, current: str) -> None:
    """Pass when the caller saw the current version; raises 428 without If-Match and 412 when it names another.

    Call it in the transaction that holds the row's lock, or two callers may both pass.
    """
    if if_match is None or not if_match.strip():
        detail = "Read it first, then send its ETag in If-Match."
        raise Problem("precondition-required", "If-Match is needed", 428, detail=detail)
    if not matches(if_match, current, weak=False):
        detail = "It has changed since you read it; read it again and decide anew."
        raise Problem("changed-meanwhile", "It has another version now", 412, detail=detail, headers={"ETag": current})


def matches(header: str, current: str, *, weak: bool = True) -> bool:
    """Say whether the header's list names the version; If-Match compares strongly, If-None-Match weakly (RFC 9110)."""
    if header.strip() == "*":
        return True
    tags = [(bool(found[1]), found[2]) for found in _TAG.finditer(header)]
    return any(tag == current.strip('"') and (weak or not is_weak) for is_weak, tag in tags)
