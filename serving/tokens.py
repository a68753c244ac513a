"""Tokens as they are kept: hashes in one file, each with a name and scopes, read again when the file changes."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from serving.logs import get_logger

Scope = Literal["read", "operate", "publish"]
SCOPES: tuple[Scope, ...] = ("read", "operate", "publish")
TOKEN_PREFIX = "ps_"  # noqa: S105 -- only the mark by which logs and scanners know a token
_SECRET_BYTES = 32
_log = get_logger("serving.tokens")


class TokenRecord(BaseModel):
    """What is kept of a token. SHA-256 without salt is right here: a token is 256 random bits, not a password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=128)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: tuple[Scope, ...]


class Caller(NamedTuple):
    """Who calls: the token's name (for "who did it") and what it may do."""

    name: str
    scopes: frozenset[str]


_RECORDS = TypeAdapter(list[TokenRecord])


def new_token(name: str, scopes: Iterable[Scope]) -> tuple[str, TokenRecord]:
    """Make a token; gives (the token, to hand out once; the record, to keep)."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    return token, TokenRecord(name=name, sha256=_hash(token), scopes=tuple(scopes))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def write_tokens(path: Path, records: Sequence[TokenRecord]) -> None:
    """Write the tokens file, mode 0600; running services take it up by themselves."""
    write_secret(path, json.dumps([record.model_dump(mode="json") for record in records], indent=1) + "\n")


def read_tokens(path: Path) -> list[TokenRecord]:
    """Read the tokens file; raises ValueError naming every problem, OSError when it can't be read."""
    try:
        return _RECORDS.validate_json(path.read_bytes())
    except ValidationError as error:
        reasons = [f"{'/'.join(str(part) for part in detail['loc'])}: {detail['msg']}" for detail in error.errors()]
        message = f"{path} isn't a tokens file: {'; '.join(reasons)}"
        raise ValueError(message) from None


class Tokens:
    """The tokens file in memory, read again whenever the file on disk is another one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._records: list[TokenRecord] = []

    def find(self, token: str) -> Caller | None:
        """Give the caller with this token, or None; every record is compared, each in constant time."""
        self._refresh()
        wanted = _hash(token)
        found = [record for record in self._records if hmac.compare_digest(record.sha256, wanted)]
        return Caller(found[0].name, frozenset(found[0].scopes)) if found else None

    def _refresh(self) -> None:
        """Read the file if it isn't the one that was read last, the absence of a file being one of its states.

        A half-edited or missing file lets nobody in, and keeps in those whom the last good one names.
        """
        mark = self._mark()
        if mark == self._seen:
            return
        self._seen = mark
        try:
            self._records = read_tokens(self._path)
        except (OSError, ValueError) as error:
            _log.error("the tokens file can't be used, the last good one stays valid", reason=str(error))

    def _mark(self) -> tuple[int, int, int]:
        try:
            state = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (state.st_mtime_ns, state.st_ino, state.st_size)
