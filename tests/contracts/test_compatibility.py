"""A change that breaks an earlier schema is found; an additive one is not."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from contracts.codec import EVENT_BY_TYPE
from contracts.compatibility import broken_promises
from contracts.json_schema import schema_of

TYPE = "planshift.directory.user-plan-defined.v1"
Change = Callable[[dict[str, Any], dict[str, Any]], object]


def _data(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["UserPlanDefined"]
    return found


INCOMPATIBLE: dict[str, tuple[Change, str]] = {
    "a field is removed": (lambda data, _: data["properties"].pop("active"), "/data/active: removed"),
    "a field has another type": (
        lambda data, _: data["properties"]["name"].update(type="integer"),
        "/data/name: type was 'string'",
    ),
    "a field is newly required": (lambda data, _: data["required"].append("quotas"), "/data/quotas: newly required"),
    "a field may suddenly be left out": (
        lambda data, _: data["required"].remove("plan"),
        "/data/plan: no longer required",
    ),
    "a default changes": (
        lambda data, _: data["properties"]["active"].update(default=False),
        "/data/active: default was True",
    ),
    "a limit is tightened": (
        lambda data, _: data["properties"]["name"].update(maxLength=100),
        "/data/name: maxLength was 200 and is 100",
    ),
    "a limit is added": (
        lambda data, _: data["properties"]["quotas"].update(maxProperties=5),
        "/data/quotas: maxProperties was without limit",
    ),
    "a pattern changes": (
        lambda data, _: data["properties"]["plan"].update(pattern="^x$"),
        "/data/plan: pattern was",
    ),
    "an enumeration is added": (
        lambda data, _: data["properties"]["name"].update(enum=["Gold"]),
        "/data/name: any value was allowed",
    ),
    "a choice loses a branch": (
        lambda data, _: data["properties"]["default_seat_limit"]["anyOf"].pop(),
        "/data/default_seat_limit/(anyOf 1)",
    ),
    "the values of a map change": (
        lambda data, _: next(iter(_maps(data))).update(type="string"),
        "type was 'integer' and is 'string'",
    ),
    "the envelope loses a field": (lambda _, whole: whole["properties"].pop("subject"), "/subject: removed"),
}


def _maps(data: dict[str, Any]) -> list[dict[str, Any]]:
    quotas = data["properties"]["quotas"]
    return [*quotas.get("patternProperties", {}).values(), *filter(None, [quotas.get("additionalProperties")])]


@pytest.mark.parametrize("change, found", INCOMPATIBLE.values(), ids=list(INCOMPATIBLE))
def test_a_planted_incompatible_change_is_found(change: Change, found: str) -> None:
    old = schema_of(TYPE)
    new = deepcopy(old)
    change(_data(new), new)
    problems = broken_promises(old, new)
    assert any(found in problem for problem in problems), problems


COMPATIBLE: dict[str, Change] = {
    "an optional field is added": lambda data, _: data["properties"].update(colour={"type": "string", "default": ""}),
    "a limit is loosened": lambda data, _: data["properties"]["name"].update(maxLength=400),
    "a description changes": lambda data, _: data.update(description="Other words."),
    "a choice gains a branch": lambda data, _: data["properties"]["default_seat_limit"]["anyOf"].append(
        {"type": "string"}
    ),
}


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=list(COMPATIBLE))
def test_an_additive_change_is_allowed(change: Change) -> None:
    old = schema_of(TYPE)
    new = deepcopy(old)
    change(_data(new), new)
    assert broken_promises(old, new) == []


def test_an_enumeration_may_gain_a_value_and_lose_none() -> None:
    old, more = {"enum": ["a", "b"]}, {"enum": ["a", "b", "c"]}
    assert broken_promises(old, more) == []
    assert broken_promises(more, old) == ["/: values ['c'] are gone"]


@pytest.mark.parametrize("event_type", list(EVENT_BY_TYPE))
def test_every_schema_is_compatible_with_itself(event_type: str) -> None:
    assert broken_promises(schema_of(event_type), schema_of(event_type)) == []
