"""Whatever a schema allows is read, and what was read is written and read again as the same."""

import json
import string
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.codec import EVENT_BY_TYPE, TOPIC_BY_TYPE, adapter_for, decode, encode, headers_for
from contracts.identifiers import IDENTIFIER_PATTERN
from contracts.json_schema import resolved, schema_of

IDENTIFIERS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8).map(lambda text: text + "._@:+=-")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=12)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive by contract


def allowed(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Give values that the schema allows."""
    schema = resolved(schema, root)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([allowed(branch, root) for branch in schema["anyOf"]])
    return BY_TYPE[schema["type"]](schema, root)


def _lists(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    low = schema.get("minItems", 0)
    return st.lists(allowed(schema["items"], root), min_size=low, max_size=low + 2)


def _texts(schema: dict[str, Any], _: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return MOMENTS.map(datetime.isoformat)
    if schema.get("pattern") == IDENTIFIER_PATTERN:
        return IDENTIFIERS
    return st.from_regex(r"\A[0-9]{1,20}\Z") if schema.get("pattern") == "^[0-9]{1,20}$" else TEXT


def _objects(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" in schema:
        fields = {name: allowed(field, root) for name, field in schema["properties"].items()}
        required = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: field for name, field in fields.items() if name in required},
            optional={name: field for name, field in fields.items() if name not in required},
        )
    values = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties") or {})
    keys = allowed(schema["propertyNames"], root) if "propertyNames" in schema else IDENTIFIERS
    return st.dictionaries(keys, allowed(values, root), max_size=2)


BY_TYPE: dict[str, Callable[[dict[str, Any], dict[str, Any]], st.SearchStrategy[Any]]] = {
    "object": _objects,
    "array": _lists,
    "string": _texts,
    "integer": lambda schema, _: st.integers(schema.get("minimum", -1000), schema.get("maximum", 2**53)),
    "number": lambda schema, _: st.floats(schema.get("minimum", 0), schema.get("maximum", 100)),
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}


@pytest.mark.parametrize("event_type", list(EVENT_BY_TYPE))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_what_a_schema_allows_survives_encoding_and_decoding(event_type: str, data: st.DataObject) -> None:
    schema = schema_of(event_type)
    document = data.draw(allowed(schema, schema))
    envelope = adapter_for(event_type).validate_json(json.dumps(document))
    key = envelope.data.key().encode()
    assert decode(TOPIC_BY_TYPE[event_type], key, encode(envelope), headers_for(envelope)) == envelope
    assert decode(TOPIC_BY_TYPE[event_type], key, encode(envelope), []) == envelope
