"""The OpenAPI document: every route's errors are problem documents, in place of FastAPI's own error shape."""

from typing import Any

from serving.problems import MEDIA_TYPE

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457: what is wrong, every part of it at once.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:planshift:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "leads to the service's log lines of this request"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body, or ?name of a parameter"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
_ANSWER = {
    "description": "What went wrong",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")


def document(generated: dict[str, Any]) -> dict[str, Any]:
    """Give FastAPI's document with problem documents as the errors of every operation."""
    schemas = generated.setdefault("components", {}).setdefault("schemas", {})
    for name in _FASTAPI_SCHEMAS:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    for operations in generated.get("paths", {}).values():
        for operation in operations.values():
            responses = operation.setdefault("responses", {})
            responses.pop("422", None)
            responses.setdefault("4XX", _ANSWER)
            responses.setdefault("5XX", _ANSWER)
    return generated
