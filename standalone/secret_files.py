"""The secrets of a stack that others run (containers, say), one file each."""

import secrets
from pathlib import Path

from serving.tokens import SCOPES, new_token, write_secret, write_tokens
from standalone.service_plans import SERVICES

SUPERUSER = "superuser"
"""Stands for Postgres's superuser in the name of its password's file."""

TOKENS = "tokens.json"
TOKEN = "token"  # noqa: S105 -- a file's name

_FOLDER_MODE = 0o700
_READABLE = 0o444


def password_file(folder: Path, role: str) -> Path:
    """The file with a role's password."""
    return folder / f"postgres-{role}"


def make_secret_files(folder: Path) -> list[str]:
    """Make the secrets that are missing and answer their files' names; those that are there stay as they are.

    Only the folder's owner can enter it. Inside, what a container mounts is readable by all: a mounted file keeps its
    owner and mode, and the users of containers are not those of the machine. The token itself is for its owner.
    """
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(_FOLDER_MODE)
    made = []
    for role in (SUPERUSER, *SERVICES):
        file = password_file(folder, role)
        if not file.exists():
            write_secret(file, secrets.token_urlsafe(24))
            file.chmod(_READABLE)
            made.append(file.name)
    if not (folder / TOKEN).exists() or not (folder / TOKENS).exists():
        token, record = new_token("operator", SCOPES)
        write_tokens(folder / TOKENS, [record])
        (folder / TOKENS).chmod(_READABLE)
        write_secret(folder / TOKEN, token + "\n")
        made += [TOKENS, TOKEN]
    return made
