"""A CSV file of users: the good ones, or every bad row by its line."""

import pytest

from services.wizard.edges.users_csv import users_of_csv
from serving.problems import Problem


def problems_of(body: bytes, content_type: str = "text/csv") -> tuple[int, list[tuple[str, str]]]:
    with pytest.raises(Problem) as caught:
        users_of_csv(content_type, body)
    return caught.value.status, [(error.pointer, error.code) for error in caught.value.errors]


def test_rows_become_users() -> None:
    body = b"\xef\xbb\xbfCustomer, User ,note\r\na,1,x\r\n\r\nb,2\r\n"
    assert users_of_csv("text/csv; charset=utf-8", body) == [
        {"customer": "a", "user": "1"},
        {"customer": "b", "user": "2"},
    ]


def test_semicolons_are_taken_too() -> None:
    assert users_of_csv("text/csv", b"user;customer\n1;a\n") == [{"customer": "a", "user": "1"}]


def test_every_bad_row_is_named_by_its_line() -> None:
    status, found = problems_of(b'customer,user\na,1\na,1\n,2\nb,"x y"\n')
    assert status == 422
    assert found == [
        ("line:3", "user-listed-twice"),
        ("line:4", "not-an-identifier"),
        ("line:5", "not-an-identifier"),
    ]


def test_a_file_without_its_header_is_refused() -> None:
    assert problems_of(b"a,1\n") == (422, [("line:1", "header-missing")])


def test_an_empty_list_is_refused() -> None:
    assert problems_of(b"customer,user\n") == (422, [("", "selection-empty")])


def test_what_is_not_utf8_is_named_by_its_line() -> None:
    assert problems_of(b"customer,user\na,\xff\n") == (422, [("line:2", "not-utf8")])


def test_another_media_type_is_refused() -> None:
    assert problems_of(b"{}", "application/json") == (415, [])
