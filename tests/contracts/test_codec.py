"""Both content modes are read, and whatever can't be read is refused with the right reason."""

import json
from typing import Any

import pytest

from contracts.codec import (
    EVENT_BY_TYPE,
    TOPIC_BY_TYPE,
    UnknownTypeFromKnownSourceError,
    UnreadableError,
    decode,
    decode_trusted,
    encode,
    headers_for,
)
from contracts.envelope import AnyEnvelope
from contracts.reasons import UnreadableReason
from contracts.samples import sample_envelopes
from contracts.topics import RECORD_LIMIT_BYTES, REQUESTS

SAMPLES = sample_envelopes()
TYPE = "planshift.requests.migration-pause-requested.v1"
SAMPLE = SAMPLES[TYPE]
KEY = SAMPLE.data.key().encode()


def _document(**changes: object) -> dict[str, Any]:
    return {**json.loads(encode(SAMPLE)), **changes}


def _decoded(document: object, key: bytes | None = KEY, topic: str = REQUESTS.name) -> AnyEnvelope:
    return decode(topic, key, json.dumps(document).encode(), [])


def _binary(envelope: AnyEnvelope) -> tuple[list[tuple[str, bytes | None]], bytes]:
    document = json.loads(encode(envelope))
    data = document.pop("data")
    headers: list[tuple[str, bytes | None]] = [("content-type", b"application/json")]
    headers += [(f"ce_{name}", str(value).encode()) for name, value in document.items() if name != "datacontenttype"]
    return headers, json.dumps(data).encode()


@pytest.mark.parametrize("event_type", list(EVENT_BY_TYPE))
def test_structured_mode_is_read_with_and_without_our_headers(event_type: str) -> None:
    envelope = SAMPLES[event_type]
    topic, key, body = TOPIC_BY_TYPE[event_type], envelope.data.key().encode(), encode(envelope)
    assert decode(topic, key, body, headers_for(envelope)) == envelope
    assert decode(topic, key, body, []) == envelope
    assert decode_trusted(event_type, body) == envelope


@pytest.mark.parametrize("event_type", list(EVENT_BY_TYPE))
def test_binary_mode_is_read(event_type: str) -> None:
    envelope = SAMPLES[event_type]
    headers, body = _binary(envelope)
    assert decode(TOPIC_BY_TYPE[event_type], envelope.data.key().encode(), body, headers) == envelope


@pytest.mark.parametrize("event_type", list(EVENT_BY_TYPE))
def test_what_we_publish_is_one_line(event_type: str) -> None:
    assert b"\n" not in encode(SAMPLES[event_type])


def test_a_header_without_a_value_does_no_harm() -> None:
    assert decode(REQUESTS.name, KEY, encode(SAMPLE), [("content-type", None), ("type", None)]) == SAMPLE


def test_fields_that_are_not_known_are_ignored() -> None:
    document = _document(comexampleextension="x")
    document["data"]["later"] = 1
    assert _decoded(document) == SAMPLE


def test_the_sequence_header_is_decimal_without_padding() -> None:
    assert ("sequence", b"7") in headers_for(SAMPLE)


UNREADABLE: dict[str, tuple[bytes | None, bytes | None, UnreadableReason]] = {
    "a tombstone": (KEY, None, UnreadableReason.TOMBSTONE),
    "an empty value": (KEY, b"", UnreadableReason.EMPTY),
    "a value over the limit": (KEY, b"x" * (RECORD_LIMIT_BYTES + 1), UnreadableReason.TOO_LARGE),
    "bytes that are not UTF-8": (KEY, b'{"type":"\xff"}', UnreadableReason.NOT_UTF8),
    "text that is not JSON": (KEY, b"hello", UnreadableReason.NOT_JSON),
    "JSON nested without end": (KEY, b"[" * 100_000, UnreadableReason.NOT_JSON),
    "a list": (KEY, b"[]", UnreadableReason.NOT_A_CLOUD_EVENT),
    "a document without specversion": (KEY, b'{"type":"x"}', UnreadableReason.NOT_A_CLOUD_EVENT),
    "a type that nobody knows": (
        KEY,
        json.dumps(_document(type="com.example.thing", source="/crm")).encode(),
        UnreadableReason.UNKNOWN_TYPE,
    ),
    "a newer version from elsewhere": (
        KEY,
        json.dumps(_document(type=TYPE.replace(".v1", ".v2"), source="/crm")).encode(),
        UnreadableReason.NEWER_VERSION,
    ),
    "an event of another topic": (
        b"northwind",
        encode(SAMPLES["planshift.provisioning.user-migrated.v1"]),
        UnreadableReason.WRONG_TOPIC,
    ),
    "a missing field": (KEY, json.dumps(_document(data={"request": "r"})).encode(), UnreadableReason.WRONG_SHAPE),
    "another CloudEvents version": (
        KEY,
        json.dumps(_document(specversion="0.3")).encode(),
        UnreadableReason.WRONG_SHAPE,
    ),
    "another key": (b"other", encode(SAMPLE), UnreadableReason.WRONG_KEY),
    "no key": (None, encode(SAMPLE), UnreadableReason.WRONG_KEY),
    "a key that is not UTF-8": (b"\xff\xfe", encode(SAMPLE), UnreadableReason.WRONG_KEY),
}


@pytest.mark.parametrize("key, value, reason", UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_read_is_refused_with_its_reason(
    key: bytes | None, value: bytes | None, reason: UnreadableReason
) -> None:
    with pytest.raises(UnreadableError) as caught:
        decode(REQUESTS.name, key, value, [])
    assert caught.value.reason is reason


def test_every_reason_but_the_reused_id_comes_from_one_record_alone() -> None:
    # Whether an id was used before is only known to who keeps the earlier record: the engine.
    assert {case[2] for case in UNREADABLE.values()} == set(UnreadableReason) - {UnreadableReason.ID_REUSED}


def test_our_own_type_header_does_not_hide_bytes_that_are_not_json() -> None:
    with pytest.raises(UnreadableError) as caught:
        decode(REQUESTS.name, KEY, b"{", [("type", TYPE.encode())])
    assert caught.value.reason is UnreadableReason.NOT_JSON


def test_a_header_that_contradicts_the_document_is_refused() -> None:
    other = "planshift.requests.migration-resume-requested.v1"
    with pytest.raises(UnreadableError) as caught:
        decode(REQUESTS.name, KEY, encode(SAMPLE), [("type", other.encode())])
    assert caught.value.reason is UnreadableReason.WRONG_SHAPE


def test_a_binary_record_whose_attribute_is_not_utf8_is_refused() -> None:
    with pytest.raises(UnreadableError) as caught:
        decode(REQUESTS.name, KEY, b"{}", [("ce_specversion", b"1.0"), ("ce_type", b"\xff")])
    assert caught.value.reason is UnreadableReason.NOT_UTF8


def test_an_unknown_type_of_our_own_is_told_apart_so_that_it_can_be_skipped() -> None:
    with pytest.raises(UnknownTypeFromKnownSourceError):
        _decoded(_document(type="planshift.requests.migration-blessed.v1", source="/planshift/wizard"))


def test_every_problem_of_a_shape_is_named() -> None:
    with pytest.raises(UnreadableError) as caught:
        _decoded(_document(id="", data={"request": "not an identifier!", "by": ""}))
    assert all(pointer in caught.value.detail for pointer in ("/id", "/data/request", "/data/by"))
