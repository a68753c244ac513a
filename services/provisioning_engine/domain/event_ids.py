"""Ids of the engine's events: made of what they are about, so that a step tried again says the same."""

from __future__ import annotations


def batch_planned(request: str, batch: int) -> str:
    """Give the id of BatchPlanned."""
    return f"{request}/{batch}/planned"


def users_excluded(request: str, number: int) -> str:
    """Give the id of UsersExcluded."""
    return f"{request}/excluded/{number}"


def batch_finished(request: str, batch: int, attempt: int) -> str:
    """Give the id of BatchFinished."""
    return f"{request}/{batch}/finished/{attempt}"


def user_ended(request: str, batch: int, position: int | str, attempt: int) -> str:
    """Give the id of a user's end, whatever it is: there is one of a user and attempt."""
    return f"{request}/{batch}/{position}/{attempt}"


def package(request: str, batch: int, plan: str) -> str:
    """Give the id of PackageGenerated or PackageGenerationFailed; `batch` is the first that needed it."""
    return f"{request}/{batch}/package/{plan}"
