"""What one cell of a file says: parsers that answer a value or say in one sentence what is wrong."""

import json
import re
import unicodedata

from contracts.identifiers import IDENTIFIER_PATTERN

_IDENTIFIER = re.compile(IDENTIFIER_PATTERN[1:-1])
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_EMAIL = re.compile(r'[^\s@"]{1,64}@[^\s@"]{1,255}')
_PAIR = re.compile(r"\s*;\s*")
_SHOWN_CHARACTERS = 60
_NAME_LIMIT = 200
_IDENTIFIER_LIMIT = 128
_SEAT_MAXIMUM = 2**31 - 1
_QUOTA_MAXIMUM = 2**53
_TRUE = {"true", "yes", "y", "1", "active", "enabled", "on"}
_FALSE = {"false", "no", "n", "0", "inactive", "disabled", "off", "suspended"}


class CellError(ValueError):
    """What is wrong with a cell, as a sentence without its column."""


def _shown(text: str) -> str:
    short = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return ascii(short) if _CONTROL.search(short) or "\ufffd" in short else repr(short)


def identifier_of(text: str) -> str:
    """Give an identifier of the contracts."""
    if _IDENTIFIER.fullmatch(text):
        return text
    if not text:
        raise CellError("is empty")
    if len(text) > _IDENTIFIER_LIMIT:
        raise CellError(f"{_shown(text)} has {len(text)} characters; at most {_IDENTIFIER_LIMIT} are allowed")
    raise CellError(
        f"{_shown(text)} is no identifier (ASCII letters, digits and . _ @ : + = -, first a letter or digit)"
    )


def name_of(text: str) -> str:
    """Give a name for people: 1 to 200 characters on one line."""
    if not text:
        raise CellError("is empty")
    if len(text) > _NAME_LIMIT:
        raise CellError(f"has {len(text):,} characters; at most {_NAME_LIMIT} are allowed")
    _check_readable(text)
    return text


def _check_readable(text: str) -> None:
    if _CONTROL.search(text):
        raise CellError(f"{_shown(text)} has a line break or another control character")
    if "\ufffd" in text or any(unicodedata.category(character) == "Cs" for character in text):
        raise CellError(f"{_shown(text)} has bytes that the file's encoding doesn't know")


def email_of(text: str) -> str:
    """Give an address, or nothing."""
    if not text:
        return ""
    _check_readable(text)
    if not _EMAIL.fullmatch(text):
        raise CellError(f"{_shown(text)} is no e-mail address")
    return text


def limit_of(text: str) -> int | None:
    """Give a number of seats; empty or `unlimited` is none."""
    if text.lower() in {"", "unlimited", "none", "no limit"}:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _SEAT_MAXIMUM:
        raise CellError(f"{_shown(text)} is no number from 0 to {_SEAT_MAXIMUM:,}")
    return int(text)


def active_of(text: str) -> bool:
    """Give whether something is active; empty is yes."""
    word = text.lower()
    if not word or word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise CellError(f"{_shown(text)} is neither yes nor no")


def connector_of(text: str) -> str:
    """Give the connector's name; empty is `internal`."""
    word = text.lower() or "internal"
    if word not in {"internal", "simulated"}:
        raise CellError(f"{_shown(text)} is no connector; there are internal and simulated")
    return word


def mapping_of(text: str) -> dict[str, str]:
    """Give `name=text; name=text`, or a JSON object of texts."""
    values = _json_object(text) if text.startswith("{") else _pairs(text)
    for name, value in values.items():
        if not _IDENTIFIER.fullmatch(name):
            raise CellError(f"{_shown(name)} is no identifier")
        if not isinstance(value, str):
            raise CellError(f"{name} is no text")
        name_of(value)
    return {name: str(value) for name, value in values.items()}


def quotas_of(text: str) -> dict[str, int]:
    """Give `name=amount; name=amount`, or a JSON object of whole numbers."""
    values = _json_object(text) if text.startswith("{") else _pairs(text)
    amounts: dict[str, int] = {}
    for name, value in values.items():
        shown = str(value)
        if not _IDENTIFIER.fullmatch(name):
            raise CellError(f"{_shown(name)} is no identifier")
        if not re.fullmatch(r"-?[0-9]{1,16}", shown) or abs(int(shown)) > _QUOTA_MAXIMUM:
            raise CellError(f"{name}: {_shown(shown)} is no whole number")
        amounts[name] = int(shown)
    return amounts


def _pairs(text: str) -> dict[str, object]:
    values: dict[str, object] = {}
    for pair in _PAIR.split(text.strip("; ")) if text else ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise CellError(f"{_shown(pair)} is not written as name=value")
        if name.strip() in values:
            raise CellError(f"{_shown(name.strip())} is there twice")
        values[name.strip()] = value.strip()
    return values


def _json_object(text: str) -> dict[str, object]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise CellError(f"{_shown(text)} is no JSON object") from None
    if not isinstance(values, dict):
        raise CellError(f"{_shown(text)} is no JSON object")
    return values


def slug_of(text: str) -> str:
    """Give a name as an identifier: itself if it is one, else `hosted-exchange` for `Hosted Exchange`."""
    if _IDENTIFIER.fullmatch(text):
        return text
    name_of(text)
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")[:_IDENTIFIER_LIMIT]
    if not slug:
        raise CellError(f"{_shown(text)} can't be made an identifier")
    return slug
