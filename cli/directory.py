"""`planshift directory`: make one up, import files, export the merged state, look at a customer."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import AsJson, note, print_facts, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Make up, import, export and show the directory of customers and users.")

_SHOWN_USERS = 20


@app.command()
def generate(
    *,
    users: Annotated[int, typer.Option(help="How many users.", min=1, max=100_000_000)],
    seed: Annotated[int, typer.Option(help="The same seed makes the same directory.")] = 1,
    out: Annotated[
        Path, typer.Option(help="Where to: NAME.csv is one flat file, NAME.jsonl JSON lines, else a folder.")
    ] = Path("directory"),
    json_output: AsJson = False,
) -> None:
    """Make up a realistic directory: resellers, customers of very different sizes, services, packages, users."""
    from cli.progress import counting
    from directoryfiles.generate import write_directory

    with counting("Making up users") as advance:
        made = write_directory(out, users=users, seed=seed, form=None, progress=lambda done: advance(done, users))
    if json_output:
        print_json({**made._asdict(), "files": [str(path) for path in made.files]})
    else:
        counts = {name.capitalize(): number for name, number in made._asdict().items() if name != "files"}
        print_facts("", {**counts, "Files": ", ".join(map(str, made.files))})


@app.command("import")
def import_command(
    *,
    files: Annotated[list[Path], typer.Argument(help="CSV or JSON lines files, or folders of them.", exists=True)],
    strict: Annotated[bool, typer.Option("--strict", help="Publish nothing if any row is bad.")] = False,
    source: Annotated[str, typer.Option(help="Who decided what the files say.")] = "files",
    remove_missing: Annotated[
        bool, typer.Option("--remove-missing", help="What the files lack is gone; never while a row is bad.")
    ] = False,
    check_only: Annotated[bool, typer.Option("--check", help="Only read and check the files.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until wizard and engine know everything.")] = True,
    json_output: AsJson = False,
) -> None:
    """Publish what the files say and what is new in it; importing the same file again changes nothing."""
    from cli.importing import Wanted, check, import_and_wait

    wanted = Wanted(files, source=source, strict=strict, remove_missing=remove_missing, wait=wait)
    done = check(files) if check_only else import_and_wait(wanted)
    if json_output:
        print_json(done.document())
    else:
        print_facts("", done.facts())
    raise typer.Exit(done.exit_code)


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
