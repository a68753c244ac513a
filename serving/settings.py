"""Settings from the environment: one prefix, secrets also from files, every problem named at once."""

import os
import re
import socket
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from serving.tokens import read_tokens

PREFIX = "PLANSHIFT_"
MASK = "********"
_BROKER = re.compile(r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$")
_PREFIX_OF_TOPICS = re.compile(r"^[A-Za-z0-9._-]{0,64}$")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_MAX_PORT = 65_535
MIB = 1 << 20


class BadSettings(Exception):  # noqa: N818 -- reads better where it is raised; it carries a list, not one error
    """The environment can't be used; `problems` names every reason, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _default_instance() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


class SecretFiles(PydanticBaseSettingsSource):
    """Reads each secret from the file that PLANSHIFT_<NAME>_FILE names; a trailing newline is dropped."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Give (content, field name, is complex) for one field; content None when no file is named or readable."""
        path = os.environ.get(f"{_variable(field_name)}_FILE")
        if not path or not _is_secret(field):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError):
            return None, field_name, False  # ServiceSettings.check names it

    def __call__(self) -> dict[str, Any]:
        """Give the secrets that files hold."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class ServiceSettings(BaseSettings):
    """What each service needs to know to start. Subclass it; every field is PLANSHIFT_<NAME> in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    kafka: str = Field(description="Kafka's address, host:port; several with commas between them")
    database_url: str = Field(description="postgresql://user@host:port/database, without the password")
    database_password: SecretStr | None = Field(default=None, description="the database's password")
    http_host: str = Field(default="127.0.0.1", description="the address to listen on")
    http_port: int = Field(default=0, ge=0, le=_MAX_PORT, description="the port to listen on; 0 takes a free one")
    tokens_file: Path = Field(description="JSON list of the hashed tokens that may call this service")
    topic_prefix: str = Field(default="", description="put before every topic's name")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL")
    instance: str = Field(default_factory=_default_instance, description="this process's name in logs and leases")
    body_limit: int = Field(default=MIB, ge=1, description="largest request body in bytes")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic-settings passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, then secret files; no .env file from a working folder."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @classmethod
    def load(cls) -> Self:
        """Read and check the environment; raises BadSettings with every problem."""
        loaded, problems = cls._read()
        if loaded is None or problems:
            raise BadSettings(problems)
        return loaded

    @classmethod
    def check(cls) -> list[str]:
        """Name every problem of the environment, one line each; an empty list means the service can use it."""
        return cls._read()[1]

    @classmethod
    def _read(cls) -> tuple[Self | None, list[str]]:
        problems = _secret_file_problems(cls.model_fields)
        try:
            loaded = cls()
        except ValidationError as error:
            return None, problems + [_line(detail["loc"], detail["msg"]) for detail in error.errors()]
        except SettingsError as error:
            return None, [*problems, str(error)]
        return loaded, problems + loaded.problems()

    def problems(self) -> list[str]:
        """Name what the types can't tell; a subclass adds its own to this list."""
        found = [_broker_problem(self.kafka), _database_problem(self.database_url)]
        if not _PREFIX_OF_TOPICS.match(self.topic_prefix):
            found.append(f"{_variable('topic_prefix')}: only letters, digits, dot, dash and underscore, at most 64")
        if self.log_level.upper() not in _LEVELS:
            found.append(f"{_variable('log_level')}: {self.log_level!r} is none of {', '.join(_LEVELS)}")
        found.append(_tokens_problem(self.tokens_file))
        return [problem for problem in found if problem]

    def describe(self) -> dict[str, str]:
        """Give every setting by its variable's name, secrets and a password inside a URL masked."""
        return {_variable(name): _shown(getattr(self, name)) for name in type(self).model_fields}


def _secret_file_problems(fields: dict[str, FieldInfo]) -> list[str]:
    found = []
    for name, field in fields.items():
        variable = _variable(name)
        path = os.environ.get(f"{variable}_FILE") if _is_secret(field) else None
        if path and variable in os.environ:
            found.append(f"{variable} and {variable}_FILE are both set; keep one")
        if path and (problem := _unreadable(Path(path))):
            found.append(f"{variable}_FILE: {problem}")
    return found


def _unreadable(path: Path) -> str | None:
    try:
        path.read_text(encoding="utf-8")
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    except UnicodeDecodeError:
        return f"{path} isn't UTF-8 text"
    return None


def _tokens_problem(path: Path) -> str | None:
    problem = _unreadable(path)
    try:
        if not problem:
            read_tokens(path)
    except (OSError, ValueError) as error:
        problem = str(error)
    return f"{_variable('tokens_file')}: {problem}" if problem else None


def _line(location: tuple[int | str, ...], message: str) -> str:
    name = _variable(str(location[0])) if location else PREFIX + "*"
    return f"{name}: {'is needed and not set' if message == 'Field required' else message}"


def _broker_problem(kafka: str) -> str | None:
    for address in kafka.split(","):
        match = _BROKER.match(address.strip())
        if not match or not 0 < int(match[2]) <= _MAX_PORT:
            return f"{_variable('kafka')}: {address.strip()!r} isn't host:port"
    return None


def _database_problem(url: str) -> str | None:
    name = _variable("database_url")
    try:
        parts = urlsplit(url)
        password, _port = parts.password, parts.port
    except ValueError as error:
        return f"{name}: {error}"
    if parts.scheme not in {"postgresql", "postgres"}:
        return f"{name}: doesn't begin with postgresql://"
    if password is not None or "password" in parse_qs(parts.query):
        return f"{name}: holds a password; put it into {name.removesuffix('URL')}PASSWORD or its _FILE"
    return None if parts.path.strip("/") else f"{name}: names no database"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return MASK
    if value is None:
        return ""
    return re.sub(r"(://[^:/@?]*):[^@/?]*@|(password=)[^&]*", _mask_url, str(value))


def _mask_url(match: re.Match[str]) -> str:
    return f"{match[1]}:{MASK}@" if match[1] else f"{match[2]}{MASK}"
