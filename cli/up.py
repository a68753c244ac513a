"""`planshift up`: Kafka, Postgres and the services on this machine."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import note, print_facts, say

if TYPE_CHECKING:
    from standalone.state import StackState


def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew: remove what earlier runs left.")] = False,
    engines: Annotated[int, typer.Option(help="How many engine processes share the work.", min=1, max=16)] = 1,
) -> None:
    """Run Kafka, Postgres and the services here; Ctrl-C stops them, and the data is kept."""
    note("Planshift is starting …")
    from standalone.ports import Ports
    from standalone.stack import StackSettings
    from standalone.up import run_up

    settings = StackSettings(ports=Ports.from_environment(engines), fresh=fresh)
    raise typer.Exit(asyncio.run(run_up(settings, note, show_places)))


def show_places(state: "StackState") -> None:
    """Say where everything is, and what to do next."""
    print_facts("Planshift is up", facts_of(state))
    say("\nNext, in another terminal: [bold]planshift demo[/bold] is a story of its own, or")
    say("  planshift directory generate --users 10000 --out directory.csv")
    say("  planshift directory import directory.csv")
    say("  planshift status")
    say("Ctrl-C stops everything.")


def facts_of(state: "StackState") -> dict[str, object]:
    """Give what a person needs to know of a running stack."""
    logs: set[Path] = {part.log.parent for part in state.parts.values()}
    return {
        **{name.capitalize(): url for name, url in state.urls.items()},
        "Kafka": state.kafka,
        "Postgres": state.postgres,
        "Token": state.token_file,
        "Logs": next(iter(logs), None),
        "Data": state.folder,
    }
