"""From bytes to events and back: both content modes, every way of being unreadable."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from contracts.directory import DirectoryEvent
from contracts.envelope import CONTENT_TYPE, KNOWN_SOURCE_PREFIX, AnyEnvelope, Envelope
from contracts.provisioning import ProvisioningEvent
from contracts.reasons import UnreadableReason
from contracts.requests import RequestEvent
from contracts.topics import DIRECTORY, PROVISIONING, RECORD_LIMIT_BYTES, REQUESTS

Headers = Iterable[tuple[str, bytes | None]]
Named = dict[str, bytes]

EVENTS_BY_TOPIC: dict[str, tuple[type[Any], ...]] = {
    DIRECTORY.name: get_args(DirectoryEvent),
    REQUESTS.name: get_args(RequestEvent),
    PROVISIONING.name: get_args(ProvisioningEvent),
}

EVENT_BY_TYPE: dict[str, type[Any]] = {model.TYPE: model for models in EVENTS_BY_TOPIC.values() for model in models}
_TYPE_BY_HEADER: dict[bytes, str] = {event_type.encode(): event_type for event_type in EVENT_BY_TYPE}
_STRUCTURED = CONTENT_TYPE.encode()
TOPIC_BY_TYPE: dict[str, str] = {model.TYPE: topic for topic, models in EVENTS_BY_TOPIC.items() for model in models}


class UnreadableError(Exception):
    """A record that can't be read: a stable reason and a detail for people."""

    def __init__(self, reason: UnreadableReason, detail: str) -> None:
        """Keep reason and detail."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class UnknownTypeFromKnownSourceError(Exception):
    """An event of ours that this version doesn't know yet: count it and skip it."""


@cache
def adapter_for(event_type: str) -> TypeAdapter[AnyEnvelope]:
    """Give the adapter of one event type's envelope, made once."""
    model: Any = EVENT_BY_TYPE[event_type]
    return TypeAdapter(Envelope[model])


def encode(envelope: AnyEnvelope) -> bytes:
    """Give the structured-mode document, one line of JSON without absent members of the envelope."""
    return adapter_for(envelope.type).dump_json(envelope, exclude_none=True)


def headers_for(envelope: AnyEnvelope) -> list[tuple[str, bytes]]:
    """Give the record headers that go with `encode`."""
    headers = [
        ("content-type", CONTENT_TYPE.encode()),
        ("type", envelope.type.encode()),
        ("id", envelope.id.encode()),
    ]
    if envelope.sequence is not None:
        headers.append(("sequence", str(int(envelope.sequence)).encode()))
    return headers


