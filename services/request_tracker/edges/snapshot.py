"""One consistent state of the projection, which an answer is made of."""

from typing import Any, NamedTuple

from eventlog.database import Connection
from services.request_tracker.edges.behind import AsOf
from serving.problems import Problem


class Snapshot(NamedTuple):
    """A repeatable-read transaction, the positions in it, and the generation of the projection."""

    conn: Connection
    as_of: AsOf
    generation: int

    @property
    def id(self) -> str:
        """The position as an id: the same id, the same state."""
        return f"{self.generation}-{self.as_of.mark}"

    def page(self, items: list[dict[str, Any]], following: str | None) -> dict[str, Any]:
        """A page of a list as a document."""
        return {"items": items, "next": following, "as_of": self.as_of.document()}


def unknown_request(request: str, as_of: AsOf) -> Problem:
    """The answer for a request of which nothing has been read; `behind` says whether it may be on its way."""
    return Problem(
        "unknown-request",
        "The request isn't known",
        404,
        detail=f"Nothing has been read of the request '{request}' yet.",
        extra={"as_of": as_of.document()},
    )
