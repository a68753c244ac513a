"""What kind of body a route reads."""

from starlette.requests import Request

from serving.problems import Problem


def require_json(request: Request) -> None:
    """Refuse with 415 a body that isn't JSON where the route reads JSON; no body at all is the route's to judge."""
    body_field = getattr(request.scope.get("route"), "body_field", None)
    if body_field is None or type(body_field.field_info).__name__ != "Body" or not _has_body(request):
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        given = f"'{kind}' isn't taken here" if kind else "The request names no Content-Type"
        detail = f"{given}; send application/json."
        title = "The body's media type isn't taken here"
        raise Problem("unsupported-media-type", title, 415, detail=detail, headers={"Accept": "application/json"})


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
