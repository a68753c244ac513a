"""The JSON Schema (2020-12) of each event type: the whole envelope with its data, in structured mode."""

from typing import Any

from contracts.codec import EVENT_BY_TYPE, adapter_for

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(event_type: str) -> Schema:
    """Give the schema that a structured-mode document of this type obeys; fields that it doesn't name are allowed."""
    schema = adapter_for(event_type).json_schema(mode="validation")
    schema["properties"]["type"] = {"const": event_type, "title": "Type", "type": "string"}
    model = EVENT_BY_TYPE[event_type]
    return {
        "$schema": DIALECT,
        "$id": f"urn:planshift:event:{event_type}",
        **schema,
        "title": model.__name__,
        "description": model.__doc__,
    }


def resolved(schema: Schema, root: Schema) -> Schema:
    """Follow a reference into the document's own definitions, once or not at all."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Schema = root["$defs"][reference.rpartition("/")[2]]
    return {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
