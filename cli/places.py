"""Where the services are: what the environment names, else the stack that runs on this machine."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cli.complaints import Complaint, not_reachable

if TYPE_CHECKING:
    from serving.client import Client
    from standalone.state import StackState

SERVICES = ("wizard", "engine", "tracker")

_HOW = "Start it with `planshift up`, or name the services: PLANSHIFT_WIZARD_URL, PLANSHIFT_TRACKER_URL, …"


@dataclass(frozen=True)
class Places:
    """Base URLs of the services by name, the file with the token, and Kafka; what isn't known is none."""

    urls: dict[str, str]
    token_file: Path | None
    kafka: str | None
    topic_prefix: str = ""
    databases: dict[str, str] | None = None

    def url(self, service: str) -> str:
        """Give the base URL of a service; raises Complaint if it isn't known."""
        if service not in self.urls:
            raise not_reachable(f"No {service} is running here.", _HOW)
        return self.urls[service]

    def brokers(self) -> str:
        """Give Kafka's address; raises Complaint if it isn't known."""
        if self.kafka is None:
            raise not_reachable(
                "No Kafka is running here.", "Start it with `planshift up`, or name it: PLANSHIFT_KAFKA."
            )
        return self.kafka


@cache
def find() -> Places:
    """Look once: the environment wins over the stack of the data folder."""
    state = running_stack()
    urls = _urls_of(state) if state else {}
    for service in SERVICES:
        named = os.environ.get(f"PLANSHIFT_{service.upper()}_URL")
        if named:
            urls[service] = named.rstrip("/")
    token = os.environ.get("PLANSHIFT_TOKEN_FILE")
    return Places(
        urls=urls,
        token_file=Path(token) if token else (state.token_file if state else None),
        kafka=os.environ.get("PLANSHIFT_KAFKA") or (state.kafka if state else None),
        topic_prefix=os.environ.get("PLANSHIFT_TOPIC_PREFIX", state.topic_prefix if state else ""),
        databases=state.databases if state else None,
    )


def running_stack() -> "StackState | None":
    """Give the stack that runs on this user's data folder, else the demonstration's, if one does."""
    from standalone.state import find_running

    return find_running() or find_running(demo_folder())


def demo_folder() -> Path:
    """Give the data folder of the demonstration, beside the user's own."""
    from standalone.folder import default_folder

    own = default_folder()
    return own.with_name(f"{own.name}-demo")


def places_of(state: "StackState") -> Places:
    """Give the places of a stack."""
    return Places(
        urls=_urls_of(state),
        token_file=state.token_file,
        kafka=state.kafka,
        topic_prefix=state.topic_prefix,
        databases=state.databases,
    )


def _urls_of(state: "StackState") -> dict[str, str]:
    """Give the services by their plain names; of several engines the first speaks for all."""
    urls = {name: url.rstrip("/") for name, url in state.urls.items()}
    engines = sorted(name for name in urls if name.startswith("engine"))
    return {**urls, "engine": urls[engines[0]]} if engines else urls


def client(service: str, places: Places | None = None) -> "Client":
    """Give a client of a service; raises Complaint if the service or the token isn't known."""
    from serving.client import Client

    places = places or find()
    url = places.url(service)
    if places.token_file is None:
        raise Complaint("No token is known.", "Name the file that holds one: PLANSHIFT_TOKEN_FILE.")
    return Client(url, places.token_file)
