"""`planshift config`: the settings of the services, printed and checked."""

import json
import os
import subprocess
import sys
from typing import Any

import typer

from cli.complaints import DONE, WRONG_CALL
from cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="See and check settings.")

_MODULES = {
    "wizard": "services.wizard.main",
    "engine": "services.provisioning_engine.main",
    "tracker": "services.request_tracker.main",
}


@app.callback()
def config() -> None:
    """Keep `config check` a command of a group."""


@app.command()
def check(json_output: AsJson = False) -> None:
    """Print every service's settings as the environment gives them, secrets masked, and name every problem."""
    answers = {service: _checked(service, module) for service, module in _MODULES.items()}
    if json_output:
        print_json(answers)
    else:
        for service, answer in answers.items():
            print_table(service.capitalize(), ("Setting", "Value"), answer["settings"].items())
            for problem in answer["problems"]:
                typer.echo(f"{service}: {problem}", err=True)
    raise typer.Exit(WRONG_CALL if any(answer["problems"] for answer in answers.values()) else DONE)


def _checked(service: str, module: str) -> dict[str, Any]:
    """Ask the service itself, in a process of its own: only it knows its settings."""
    asked = subprocess.run(
        [sys.executable, "-m", module, "check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**_of_the_local_stack(service), **os.environ},
    )
    try:
        answer: dict[str, Any] = json.loads(asked.stdout)
    except ValueError:
        last = (asked.stderr.strip().splitlines() or ["no answer"])[-1]
        return {"settings": {}, "problems": [f"the service can't tell: {last}"]}
    return answer


def _of_the_local_stack(service: str) -> dict[str, str]:
    """Give what `planshift up` would tell the service, where a stack runs and the environment says nothing else."""
    from cli.places import running_stack

    state = running_stack()
    if state is None or state.kafka is None:
        return {}
    return {
        "PLANSHIFT_KAFKA": state.kafka,
        "PLANSHIFT_TOPIC_PREFIX": state.topic_prefix,
        "PLANSHIFT_DATABASE_URL": state.databases.get(service, ""),
        "PLANSHIFT_DATABASE_PASSWORD_FILE": str(state.folder / "secrets" / f"postgres-{service}"),
        "PLANSHIFT_TOKENS_FILE": str(state.folder / "tokens.json"),
    }
