"""Tokens: kept as hashes, private, read again when the file changes."""

import json
import os
from pathlib import Path

import pytest

from serving.tokens import Caller, Tokens, new_token, read_tokens, write_secret, write_tokens


def test_a_new_token_is_found_with_its_name_and_scopes(tmp_path: Path) -> None:
    token, record = new_token("ann", ["read", "operate"])
    write_tokens(tmp_path / "t.json", [record])
    caller = Tokens(tmp_path / "t.json").find(token)
    assert caller
    assert caller == Caller("ann", frozenset({"read", "operate"}))


def test_the_file_holds_no_token_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    token, record = new_token("ann", ["read"])
    write_tokens(tmp_path / "t.json", [record])
    assert token not in (tmp_path / "t.json").read_text()
    assert (tmp_path / "t.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_an_open_file_becomes_private_when_it_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("old")
    (tmp_path / "t").chmod(0o644)
    write_secret(tmp_path / "t", "new")
    assert (tmp_path / "t").read_text() == "new"
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600


def test_an_unknown_token_is_not_found(tmp_path: Path) -> None:
    token, record = new_token("ann", ["read"])
    write_tokens(tmp_path / "t.json", [record])
    tokens = Tokens(tmp_path / "t.json")
    assert tokens.find(token + "x") is None
    assert tokens.find("") is None
    assert tokens.find(record.sha256) is None


def test_a_changed_file_is_taken_up_and_a_removed_token_ends(tmp_path: Path) -> None:
    (one, first), (two, second) = new_token("ann", ["read"]), new_token("bob", ["publish"])
    write_tokens(tmp_path / "t.json", [first])
    tokens = Tokens(tmp_path / "t.json")
    assert tokens.find(one)
    write_tokens(tmp_path / "t.json", [second])
    assert tokens.find(one) is None
    found = tokens.find(two)
    assert found
    assert found.name == "bob"


@pytest.mark.parametrize("broken", ["", "{", '[{"name":"x"}]', None])
def test_a_broken_or_missing_file_keeps_the_last_good_tokens(tmp_path: Path, broken: str | None) -> None:
    token, record = new_token("ann", ["read"])
    path = tmp_path / "t.json"
    write_tokens(path, [record])
    tokens = Tokens(path)
    assert tokens.find(token)
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
        os.utime(path, (1, 1))
    assert tokens.find(token)
    assert tokens.find("other") is None


def test_a_missing_file_lets_nobody_in_until_it_is_there(tmp_path: Path) -> None:
    token, record = new_token("ann", ["read"])
    tokens = Tokens(tmp_path / "t.json")
    assert tokens.find(token) is None
    write_tokens(tmp_path / "t.json", [record])
    assert tokens.find(token)


def test_reading_a_bad_file_names_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps([{"name": "", "sha256": "zz", "scopes": ["all"], "extra": 1}]))
    with pytest.raises(ValueError, match="tokens file") as refused:
        read_tokens(path)
    for part in ("0/name", "0/sha256", "0/scopes/0", "0/extra"):
        assert part in str(refused.value)
