"""`planshift quarantine`: the records that could not be read, with the reason and the original bytes."""

from typing import Annotated, Any

import typer

from cli.output import AsJson, moment, print_facts, print_json, print_table, say

app = typer.Typer(no_args_is_help=True, help="See records that could not be read, and read them again.")

Record = Annotated[str, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `quarantine list` names it.")]
Most = Annotated[int, typer.Option("--limit", help="At most so many.", min=1, max=10_000)]


@app.command("list")
def list_records(
    reason: Annotated[str | None, typer.Option(help="Only records with this reason.")] = None,
    limit: Most = 100,
    json_output: AsJson = False,
) -> None:
    """List quarantined records, the newest first."""
    from cli.pages import items
    from cli.places import client

    with client("engine") as engine:
        records = items(engine, "/v1/quarantine", limit, reason=reason)
    if json_output:
        print_json(records)
        return
    rows = [(_name(record), record["reason"], moment(record.get("seen_at")), record["detail"]) for record in records]
    print_table("", ("Record", "Reason", "Seen", "Detail"), rows)


@app.command()
def show(record: Record, json_output: AsJson = False) -> None:
    """Show one record with its bytes."""
    from cli.places import client

    with client("engine") as engine:
        found = engine.get(f"/v1/quarantine/{record}")
    if json_output:
        print_json(found)
    else:
        print_facts(record, {key: value for key, value in found.items() if not isinstance(value, dict)})
        print_facts("Headers", dict(_headers(found)))


@app.command()
def replay(record: Record, json_output: AsJson = False) -> None:
    """Read one record again, for instance after an upgrade that can read it."""
    from cli.places import client

    with client("engine") as engine:
        answer = engine.post(f"/v1/quarantine/{record}/replay")
    if json_output:
        print_json(answer)
    else:
        say(f"{record} is read again.")


def _name(record: dict[str, Any]) -> str:
    return f"{record['topic']}/{record['partition']}/{record['offset']}"


def _headers(record: dict[str, Any]) -> list[tuple[str, str]]:
    headers = record.get("headers") or {}
    return list(headers.items()) if isinstance(headers, dict) else [(name, value) for name, value in headers]
