"""Opaque keyset cursors: where a page ended, tied to the listing and its filters, and the Link header (RFC 8288).

A cursor isn't a secret and grants nothing, so it isn't signed: a checksum finds what was cut or altered by accident,
the tie finds one that is used with other filters, and the shape makes a forged one harmless.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import URL

from serving.problems import FieldError, Problem

T = TypeVar("T")
_CHECK_BYTES = 6
_LONGEST = 2_000
Scalar = str | int | float | bool | None


def encode_cursor(listing: str, position: Sequence[Scalar]) -> str:
    """Give the cursor that continues after `position`, the sort key of a page's last row.

    `listing` names the list together with its filters and order, so that a cursor fits only where it came from.
    """
    body = json.dumps(list(position), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(listing, body) + body).decode().rstrip("=")


def decode_cursor(listing: str, cursor: str, shape: type[T]) -> T:
    """Give the position in this shape, such as `tuple[datetime, str]`; raises the 400 problem "bad-cursor"."""
    try:
        body = _opened(listing, cursor)
        return TypeAdapter(shape).validate_json(body)
    except (ValueError, binascii.Error, ValidationError):
        detail = "The cursor is damaged, or belongs to another list or to other filters; begin again without it."
        errors = [FieldError("?cursor", "bad-cursor", detail)]
        raise Problem("bad-cursor", "The cursor can't be used here", 400, errors=errors) from None


def _opened(listing: str, cursor: str) -> bytes:
    if len(cursor) > _LONGEST:
        raise ValueError("too long")
    padded = cursor + "=" * (-len(cursor) % 4)
    raw = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
    check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if check != _check(listing, body):
        raise ValueError("checksum")
    return body


def _check(listing: str, body: bytes) -> bytes:
    return hashlib.blake2b(listing.encode() + b"\0" + body, digest_size=_CHECK_BYTES).digest()


def link_header(url: URL, *, next_cursor: str | None, parameter: str = "cursor") -> str | None:
    """Give the Link header's value that leads to the next page (relative to the host), or None on the last."""
    if next_cursor is None:
        return None
    following = url.include_query_params(**{parameter: next_cursor})
    target = following.path + (f"?{following.query}" if following.query else "")
    return f'<{target}>; rel="next"'
