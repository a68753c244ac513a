"""Settings: from the environment and secret files, with every problem at once."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from serving.settings import BadSettings, ServiceSettings
from serving.tokens import new_token, write_tokens


class SampleSettings(ServiceSettings):
    """Settings with a secret of its own."""

    signing_secret: SecretStr = SecretStr("")


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    _, record = new_token("ann", ["read"])
    write_tokens(tmp_path / "tokens.json", [record])
    monkeypatch.setenv("PLANSHIFT_KAFKA", "127.0.0.1:9092")
    monkeypatch.setenv("PLANSHIFT_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/wizard")
    monkeypatch.setenv("PLANSHIFT_TOKENS_FILE", str(tmp_path / "tokens.json"))
    return monkeypatch


@pytest.mark.usefixtures("env")
def test_settings_come_from_the_environment_and_bind_to_loopback_by_default() -> None:
    settings = SampleSettings.load()
    assert settings.kafka == "127.0.0.1:9092"
    assert settings.http_host == "127.0.0.1"
    assert settings.body_limit == 1 << 20
    assert settings.instance
    assert SampleSettings.check() == []


def test_every_secret_can_come_from_a_file_whose_last_line_end_is_dropped(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("pa ss\n")
    (tmp_path / "signing").write_text("sign")
    env.setenv("PLANSHIFT_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    env.setenv("PLANSHIFT_SIGNING_SECRET_FILE", str(tmp_path / "signing"))
    settings = SampleSettings.load()
    assert settings.database_password
    assert settings.database_password.get_secret_value() == "pa ss"
    assert settings.signing_secret.get_secret_value() == "sign"


def test_a_secret_given_twice_is_refused(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("one")
    env.setenv("PLANSHIFT_DATABASE_PASSWORD", "two")
    env.setenv("PLANSHIFT_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    problem = "PLANSHIFT_DATABASE_PASSWORD and PLANSHIFT_DATABASE_PASSWORD_FILE are both set; keep one"
    assert SampleSettings.check() == [problem]


def test_missing_and_mistyped_settings_are_all_named_together(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.delenv("PLANSHIFT_KAFKA")
    env.delenv("PLANSHIFT_DATABASE_URL")
    env.setenv("PLANSHIFT_HTTP_PORT", "99999")
    env.setenv("PLANSHIFT_DATABASE_PASSWORD_FILE", str(tmp_path / "nowhere"))
    problems = "\n".join(SampleSettings.check())
    assert "PLANSHIFT_KAFKA: is needed and not set" in problems
    assert "PLANSHIFT_DATABASE_URL: is needed and not set" in problems
    assert "PLANSHIFT_HTTP_PORT: Input should be less than or equal to 65535" in problems
    assert "PLANSHIFT_DATABASE_PASSWORD_FILE: " in problems
    assert "No such file" in problems


def test_impossible_values_are_all_named_together(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('[{"name": ""}]')
    env.setenv("PLANSHIFT_KAFKA", "127.0.0.1:9092,broker")
    env.setenv("PLANSHIFT_DATABASE_URL", "mysql://x/y")
    env.setenv("PLANSHIFT_TOPIC_PREFIX", "a b")
    env.setenv("PLANSHIFT_LOG_LEVEL", "LOUD")
    env.setenv("PLANSHIFT_TOKENS_FILE", str(tmp_path / "broken.json"))
    with pytest.raises(BadSettings) as refused:
        SampleSettings.load()
    names = [problem.partition(":")[0] for problem in refused.value.problems]
    expected = ["KAFKA", "DATABASE_URL", "TOPIC_PREFIX", "LOG_LEVEL", "TOKENS_FILE"]
    assert names == [f"PLANSHIFT_{name}" for name in expected]
    assert "'broker' isn't host:port" in refused.value.problems[0]


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:hunter2@127.0.0.1/wizard", "postgresql://me@/wizard?host=/run/pg&password=hunter2"],
)
def test_a_password_inside_the_url_is_refused_and_never_shown(env: pytest.MonkeyPatch, url: str) -> None:
    env.setenv("PLANSHIFT_DATABASE_URL", url)
    problems = SampleSettings.check()
    assert problems == [
        "PLANSHIFT_DATABASE_URL: holds a password; put it into PLANSHIFT_DATABASE_PASSWORD or its _FILE"
    ]
    assert "hunter2" not in SampleSettings().describe()["PLANSHIFT_DATABASE_URL"]


def test_describing_settings_masks_every_secret(env: pytest.MonkeyPatch) -> None:
    env.setenv("PLANSHIFT_DATABASE_PASSWORD", "hunter2")
    described = SampleSettings.load().describe()
    assert described["PLANSHIFT_DATABASE_PASSWORD"] == "********"
    assert described["PLANSHIFT_KAFKA"] == "127.0.0.1:9092"
    assert "hunter2" not in str(described)
    assert "hunter2" not in repr(SampleSettings.load())


def test_a_refused_value_is_not_repeated_in_the_problem(env: pytest.MonkeyPatch) -> None:
    env.setenv("PLANSHIFT_BODY_LIMIT", "hunter2")
    assert "hunter2" not in str(SampleSettings.check())


def test_a_unix_socket_is_a_database_address(env: pytest.MonkeyPatch) -> None:
    env.setenv("PLANSHIFT_DATABASE_URL", "postgresql://postgres@/wizard?host=/run/pg")
    assert SampleSettings.check() == []