def decode(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> AnyEnvelope:
    """Read one record of a topic (its name without prefix).

    Raises UnreadableError with the reason, or UnknownTypeFromKnownSourceError for a newer event of ours.
    """
    # A header without a value is legal on Kafka; anybody can write one.
    named = {name: content or b"" for name, content in headers}
    return _plainly_right(topic, key, value, named) or _judged(topic, key, value, named)


def _plainly_right(topic: str, key: bytes | None, value: bytes | None, headers: Named) -> AnyEnvelope | None:
    """Read what our own writers write, the fast way; none where `_judged` has to say what it is, or what is wrong."""
    event_type = _TYPE_BY_HEADER.get(headers.get("type", b""))
    if event_type is None or not value or len(value) > RECORD_LIMIT_BYTES:
        return None
    if headers.get("content-type") != _STRUCTURED:
        return None
    try:
        envelope = adapter_for(event_type).validate_json(value)
    except ValidationError:
        return None
    right = envelope.type == event_type and TOPIC_BY_TYPE[event_type] == topic
    return envelope if right and key == envelope.data.key().encode() else None


def _judged(topic: str, key: bytes | None, value: bytes | None, named: Named) -> AnyEnvelope:
    body = _checked_body(value)
    if b"cloudevents" not in named.get("content-type", b"") and "ce_specversion" in named:
        body = _structured(body, named)
    event_type = _type_of(body, named)
    _check_type(topic, event_type, body)
    envelope = _validated(event_type, body)
    _check_key(key, envelope)
    return envelope


def decode_trusted(event_type: str, value: bytes) -> AnyEnvelope:
    """Read a structured record whose type its header gives, from a topic that only we write; the fast way."""
    return adapter_for(event_type).validate_json(value)


def _checked_body(value: bytes | None) -> bytes:
    if value is None:
        raise UnreadableError(UnreadableReason.TOMBSTONE, "The record has no value; a removal is an event of its own.")
    if not value:
        raise UnreadableError(UnreadableReason.EMPTY, "The record's value is empty.")
    if len(value) > RECORD_LIMIT_BYTES:
        raise UnreadableError(
            UnreadableReason.TOO_LARGE,
            f"The value has {len(value):,} bytes; at most {RECORD_LIMIT_BYTES:,} are read.",
        )
    return value


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(UnreadableReason.NOT_UTF8, f"Byte {error.start} is not UTF-8.") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(UnreadableReason.NOT_JSON, f"Not JSON: {error}.") from None


def _structured(body: bytes, headers: dict[str, bytes]) -> bytes:
    """Turn a binary-mode record into the structured document."""
    document: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith("ce_"):
            try:
                document[name[3:]] = value.decode("utf-8")
            except UnicodeDecodeError:
                raise UnreadableError(UnreadableReason.NOT_UTF8, f"The header {name} is not UTF-8.") from None
    document["data"] = _parsed(body)
    return json.dumps(document).encode()


def _type_of(body: bytes, headers: dict[str, bytes]) -> str:
    """Give the type: our header's, else the document's."""
    hint = headers.get("type", b"").decode("ascii", "replace")
    if hint in EVENT_BY_TYPE:
        return hint
    document = _parsed(body)
    if not isinstance(document, dict) or not isinstance(document.get("type"), str) or "specversion" not in document:
        raise UnreadableError(
            UnreadableReason.NOT_A_CLOUD_EVENT,
            "Not a CloudEvents 1.0 document: specversion and type are missing.",
        )
    return str(document["type"])


def _check_type(topic: str, event_type: str, body: bytes) -> None:
    known_topic = TOPIC_BY_TYPE.get(event_type)
    if known_topic == topic:
        return
    if known_topic is not None:
        raise UnreadableError(UnreadableReason.WRONG_TOPIC, f"{event_type} belongs to {known_topic}, not to {topic}.")
    source = str(_parsed(body).get("source", ""))
    if source.startswith(KNOWN_SOURCE_PREFIX):
        raise UnknownTypeFromKnownSourceError(event_type)
    name, _, version = event_type.rpartition(".v")
    if version.isdigit() and any(known.rpartition(".v")[0] == name for known in EVENT_BY_TYPE):
        raise UnreadableError(UnreadableReason.NEWER_VERSION, f"{event_type}: this version is not known here.")
    raise UnreadableError(UnreadableReason.UNKNOWN_TYPE, f"{event_type}: no event of this type is known.")


def _validated(event_type: str, body: bytes) -> AnyEnvelope:
    try:
        envelope = adapter_for(event_type).validate_json(body)
    except ValidationError as error:
        raise _explained(body, error) from None
    if envelope.type != event_type:
        raise UnreadableError(
            UnreadableReason.WRONG_SHAPE, f"The header says {event_type}, the document {envelope.type}."
        )
    return envelope


def _explained(body: bytes, error: ValidationError) -> UnreadableError:
    """Tell bytes that aren't JSON from JSON of another shape, and name every problem of the latter."""
    try:
        _parsed(body)
    except UnreadableError as unreadable:
        return unreadable
    problems = [f"/{'/'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:100]]
    return UnreadableError(UnreadableReason.WRONG_SHAPE, "; ".join(problems))


def _check_key(key: bytes | None, envelope: AnyEnvelope) -> None:
    expected = envelope.data.key()
    if key is None or key.decode("utf-8", "replace") != expected:
        shown = "no key" if key is None else repr(key[:200].decode("utf-8", "replace"))
        raise UnreadableError(UnreadableReason.WRONG_KEY, f"The record has {shown}; its key must be {expected!r}.")
