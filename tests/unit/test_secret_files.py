"""The files with the secrets of a stack that others run."""

import stat
from pathlib import Path

from serving.tokens import Tokens
from standalone.secret_files import TOKEN, TOKENS, make_secret_files, password_file


def test_every_secret_is_made_once_and_is_another_one(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    roles = ("superuser", "wizard", "engine", "tracker")
    assert make_secret_files(folder) == [*(f"postgres-{role}" for role in roles), TOKENS, TOKEN]
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert len({before[f"postgres-{role}"] for role in roles}) == len(roles)
    assert make_secret_files(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == before


def test_a_secret_that_is_missing_is_made_again(tmp_path: Path) -> None:
    make_secret_files(tmp_path)
    password_file(tmp_path, "engine").unlink()
    assert make_secret_files(tmp_path) == ["postgres-engine"]


def test_the_token_is_one_that_the_services_take(tmp_path: Path) -> None:
    make_secret_files(tmp_path)
    caller = Tokens(tmp_path / TOKENS).find((tmp_path / TOKEN).read_text().strip())
    assert caller is not None
    assert caller.scopes == {"read", "operate", "publish"}


def test_only_the_folders_owner_gets_at_the_secrets_and_containers_can_read_what_they_mount(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secret_files(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes.pop(TOKEN) == 0o600
    assert set(modes.values()) == {0o444}
