"""`planshift tracker`: making the tracker's view anew from the topics."""

import time
from typing import TYPE_CHECKING, Any

import typer

from cli.complaints import ENDED_WITH_FAILURES, Complaint
from cli.output import AsJson, print_json, say

if TYPE_CHECKING:
    from cli.progress import Advance
    from serving.client import Client

app = typer.Typer(no_args_is_help=True, help="Look after the request tracker.")

_POLL_S = 0.5


@app.callback()
def tracker() -> None:
    """Keep `tracker rebuild` a command of a group."""


@app.command()
def rebuild(json_output: AsJson = False) -> None:
    """Fold all topics from the beginning into an empty schema, while the old view still answers; then change over."""
    from cli.places import client
    from cli.progress import counting

    with client("tracker") as service, counting("Rebuilding") as advance:
        service.post("/v1/rebuild")
        last = _until_done(service, advance)
    if json_output:
        print_json(last)
    else:
        say(f"Rebuilt from {last.get('records', 0):,} records.")


def _until_done(service: "Client", advance: "Advance") -> dict[str, Any]:
    while True:
        answer: dict[str, Any] = service.get("/v1/rebuild")
        advance(int(answer.get("records", 0)), int(answer.get("of", 0)))
        if answer["state"] == "failed":
            raise Complaint(f"The rebuild failed: {answer.get('detail')}", exit_code=ENDED_WITH_FAILURES)
        if answer["state"] == "done":
            return answer
        time.sleep(_POLL_S)
