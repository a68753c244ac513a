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
_LISTED = ("Planned", "Migrated", "Not migrated", "Pending")


@app.command("list")
def list_requests(
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only with this status; may be given several times.")] = None,
    service: Annotated[str | None, typer.Option(help="Only of this service.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only with this source or destination plan.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only those that concern this customer.")] = None,
    text: Annotated[str | None, typer.Option(help="Only with these words in name, description or id.")] = None,
    previews: Annotated[bool, typer.Option("--previews", help="Dry runs instead of migrations.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    json_output: AsJson = False,
) -> None:
    """List requests, the newest first."""
    from cli.pages import items
    from cli.places import client

    with client("tracker") as tracker:
        filters = {"status": status, "service": service, "plan": plan, "customer": customer, "text": text}
        mode = "preview" if previews else "execute"
        found = items(tracker, "/v1/requests", limit, mode=mode, **filters)
    if json_output:
        print_json(found)
        return
    rows = [_row(request) for request in found]
    print_table("", ("Request", "Name", "Status", "Requested", *_LISTED), rows, right=_LISTED)


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
    waits = f" ({request['waits_for']})" if request.get("waits_for") else ""
    print_facts(
        f"{request['request']}  {request.get('name') or ''}",
        {
            "Status": coloured(request["status"], request.get("roll_up")) + waits,
            "Service": request.get("service_name") or request.get("service"),
            "Plans": ", ".join(f"{m['from_plan']} → {m['to_plan']}" for m in request["mappings"]),
            "Requested": f"{moment(request.get('requested_at'))} by {request.get('requested_by')}",
            "Ended": moment(request["finished_at"]) if request.get("finished_at") else None,
            "Rate": f"{request['rate_users_per_s']:,.0f} users/s" if request.get("rate_users_per_s") else None,
            "Packages": f"{request['packages']['generated']:,} generated" if request["packages"]["generated"] else None,
        },
    )
    print_table("", (*_titles(), "Excluded"), [[*(counts[name] for name in _COUNTS), counts["excluded"]]])
    _print_reasons(request)
    for problem in request["problems"]:
        say(f"[red]{problem['code']}[/red] {problem['pointer']}: {problem['detail']}")


def _print_reasons(request: dict[str, Any]) -> None:
    reasons = [*request["reasons"], *({"outcome": "excluded", **reason} for reason in request["excluded_reasons"])]
    if reasons:
        rows = [(r["outcome"], r["count"], r["reason"], r.get("text"), r.get("advice")) for r in reasons]
        print_table("", ("Outcome", "Users", "Reason", "Which means", "What to do"), rows, right=("Users",))


def _row(request: dict[str, Any]) -> list[object]:
    counts = request["counts"]
    return [
        request["request"],
        request.get("name"),
        coloured(request["status"], request.get("roll_up")),
        moment(request.get("requested_at")),
        counts["planned"],
        counts["migrated"],
        counts["failed"] + counts["skipped"] + counts["cancelled"],
        counts["pending"],
    ]


def _titles() -> tuple[str, ...]:
    return tuple(name.capitalize() for name in _COUNTS)
