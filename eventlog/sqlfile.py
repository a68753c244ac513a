"""Queries kept in `.sql` files: named blocks, each with a comment that says what it is for.

A block starts with a line `-- name: block_name` and ends where the next one starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_NAME_LINE = re.compile(r"^-- name:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_VALID_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def load_queries(path: Path) -> Mapping[str, str]:
    """Named blocks of a `.sql` file as name to query, comments included (so that logs of the server name them).

    Raises ValueError for a bad or repeated name, an empty block, or SQL before the first name.
    """
    text = path.read_text(encoding="utf-8")
    parts = _NAME_LINE.split(text)
    if _without_comments(parts[0]):
        raise ValueError(f"{path.name}: SQL stands before the first '-- name:' line")
    queries: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if not _VALID_NAME.match(name) or name in queries:
            raise ValueError(f"{path.name}: bad or repeated block name {name!r}")
        if not _without_comments(body):
            raise ValueError(f"{path.name}: block {name!r} has no SQL")
        queries[name] = f"-- {name}\n{body.strip()}"
    return MappingProxyType(queries)


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
