"""Everything that is wrong with files is found and said with its line, and everything else is used."""

from pathlib import Path

import pytest

from tests.unit.directoryfiles.folders import found_in, write

USERS_HEAD = "customer,user,name,email\n"
ASSIGNMENTS_HEAD = "customer,user,service,plan\n"
FLAT_HEAD = "customer,customer_name,reseller,user,name,email,service,plan\n"


def test_good_files_have_no_bad_row_and_state_everything(tmp_path: Path) -> None:
    found = found_in(write(tmp_path / "files"))
    assert found.bad == []
    assert sorted(found.keys) == [
        "assignment/acme/u1/exchange",
        "assignment/acme/u2/exchange",
        "customer/acme",
        "customer/zeta",
        "package/acme/exchange/gold",
        "plan/exchange/gold",
        "plan/exchange/silver",
        "reseller/alpine",
        "reseller/provider",
        "service/exchange",
        "user/acme/u1",
        "user/acme/u2",
    ]


def test_what_is_referred_to_comes_first_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "files")
    found = found_in(*sorted(folder.iterdir(), reverse=True))
    assert found.bad == []
    kinds = [fact.kind for fact in found.facts]
    assert kinds == sorted(kinds)


def test_every_bad_row_is_listed_with_every_reason(tmp_path: Path) -> None:
    users = USERS_HEAD + "acme,u 1,,nowhere\nacme,u2,Grace,\nacme,u3\nacme,u4,Linus,\n"
    found = found_in(write(tmp_path / "files", users=users, assignments=ASSIGNMENTS_HEAD))
    reasons = found.reasons("users.csv")
    assert [reason.partition(":")[0] for reason in reasons[2]] == ["user", "name", "email"]
    assert reasons[4] == ("has 2 cells where the header has 4",)
    assert [key for key in found.keys if key.startswith("user/")] == ["user/acme/u2", "user/acme/u4"]


def test_no_row_is_lost(tmp_path: Path) -> None:
    lines = [f"acme,u{number}{' ' if number % 7 == 0 else ''}x,Ada,\n" for number in range(5000)]
    found = found_in(write(tmp_path / "files", users=USERS_HEAD + "".join(lines), assignments=None))
    good = sum(1 for key in found.keys if key.startswith("user/"))
    assert good + len(found.reasons("users.csv")) == 5000
    assert sorted(found.reasons("users.csv")) == [2 + number for number in range(0, 5000, 7)]


def test_a_row_that_is_there_twice_is_used_once_and_said(tmp_path: Path) -> None:
    users = USERS_HEAD + "acme,u1,Ada,\nacme,u2,Grace,\nacme,u1,Ada,\n"
    found = found_in(write(tmp_path / "files", users=users))
    assert found.reasons("users.csv") == {4: ("user acme/u1 is in line 2 already",)}
    assert "user/acme/u1" in found.keys


def test_rows_that_contradict_each_other_are_all_bad_and_so_is_what_needs_them(tmp_path: Path) -> None:
    users = USERS_HEAD + "acme,u1,Ada,\nacme,u2,Grace,\nacme,u1,Adah,\nacme,u1,Adele,\n"
    found = found_in(write(tmp_path / "files", users=users))
    assert found.reasons("users.csv") == {
        2: ("user acme/u1 is stated otherwise in line 4",),
        4: ("user acme/u1 is stated otherwise in line 2",),
        5: ("user acme/u1 is stated otherwise in line 2",),
    }
    assert found.reasons("assignments.csv") == {2: ("user acme/u1 is neither in these files nor in the directory",)}
    assert "user/acme/u1" not in found.keys


def test_a_contradiction_between_files_names_the_other_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "files")
    (folder / "users-more.csv").write_text(USERS_HEAD + "acme,u1,Adah,\n", encoding="utf-8")
    found = found_in(folder)
    assert found.reasons("users-more.csv") == {2: ("user acme/u1 is stated otherwise in users.csv, line 2",)}


def test_unknown_references_are_named_down_to_the_last_row(tmp_path: Path) -> None:
    customers = "customer,reseller,name\nacme,nobody,Acme\n"
    found = found_in(write(tmp_path / "files", customers=customers))
    assert found.reasons("customers.csv")[2] == ("reseller nobody is neither in these files nor in the directory",)
    unknown = "customer acme is neither in these files nor in the directory"
    for file in ("packages.csv", "users.csv"):
        assert unknown in found.reasons(file)[2]
    assert unknown in found.reasons("assignments.csv")[2]
    assert not [key for key in found.keys if "acme" in key]


