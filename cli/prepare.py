"""`planshift prepare`: what has to be there before services run that `planshift up` doesn't start."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.output import note, say

app = typer.Typer(no_args_is_help=True, help="Prepare servers that run elsewhere, in containers for example.")

Folder = Annotated[Path, typer.Argument(help="The folder for the files.")]
Kafka = Annotated[str, typer.Option(envvar="PLANSHIFT_KAFKA", help="Kafka's address, host:port.")]
Postgres = Annotated[str, typer.Option(envvar="PLANSHIFT_POSTGRES", help="Postgres's address, host:port.")]
Secrets = Annotated[Path, typer.Option(envvar="PLANSHIFT_SECRETS", help="The folder that `prepare secrets` filled.")]
Prefix = Annotated[str, typer.Option(envvar="PLANSHIFT_TOPIC_PREFIX", help="Put before every topic's name.")]
Patience = Annotated[float, typer.Option(help="Seconds that each server may take to answer.", min=1, max=3600)]


@app.command()
def secrets(folder: Folder = Path("secrets")) -> None:
    """Make the passwords and the token that are missing, one file each; those that are there stay."""
    from standalone.secret_files import make_secret_files

    made = make_secret_files(folder)
    say(f"{folder}: made {', '.join(made)}" if made else f"{folder}: everything was there")


@app.command()
def servers(
    kafka: Kafka, postgres: Postgres, secrets: Secrets, topic_prefix: Prefix = "", patience: Patience = 60.0
) -> None:
    """Make topics, roles, databases and tables that are missing; waits for the servers, and can be run again."""
    from standalone.ground import Ground, prepare_ground

    ground = Ground(kafka, postgres, secrets, topic_prefix=topic_prefix, patience_s=patience)
    asyncio.run(prepare_ground(ground, note))
