"""Gathers a listing's pages into one list, up to a limit."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.client import Client

_PAGE = 200


def items(client: "Client", path: str, limit: int, /, **filters: object) -> list[dict[str, Any]]:
    """Give at most `limit` items of a listing, page by page."""
    found: list[dict[str, Any]] = []
    for page in client.pages(path, limit=min(limit, _PAGE), **filters):
        found += page["items"]
        if len(found) >= limit:
            break
    return found[:limit]
