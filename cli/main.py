"""The planshift command: every group in one place."""

from typing import Annotated

import typer

from cli import config, demo, directory, events, migrate, prepare, quarantine, requests, status, tracker, up
from cli.complaints import Group

app = typer.Typer(
    name="planshift",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Move many users from one user plan to another, safely, and prove afterwards what happened.",
    epilog="Exit codes: 0 done, 1 ended with failures, 2 wrong call, 3 not reachable.",
)


@app.callback()
def planshift(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda asked: _print_version(asked=asked), is_eager=True)
    ] = False,
) -> None:
    """Take what stands before the command."""


def _print_version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"planshift {version('planshift')}")
        raise typer.Exit


app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("status")(status.status)
app.command("doctor")(status.doctor)
app.command("migrate")(migrate.migrate)
app.command("results")(requests.results)
app.add_typer(requests.app, name="requests")
app.add_typer(directory.app, name="directory")
app.add_typer(events.app, name="events")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(tracker.app, name="tracker")
app.add_typer(config.app, name="config")
app.add_typer(prepare.app, name="prepare")

if __name__ == "__main__":
    app()
