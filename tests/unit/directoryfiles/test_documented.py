"""The page about files names every column, with those in italics that may be left out."""

from pathlib import Path

import pytest

from directoryfiles.columns import COLUMNS, Form

PAGE = (Path(__file__).parents[3] / "docs" / "directory-files.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", list(Form))
def test_the_page_has_every_column_of_a_form(form: Form) -> None:
    columns = COLUMNS[form]
    named = ", ".join(name if name in columns.needed else f"*{name}*" for name in columns.all)
    assert named in PAGE
