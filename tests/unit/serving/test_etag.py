"""ETags: a change names the version that it is about."""

import pytest

from serving.etag import etag_of, matches, require_match
from serving.problems import Problem

NOW, BEFORE = etag_of("draft", "d1", 7), etag_of("draft", "d1", 6)


def test_versions_have_different_tags() -> None:
    assert NOW != BEFORE
    assert NOW.startswith('"')
    assert etag_of("ab", "c") != etag_of("a", "bc")


@pytest.mark.parametrize("header", [NOW, f"{BEFORE}, {NOW}", f" {NOW} ", "*"])
def test_the_current_version_passes(header: str) -> None:
    require_match(header, NOW)


@pytest.mark.parametrize("header", [None, "", "  "])
def test_a_change_without_if_match_is_refused_with_428(header: str | None) -> None:
    with pytest.raises(Problem) as refused:
        require_match(header, NOW)
    assert refused.value.status == 428


@pytest.mark.parametrize("header", [BEFORE, f"W/{NOW}", "x", NOW.strip('"')])
def test_another_version_is_refused_with_412_and_told_the_current_one(header: str) -> None:
    with pytest.raises(Problem) as refused:
        require_match(header, NOW)
    assert refused.value.status == 412
    assert refused.value.headers["ETag"] == NOW


def test_reading_compares_weakly() -> None:
    assert matches(f"W/{NOW}", NOW)
    assert not matches(BEFORE, NOW)
