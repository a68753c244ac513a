"""An event about a whole request as small plain JSON, for its state and its timeline."""

from typing import Any

from pydantic import BaseModel

from services.request_tracker.domain.texts import clipped

_LIST_LIMIT = 100


def summary_of(data: BaseModel) -> dict[str, Any]:
    """The event's data without its request, long texts and lists cut."""
    found: dict[str, Any] = data.model_dump(mode="json", exclude={"request", "selection"}, exclude_none=True)
    return {name: _bounded(value) for name, value in found.items()}


def _bounded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return clipped(value)
    if isinstance(value, list):
        return [_bounded(item) for item in value[:_LIST_LIMIT]]
    if isinstance(value, dict):
        return {clipped(name): _bounded(item) for name, item in value.items()}
    return value
