"""The quick templates write what the contracts' codec writes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import directory
from contracts.codec import decode, encode
from contracts.envelope import wrap
from contracts.topics import DIRECTORY
from directoryfiles.facts import Fact, Frame, digest_of, fact_of, removal_tail, type_of
from directoryfiles.kinds import REMOVING

SOURCE = "/planshift/directory-import/test"
NOW = datetime(2026, 3, 2, 8, 0, 0, 123456, tzinfo=UTC)
IDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._@:+=-]{0,20}\Z")
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=40)
LIMITS = st.none() | st.integers(0, 2**31 - 1)
REVISIONS = st.integers(0, 2**63 - 1)
MAPS = st.dictionaries(IDS, NAMES, max_size=3).map(lambda values: dict(sorted(values.items())))
QUOTAS = st.dictionaries(IDS, st.integers(-(2**40), 2**40), max_size=3).map(lambda values: dict(sorted(values.items())))

STATING = st.one_of(
    st.builds(
        directory.ResellerRegistered,
        revision=REVISIONS,
        reseller=IDS,
        name=NAMES,
        parent=st.none() | IDS,
        active=st.booleans(),
    ),
    st.builds(
        directory.CustomerRegistered, revision=REVISIONS, customer=IDS, reseller=IDS, name=NAMES, active=st.booleans()
    ),
    st.builds(
        directory.ServiceDefined,
        revision=REVISIONS,
        service=IDS,
        name=NAMES,
        connector=st.builds(directory.ConnectorChoice, name=st.sampled_from(["internal", "simulated"]), options=MAPS),
    ),
    st.builds(
        directory.UserPlanDefined,
        revision=REVISIONS,
        service=IDS,
        plan=IDS,
        name=NAMES,
        features=MAPS,
        quotas=QUOTAS,
        default_seat_limit=LIMITS,
        active=st.booleans(),
    ),
    st.builds(directory.PackageProvisioned, revision=REVISIONS, customer=IDS, service=IDS, plan=IDS, seat_limit=LIMITS),
    st.builds(
        directory.UserRegistered, revision=REVISIONS, customer=IDS, user=IDS, name=NAMES, email=st.none() | NAMES
    ),
    st.builds(directory.UserPlanAssigned, revision=REVISIONS, customer=IDS, user=IDS, service=IDS, plan=IDS),
)


def _document(fact: Fact, revision: int) -> bytes:
    frame = Frame(SOURCE, "2026-03-02T08:00:00.123456Z")
    return frame.document(type_of(fact), f"{revision}/{fact.key}", fact.key, revision, fact.tail).encode()


def _by_the_codec(data: Any) -> bytes:  # noqa: ANN401 - any of the contracts' models
    return encode(wrap(data, event_id=f"{data.revision}/{data.key()}", source=SOURCE, time=NOW))


@given(STATING)
def test_a_fact_is_written_as_the_codec_writes_its_event(data: Any) -> None:  # noqa: ANN401 - any of the contracts' models
    fact = fact_of(data)
    assert fact.key == data.key()
    assert _document(fact, data.revision) == _by_the_codec(data)


@given(STATING)
def test_what_is_written_can_be_read(data: Any) -> None:  # noqa: ANN401 - any of the contracts' models
    fact = fact_of(data)
    body = _document(fact, data.revision)
    assert decode(DIRECTORY.name, fact.key.encode(), body, []).data == data


REMOVALS = [
    directory.CustomerRemoved(revision=7, customer="acme"),
    directory.PackageRemoved(revision=7, customer="acme", service="exchange", plan="gold"),
    directory.UserRemoved(revision=7, customer="acme", user="u1"),
    directory.UserPlanUnassigned(revision=7, customer="acme", user="u1", service="exchange"),
]


@pytest.mark.parametrize("data", REMOVALS, ids=lambda data: type(data).__name__)
def test_a_removal_is_written_as_the_codec_writes_it(data: Any) -> None:  # noqa: ANN401 - any of the contracts' models
    frame = Frame(SOURCE, "2026-03-02T08:00:00.123456Z")
    tail = removal_tail(data.TYPE, data.key())
    assert frame.document(data.TYPE, f"7/{data.key()}", data.key(), 7, tail).encode() == _by_the_codec(data)


def test_every_removal_of_the_contracts_is_known() -> None:
    assert {type(data) for data in REMOVALS} == set(REMOVING.values())


@given(STATING, STATING)
def test_digests_differ_where_contents_differ_and_revisions_do_not_matter(one: Any, other: Any) -> None:  # noqa: ANN401 - any models
    first, second = fact_of(one), fact_of(other)
    later = one.model_copy(update={"revision": 5})
    assert digest_of(one.TYPE, first.tail) == digest_of(one.TYPE, fact_of(later).tail)
    same = (one.TYPE, first.tail) == (other.TYPE, second.tail)
    assert (digest_of(one.TYPE, first.tail) == digest_of(other.TYPE, second.tail)) == same