@pytest.mark.parametrize(
    "missing, file, reason",
    [
        ("services", "plans.csv", "service exchange is neither"),
        ("services", "assignments.csv", "plan exchange/gold is neither"),
        ("plans", "packages.csv", "plan exchange/gold is neither"),
        ("customers", "users.csv", "customer acme is neither"),
        ("users", "assignments.csv", "user acme/u1 is neither"),
        ("resellers", "customers.csv", "reseller alpine is neither"),
    ],
)
def test_a_missing_file_is_felt_by_those_that_refer_to_it(tmp_path: Path, missing: str, file: str, reason: str) -> None:
    found = found_in(write(tmp_path / "files", **{missing: None}))
    assert any(each.startswith(reason) for each in found.reasons(file)[2])


def test_what_the_directory_has_already_may_be_referred_to(tmp_path: Path) -> None:
    folder = write(tmp_path / "files", customers=None, users=None, plans=None, services=None, resellers=None)
    known = ["customer/acme", "user/acme/u1", "user/acme/u2", "plan/exchange/gold", "plan/exchange/silver"]
    assert found_in(folder, known=known).bad == []


def test_resellers_may_not_be_their_own_parents(tmp_path: Path) -> None:
    resellers = "reseller,name,parent\na,A,b\nb,B,a\nc,C,a\nprovider,P,\nalpine,Alpine,provider\n"
    found = found_in(write(tmp_path / "files", resellers=resellers))
    reasons = found.reasons("resellers.csv")
    assert "lead back" in reasons[2][0]
    assert "lead back" in reasons[3][0]
    assert reasons[4] == ("reseller a is neither in these files nor in the directory",)


def test_a_file_that_is_none_of_a_directory_is_one_bad_row(tmp_path: Path) -> None:
    folder = write(tmp_path / "files")
    (folder / "shoes.csv").write_text("size,colour\n42,red\n", encoding="utf-8")
    found = found_in(folder)
    assert "are those of no kind of file" in found.reasons("shoes.csv")[1][0]
    assert "user/acme/u1" in found.keys


def test_an_empty_file_is_one_bad_row(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    found = found_in(tmp_path / "empty.csv")
    assert [(bad.file, bad.line) for bad in found.bad] == [("empty.csv", 1)]


def test_one_flat_file_says_everything(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(
        FLAT_HEAD
        + "acme,Acme,alpine,u1,Ada,ada@acme.example,Hosted Exchange,Gold\n"
        + "acme,Acme,alpine,u1,Ada,ada@acme.example,Mobile,Basic\n"
        + "acme,Acme,alpine,u2,Grace,,Hosted Exchange,Gold\n"
        + "zeta,Zeta,alpine,u1,Linus,,,\n",
        encoding="utf-8",
    )
    found = found_in(path)
    assert found.bad == []
    assert len(found.keys) == len(set(found.keys))
    assert {"user/acme/u1", "assignment/acme/u1/Mobile", "package/acme/hosted-exchange/Gold", "user/zeta/u1"} <= set(
        found.keys
    )


def test_a_flat_file_s_rows_may_not_contradict_each_other(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(
        FLAT_HEAD
        + "acme,Acme,alpine,u1,Ada,,Exchange,Gold\n"
        + "acme,Acme Ltd,alpine,u2,Grace,,Exchange,Gold\n"
        + "acme,Acme,alpine,u1,Adah,,Mobile,Basic\n"
        + "acme,Acme,alpine,u3,Linus,,Exchange,Gold\n"
        + "acme,Acme,alpine,u3,Linus,,Exchange,Silver\n",
        encoding="utf-8",
    )
    assert found_in(path).reasons("export.csv") == {
        3: ("customer acme is stated otherwise in line 2",),
        4: ("user acme/u1 is stated otherwise in line 2",),
        5: ("assignment acme/u3/Exchange is stated otherwise in line 6",),
        6: ("assignment acme/u3/Exchange is stated otherwise in line 5",),
    }


def test_files_of_kinds_and_a_flat_file_may_come_together(tmp_path: Path) -> None:
    folder = write(tmp_path / "files", users=None, assignments=None)
    text = FLAT_HEAD + "acme,Acme,alpine,u1,Ada,,exchange,gold\nacme,Akme,alpine,u2,Grace,,exchange,gold\n"
    (folder / "flat.csv").write_text(text, encoding="utf-8")
    found = found_in(folder)
    assert found.reasons("flat.csv") == {3: ("customer acme is stated otherwise in customers.csv, line 2",)}
    assert [fact.tail for fact in found.facts if fact.key == "service/exchange" and not fact.weak]


def test_bad_rows_come_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    users = USERS_HEAD + "acme,,Ada,\nnobody,u9,Eve,\nacme,u1,Ada,\nacme,u1,Adah,\n"
    found = found_in(write(tmp_path / "files", users=users))
    lines = [bad.line for bad in found.bad if bad.file == "users.csv"]
    assert lines == [2, 3, 4, 5]
