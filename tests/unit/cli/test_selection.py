"""The options of `planshift migrate` become a request's body, or every problem is named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.complaints import Complaint
from cli.selection import Choices, body_of, time_of


def problems_of(choices: Choices) -> tuple[str, ...]:
    with pytest.raises(Complaint) as caught:
        body_of(choices)
    return caught.value.lines


def test_without_customers_and_users_everybody_is_meant() -> None:
    body = body_of(Choices("mail", ["silver=gold", "bronze=gold"]))

    assert body["mappings"] == [
        {"from_plan": "silver", "to_plan": "gold"},
        {"from_plan": "bronze", "to_plan": "gold"},
    ]
    assert (body["selection"]["all_customers"], body["selection"]["all_users"]) == (True, True)


def test_a_customer_means_all_its_users_and_a_user_only_itself() -> None:
    of_customer = body_of(Choices("mail", ["silver=gold"], customers=["acme"]))["selection"]
    of_user = body_of(Choices("mail", ["silver=gold"], users=["acme/anna"]))["selection"]

    assert (of_customer["all_customers"], of_customer["all_users"], of_customer["customers"]) == (False, True, ["acme"])
    assert (of_user["all_customers"], of_user["all_users"]) == (False, False)
    assert of_user["users"] == [{"customer": "acme", "user": "anna"}]


def test_a_bare_user_belongs_to_the_only_customer() -> None:
    body = body_of(Choices("mail", ["silver=gold"], customers=["acme"], users=["anna"]))

    assert body["selection"]["users"] == [{"customer": "acme", "user": "anna"}]


def test_excluded_users_are_exceptions_from_all_and_missing_in_a_list() -> None:
    from_all = body_of(Choices("mail", ["silver=gold"], excluded_users=["acme/bert"]))["selection"]
    from_list = body_of(Choices("mail", ["silver=gold"], users=["a/x", "a/y"], excluded_users=["a/y"]))["selection"]

    assert from_all["excluded_users"] == [{"customer": "acme", "user": "bert"}]
    assert (from_list["users"], from_list["excluded_users"]) == ([{"customer": "a", "user": "x"}], [])


def test_every_problem_is_named_at_once() -> None:
    lines = problems_of(Choices("m ail", ["gold"], customers=["a", "b"], users=["anna"], excluded_users=["a/b c"]))

    assert lines[0] == "Nothing was sent: 4 problems."
    assert {line.split(" ")[0] for line in lines[1:]} == {"--service", "--map", "--user", "--exclude-user"}


def test_users_of_a_file_are_read_with_a_mark_and_quoted_line_breaks(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes('﻿Customer,User,note\r\nacme,anna,"two\r\nlines"\r\n\r\nborealis,bert,\r\n'.encode())

    body = body_of(Choices("mail", ["silver=gold"], users_file=file))

    assert body["selection"]["users"] == [
        {"customer": "acme", "user": "anna"},
        {"customer": "borealis", "user": "bert"},
    ]


def test_bad_rows_of_a_file_are_named_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text('customer,user\nacme,"an\nna"\nacme,bert\n,carl\nacme,bert\nacme,\n', encoding="utf-8")

    lines = problems_of(Choices("mail", ["silver=gold"], users_file=file))

    assert [line.removeprefix(f"{file}:") for line in lines[1:]] == [
        "3: user 'an\\nna' is not an identifier.",
        "5: customer is empty.",
        "6: acme/bert is listed twice (first in line 4).",
        "7: user is empty.",
    ]


@pytest.mark.parametrize(
    "content, words", [(b"name\nanna\n", "must name the columns"), (b"customer,user\n", "no user"), (b"\xff", "UTF-8")]
)
def test_a_file_that_is_no_list_of_users_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(content)

    assert words in problems_of(Choices("mail", ["silver=gold"], users_file=file))[1]


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    lines = problems_of(Choices("mail", ["silver=gold"], users_file=tmp_path / "none.csv"))

    assert lines[1].endswith("No such file or directory.")


def test_a_time_without_a_zone_is_in_the_callers() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)

    assert time_of("2030-01-31T22:00", now) == "2030-01-31T22:00:00+00:00"
    assert time_of("2030-01-31T22:00+01:00", now) == "2030-01-31T22:00:00+01:00"
    with pytest.raises(Complaint, match="not a time"):
        time_of("tomorrow", now)
