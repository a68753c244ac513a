"""What the topic says is understood alike, whoever wrote it and in whatever form."""

import json

import pytest

from contracts import directory
from contracts.codec import encode, headers_for
from contracts.envelope import wrap
from contracts.samples import sample_envelopes
from directoryfiles.facts import Frame, digest_of, fact_of, removal_tail, type_of
from directoryfiles.statements import statement_of
from tests.unit.directoryfiles.test_facts import NOW

USER = directory.UserRegistered(revision=5, customer="acme", user="u1", name='Ann "É" Ünal', email="a@acme.example")
KEY = b"user/acme/u1"


def _ours() -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    fact = fact_of(USER)
    frame = Frame("/planshift/directory-import/nightly", "2026-03-02T08:00:00Z")
    body = frame.document(type_of(fact), "5/user/acme/u1", fact.key, 5, fact.tail).encode()
    return body, (("content-type", b"x"), ("type", USER.TYPE.encode()), ("id", b"5/user/acme/u1"))


def test_our_own_record_and_another_system_s_say_the_same() -> None:
    body, headers = _ours()
    foreign = json.loads(encode(wrap(USER, event_id="x", source="/crm", time=NOW)))
    foreign["data"] = dict(reversed(foreign["data"].items()))
    spaced = json.dumps(foreign, indent=1).encode()
    ours = statement_of(KEY, body, headers)
    assert ours is not None
    assert ours == statement_of(KEY, spaced, ())
    assert ours.digest == digest_of(USER.TYPE, fact_of(USER).tail)
    assert (ours.key, ours.revision, ours.present) == ("user/acme/u1", 5, True)


def test_binary_mode_says_the_same() -> None:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"x"),
        ("ce_source", b"/crm"),
        ("ce_type", USER.TYPE.encode()),
        ("ce_time", b"2026-03-02T08:00:00Z"),
    )
    body, ours = _ours()
    assert statement_of(KEY, USER.model_dump_json().encode(), headers) == statement_of(KEY, body, ours)


def test_a_removal_is_the_absence_of_its_entity() -> None:
    envelope = sample_envelopes()[directory.UserRemoved.TYPE]
    key = envelope.data.key()
    said = statement_of(key.encode(), encode(envelope), tuple(headers_for(envelope)))
    assert said is not None
    assert not said.present
    assert said.digest == digest_of(envelope.type, removal_tail(envelope.type, key))


@pytest.mark.parametrize("value", [None, b"", b"hello", b"\xff", b'{"specversion":"1.0","type":"x"}'])
def test_what_cannot_be_read_says_nothing(value: bytes | None) -> None:
    assert statement_of(KEY, value, ()) is None
    assert statement_of(KEY, value, (("content-type", b""), ("type", USER.TYPE.encode()), ("id", b""))) is None


def test_a_record_that_only_looks_like_ours_is_read_as_anybody_s() -> None:
    body, headers = _ours()
    assert (
        statement_of(KEY, body.replace(b'"name":', b'"label":').replace(b"directory-import", b"crm"), headers) is None
    )
