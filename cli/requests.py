"""`planshift requests` and `planshift results`: what the tracker knows of migration requests and their users."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.complaints import WRONG_CALL, Complaint
from cli.output import AsJson, coloured, moment, print_facts, print_json, print_json_line, print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(no_args_is_help=True, help="See migration requests.")

Request = Annotated[str, typer.Argument(help="The request's id.", metavar="REQUEST")]

_COUNTS = ("planned", "migrated", "failed", "skipped", "cancelled", "pending")


@app.command("list")
def list_requests(
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only with this status; may be given several times.")] = None,
    service: Annotated[str | None, typer.Option(help="Only of this service.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only with this source or destination plan.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only those that concern this customer.")] = None,
    text: Annotated[str | None, typer.Option(help="Only with these words in name, description or id.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    json_output: AsJson = False,
) -> None:
    """List requests, the newest first."""
    from cli.pages import items
    from cli.places import client

    with client("tracker") as tracker:
        found = items(
            tracker, "/v1/requests", limit, status=status, service=service, plan=plan, customer=customer, text=text
        )
    if json_output:
        print_json(found)
        return
    rows = [_row(request) for request in found]
    print_table("", ("Request", "Name", "Status", "Requested", *_titles()), rows, right=_titles())


@app.command()
def show(request: Request, json_output: AsJson = False) -> None:
    """Show one request with its counts, customers and reasons."""
    from cli.places import client

    with client("tracker") as tracker:
        found = tracker.get(f"/v1/requests/{request}")
    if json_output:
        print_json(found)
    else:
        print_request(found)


@app.command()
def watch(request: Request, json_output: AsJson = False) -> None:
    """Watch a request until it ends; exit code 1 if not every user migrated."""
    from cli.following import exit_code, snapshots
    from cli.following import watch as watch_progress
    from cli.places import client

    last: dict[str, Any] = {}
    with client("tracker") as tracker:
        if json_output:
            for last in snapshots(tracker, request):
                print_json_line(last)
                sys.stdout.flush()
        else:
            last = watch_progress(tracker, request)
            print_request(last)
    raise typer.Exit(exit_code(last))


def results(
    request: Request,
    *,
    outcome: Annotated[
        str | None,
        typer.Option(help="Only users with this outcome: migrated, failed, skipped, cancelled, pending, excluded."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV (the default).")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Write JSON lines.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="The same as --jsonl.")] = False,
    out: Annotated[Path | None, typer.Option(help="The file to write; else stdout.")] = None,
) -> None:
    """Write every user's outcome; constant memory for any number of users."""
    from cli.places import client

    as_lines = jsonl or json_output
    if csv and as_lines:
        raise Complaint("--csv and --jsonl exclude each other.", exit_code=WRONG_CALL)
    parameters = {"outcome": outcome, "format": "jsonl" if as_lines else "csv"}
    path = f"/v1/requests/{request}/results"
    with client("tracker") as tracker:
        if out is not None:
            size = tracker.download(path, out, **parameters)
            say(f"{out}: {size:,} bytes")
        else:
            _write(tracker.chunks(path, **parameters))


def _write(chunks: "Iterator[bytes]") -> None:
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.flush()


def print_request(request: dict[str, Any]) -> None:
    """Print what a person wants to know of one request."""
    counts = request["counts"]
    print_facts(
        f"{request['request']}  {request.get('name') or ''}",
        {
            "Status": coloured(request["status"], request.get("roll_up")),
            "Service": request.get("service"),
            "Plans": ", ".join(f"{m['from_plan']} → {m['to_plan']}" for m in request.get("mappings") or ()),
            "Requested": moment(request.get("requested_at")),
            "Ended": moment(request.get("finished_at")) if request.get("finished_at") else None,
        },
    )
    print_table("", (*_titles(), "Excluded"), [[*(counts[name] for name in _COUNTS), counts.get("excluded", 0)]])


def _row(request: dict[str, Any]) -> list[object]:
    counts = request["counts"]
    return [
        request["request"],
        request.get("name"),
        coloured(request["status"], request.get("roll_up")),
        moment(request.get("requested_at")),
        *(counts[name] for name in _COUNTS),
    ]


def _titles() -> tuple[str, ...]:
    return tuple(name.capitalize() for name in _COUNTS)
