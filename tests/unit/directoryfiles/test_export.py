"""An export becomes CSV files, which an import reads as the same."""

from pathlib import Path

import pytest

from directoryfiles.export import ExportError, export_to_csv
from directoryfiles.generate import OutputForm, write_directory
from tests.unit.directoryfiles.folders import found_in


def test_an_export_as_csv_states_the_same_as_its_lines(tmp_path: Path) -> None:
    lines = tmp_path / "export.jsonl"
    write_directory(lines, users=800, seed=3, form=OutputForm.JSONL, progress=lambda _: None)
    with lines.open("rb") as file:
        counts = export_to_csv(file, tmp_path / "csv")
    first, second = found_in(lines), found_in(tmp_path / "csv")
    assert second.bad == []
    assert sum(counts.values()) == first.rows == second.rows
    assert sorted((fact.key, fact.tail) for fact in first.facts) == sorted(
        (fact.key, fact.tail) for fact in second.facts
    )


def test_cells_that_need_it_are_quoted(tmp_path: Path) -> None:
    line = '{"kind":"plan","service":"s","plan":"p","name":"P, \\"Q\\"","features":{"a":"x; y"},"quotas":{"mb":5}}'
    lines = [
        '{"kind":"service","service":"s","name":"S","connector":"internal","options":{}}',
        line,
    ]
    export_to_csv(lines, tmp_path / "csv")
    found = found_in(tmp_path / "csv")
    assert found.bad == []
    assert found.facts[1].tail == (
        '"service":"s","plan":"p","name":"P, \\"Q\\"","features":{"a":"x; y"},"quotas":{"mb":5},"active":true}'
    )


@pytest.mark.parametrize("line", ["{", "[]", '{"kind":"flat"}', '{"kind":"unicorn"}', "{}"])
def test_a_line_of_another_shape_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ExportError, match="Line 1"):
        export_to_csv([line], tmp_path / "csv")
