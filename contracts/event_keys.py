"""The key of each event's record, as a pattern for people."""

import re
from typing import Any


def key_pattern(model: Any) -> str:  # noqa: ANN401 - a class of one of the contracts' models
    """Give the key with its fields in angle brackets, such as `user/<customer>/<user>`."""
    found = re.search(r"`([^`]+)`", model.key.__doc__ or "")
    if found is None:
        raise ValueError(f"{model.__name__}.key does not say its pattern in its docstring.")
    return found.group(1)
