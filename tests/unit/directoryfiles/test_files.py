"""Files of many kinds are understood: names of columns, encodings, delimiters, quotes, JSON lines."""

from pathlib import Path

import pytest

from directoryfiles.columns import Form, LayoutError, layout_of
from directoryfiles.rows import Row, examine, rows_of

ROWS = "Customer Code,User Principal Name,Display Name,E-Mail\nacme,u1,José Müller,jose@acme.example\n"
SHAPED = ("acme", "u1", "José Müller", "jose@acme.example")


def _rows(path: Path) -> list[Row]:
    return list(rows_of(examine(path)))


@pytest.mark.parametrize(
    "header, stem, form",
    [
        ("Customer Code,User Principal Name,Display Name", "export", Form.USER),
        ("CUSTOMER_ID;LOGIN;FULL NAME;MAIL", "export", Form.USER),
        ("Customer,User,Service,Plan", "export", Form.ASSIGNMENT),
        ("Customer,Service,User Plan,Seats", "export", Form.PACKAGE),
        ("Service,Plan,Plan Name,Features", "export", Form.PLAN),
        ("Customer ID,Reseller,Company", "export", Form.CUSTOMER),
        ("Partner,Company,Parent ID", "export", Form.RESELLER),
        ("Service ID,Service Name", "export", Form.SERVICE),
        ("id,name", "services", Form.SERVICE),
        ("id,name", "Resellers 2026", Form.RESELLER),
        ("id,reseller,name", "export", Form.CUSTOMER),
        ("Customer,Customer Name,Reseller,Login,Full Name,Mail,Product,Level", "export", Form.FLAT),
        ("Customer,Customer Name,Reseller,Login,Full Name,Mail,Product,Level", "users", Form.FLAT),
    ],
)
def test_a_file_is_recognised_by_its_columns_or_its_name(header: str, stem: str, form: Form) -> None:
    assert layout_of(header.replace(";", ",").split(","), stem).form is form


def test_columns_that_mean_nothing_are_named() -> None:
    assert layout_of(["customer", "user", "name", "Shoe Size"], "users").ignored == ("Shoe Size",)


def test_what_a_file_lacks_is_named() -> None:
    with pytest.raises(LayoutError, match=r"no column for customer, name of a user; the file has Login, Shoe Size"):
        layout_of(["Login", "Shoe Size"], "users")


def test_a_file_of_no_kind_is_refused() -> None:
    with pytest.raises(LayoutError, match="those of no kind of file"):
        layout_of(["height", "weight"], "export")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_delimiters_and_line_ends_are_found(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(ROWS.replace(",", delimiter).replace("\n", end).encode(encoding))
    assert _rows(path) == [Row(2, Form.USER, SHAPED)]


def test_a_byte_far_into_the_file_tells_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    filler = "".join(f"acme,u{number},Ada Lovelace,\n" for number in range(100_000))
    path.write_bytes(f"customer,user,name,email\n{filler}acme,x,Jürgen Müller,\n".encode("cp1252"))
    assert examine(path).encoding == "cp1252"
    assert _rows(path)[-1].cells == ("acme", "x", "Jürgen Müller", "")


def test_quoted_cells_may_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text('customer,user,name\nacme,u1,"Lovelace, ""Ada""\nCountess"\nacme,u2,Grace\n', encoding="utf-8")
    rows = _rows(path)
    assert rows[0] == Row(2, Form.USER, ("acme", "u1", 'Lovelace, "Ada"\nCountess', ""))
    assert rows[1].line == 4


def test_a_header_may_have_line_breaks_and_come_after_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text('\n\n"Customer\nCode",User,Name\nacme,u1,Ada\n', encoding="utf-8")
    assert _rows(path) == [Row(5, Form.USER, ("acme", "u1", "Ada", ""))]


def test_a_spreadsheet_s_word_on_its_delimiter_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("sep=|\ncustomer|user|name\nacme|u1|Ada, Countess\n", encoding="utf-8")
    assert _rows(path) == [Row(3, Form.USER, ("acme", "u1", "Ada, Countess", ""))]


def test_a_row_with_too_few_or_too_many_cells_is_bad_and_the_next_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("customer,user,name\nacme,u1\nacme,u2,Ada,x\n\nacme,u3,Ada\n", encoding="utf-8")
    rows = _rows(path)
    assert [(row.line, row.problem) for row in rows] == [
        (2, "has 2 cells where the header has 3"),
        (3, "has 4 cells where the header has 3"),
        (5, ""),
    ]


def test_a_quote_that_is_never_closed_is_bad_and_named_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text('customer,user,name\nacme,u1,"Ada\nacme,u2,Grace\n', encoding="utf-8")
    (row,) = _rows(path)
    assert row.line == 2
    assert "a quote may not be closed" in row.problem


def test_json_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_text(
        '{"kind":"user","customer":"acme","user":"u1","name":"Ada","email":null,"revision":5}\n\n'
        '{"kind":"package","customer":"acme","service":"s","plan":"p","seat_limit":10}\n'
        '{"kind":"service","service":"s","name":"S","connector":"internal","options":{"a":"b"}}\n',
        encoding="utf-8",
    )
    assert _rows(path) == [
        Row(1, Form.USER, ("acme", "u1", "Ada", "")),
        Row(3, Form.PACKAGE, ("acme", "s", "p", "10")),
        Row(4, Form.SERVICE, ("s", "S", "internal", '{"a": "b"}')),
    ]


@pytest.mark.parametrize(
    "line, problem",
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"kind":"unicorn"}', "kind is 'unicorn'"),
        ('{"kind":["user"]}', "kind is"),
        ('{"kind":"user","customer":"acme"}', "a user needs user, name"),
    ],
)
def test_a_bad_json_line_is_explained(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "export.jsonl"
    path.write_text(f"{line}\n", encoding="utf-8")
    assert _rows(path)[0].problem.startswith(problem)
