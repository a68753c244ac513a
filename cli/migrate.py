"""`planshift migrate`: ask for a migration with one call, with the wizard's checks."""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.complaints import Complaint
from cli.output import AsJson, note, print_json, say


def migrate(
    *,
    service: Annotated[str, typer.Option(help="The service whose users change their plan.")],
    maps: Annotated[
        list[str], typer.Option("--map", metavar="SOURCE=DESTINATION", help="From which plan to which; several times.")
    ],
    customer: Annotated[list[str] | None, typer.Option(help="Only this customer; several times.")] = None,
    user: Annotated[list[str] | None, typer.Option(help="Only this user, CUSTOMER/USER; several times.")] = None,
    users_file: Annotated[
        Path | None, typer.Option(help="Only these users: CSV with the columns customer and user.")
    ] = None,
    exclude_customer: Annotated[list[str] | None, typer.Option(help="Without this customer.")] = None,
    exclude_user: Annotated[list[str] | None, typer.Option(help="Without this user, CUSTOMER/USER.")] = None,
    generate_missing: Annotated[
        bool, typer.Option("--generate-missing", help="Generate destination packages that customers lack.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="A name to find the request by.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan it, show what would happen, change nothing.")
    ] = False,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Start then, as 2030-01-31T22:00+01:00.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="An id of your own: asking again with the same one finds the first request.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until it has ended; exit code 1 if not all migrated.")
    ] = False,
    json_output: AsJson = False,
) -> None:
    """Ask for a migration of users from plans to other plans."""
    from cli.selection import Choices, body_of, time_of

    choices = Choices(
        service=service,
        maps=maps,
        customers=customer or (),
        users=user or (),
        users_file=users_file,
        excluded_customers=exclude_customer or (),
        excluded_users=exclude_user or (),
    )
    body = {
        **body_of(choices),
        "name": name or f"{service}: {', '.join(maps)}",
        "description": description,
        "mode": "preview" if dry_run else "execute",
        "generate_missing_packages": generate_missing,
        "reference": reference or f"cli-{secrets.token_hex(8)}",
        "start_at": time_of(at, datetime.now().astimezone()) if at else None,
    }
    accepted = send(body)
    _answer(accepted, wait=wait or dry_run, as_json=json_output)


def send(body: dict[str, Any]) -> dict[str, Any]:
    """Send a request to the wizard; after an unknown answer, find out by the reference whether it took it."""
    from cli.places import client
    from serving.client import Unreachable

    reference = str(body["reference"])
    with client("wizard") as wizard:
        try:
            answer: dict[str, Any] = wizard.post("/v1/migrations", body, idempotency_key=reference)
        except Unreachable:
            answer = _found_again(reference)
    return answer


def _found_again(reference: str) -> dict[str, Any]:
    from cli.places import client

    with client("wizard") as wizard:
        found: list[dict[str, Any]] = wizard.get("/v1/migrations", reference=reference)["items"]
    if not found:
        raise Complaint(
            "The wizard did not take the request; ask again.", f"Its reference was {reference}.", exit_code=3
        )
    return found[0]


def _answer(accepted: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    request = str(accepted["request"])
    if not wait:
        if as_json:
            print_json(accepted)
        else:
            say(f"Accepted as [bold]{request}[/bold]. Follow it: planshift requests watch {request}")
        return
    from cli.following import exit_code, watch
    from cli.places import client
    from cli.requests import print_request

    note(f"Accepted as {request}.")
    with client("tracker") as tracker:
        last = watch(tracker, request)
    if as_json:
        print_json(last)
    else:
        print_request(last)
    raise typer.Exit(exit_code(last))
