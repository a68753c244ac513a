"""Logs: JSON lines with ids, without secrets and stack traces."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from serving import context, logs

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Read]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("wizard", "host-1", "INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_names_service_instance_level_and_time(lines: Read) -> None:
    logs.get_logger("x").info("request accepted", request="r1", users=3)
    [line] = lines()
    assert line["event"] == "request accepted"
    assert (line["service"], line["instance"], line["level"], line["logger"]) == ("wizard", "host-1", "info", "x")
    assert (line["request"], line["users"]) == ("r1", 3)
    assert line["timestamp"].endswith("Z")


def test_a_line_inside_a_request_carries_its_ids(lines: Read) -> None:
    ids = context.from_headers("req-1", "corr-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    with context.bound(ids):
        logs.get_logger("x").info("inside")
    logs.get_logger("x").info("outside")
    inside, outside = lines()
    assert (inside["request_id"], inside["correlation_id"], inside["trace_id"]) == ("req-1", "corr-1", "a" * 32)
    assert "request_id" not in outside


def test_lines_of_libraries_have_the_same_shape(lines: Read) -> None:
    logging.getLogger("aiokafka.consumer").warning("partition %s moved", 3)
    [line] = lines()
    assert (line["event"], line["service"], line["logger"]) == ("partition 3 moved", "wizard", "aiokafka.consumer")


def test_libraries_are_heard_from_warning_on_only(lines: Read) -> None:
    for name in ("aiokafka", "faststream", "uvicorn.error", "uvicorn.access", "httpx"):
        logging.getLogger(name).info("chatter")
    assert lines() == []


def test_secrets_are_hidden_by_name_and_by_look(lines: Read) -> None:
    token = "ps_" + "A" * 43
    logs.get_logger("x").info(
        f"called with Bearer {token}",
        token="plain",
        settings={"database_password": "hunter2", "url": "postgresql://me:hunter2@host/db"},
        texts=[f"x {token}", "postgresql://u@/db?password=hunter2&x=1"],
    )
    logging.getLogger("lib").error("header Authorization: Bearer abc.def and %s", token)
    text = json.dumps(lines())
    assert "hunter2" not in text
    assert "AAAA" not in text
    assert "plain" not in text
    assert "abc.def" not in text
    assert "[hidden]" in text


def test_an_error_is_its_type_message_place_and_causes_and_no_stack_trace(lines: Read) -> None:
    try:
        _fail_twice()
    except RuntimeError as error:
        logs.get_logger("x").error("failed", exc_info=error)
        logging.getLogger("lib").exception("failed too")
    ours, theirs = lines()
    assert [cause["type"] for cause in ours["error"]] == ["RuntimeError", "ValueError"]
    assert ours["error"][0]["at"].startswith(__name__ + ":")
    assert ours["error"][1]["message"].endswith("'[hidden]'")
    assert [cause["type"] for cause in theirs["error"]] == ["RuntimeError", "ValueError"]
    assert "Traceback" not in json.dumps([ours, theirs])


def _fail_twice() -> None:
    try:
        int("ps_" + "B" * 43)
    except ValueError as error:
        raise RuntimeError("second") from error
