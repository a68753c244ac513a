"""`planshift directory`: make one up, import files, export the merged state, look at a customer."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import AsJson, note, print_facts, print_json, print_table

if TYPE_CHECKING:
    from cli.places import Places

app = typer.Typer(no_args_is_help=True, help="Make up, import, export and show the directory of customers and users.")

_SHOWN_USERS = 20


@app.command()
def export(
    out: Annotated[Path | None, typer.Option(help="The file to write; else stdout.")] = None,
) -> None:
    """Write the merged state, sources and migrations together, as JSON lines that `directory import` reads."""
    from cli.places import client

    path = "/v1/directory/export"
    with client("wizard") as wizard:
        if out is not None:
            size = wizard.download(path, out)
            note(f"{out}: {size:,} bytes")
            return
        for chunk in wizard.chunks(path):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


@app.command()
def show(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    limit: Annotated[int, typer.Option(help="At most so many users.", min=0, max=10_000)] = _SHOWN_USERS,
    json_output: AsJson = False,
) -> None:
    """Show a customer with its packages and the first of its users."""
    from cli.pages import items
    from cli.places import client

    with client("wizard") as wizard:
        found = wizard.get(f"/v1/customers/{customer}")
        users = items(wizard, f"/v1/customers/{customer}/users", limit) if limit else []
    if json_output:
        print_json({**found, "users": users})
    else:
        _print_customer(found, users)


def _print_customer(customer: dict[str, Any], users: list[dict[str, Any]]) -> None:
    facts = {"Name": customer.get("name"), "Reseller": customer.get("reseller"), "Active": customer.get("active")}
    print_facts(customer["customer"], facts)
    packages = [(p["service"], p["plan"], p.get("used"), p.get("seat_limit")) for p in customer["packages"]]
    print_table("Packages", ("Service", "Plan", "Used", "Limit"), packages, right=("Used", "Limit"))
    print_table("Users", ("User", "Name", "Plans"), [(u["user"], u["name"], _plans(u["plans"])) for u in users])


def _plans(plans: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(plans, dict):
        return ", ".join(f"{service}: {plan}" for service, plan in plans.items())
    return ", ".join(f"{plan['service']}: {plan['plan']}" for plan in plans)


def import_files(places: "Places", files: list[Path]) -> None:
    """x."""
