"""A made-up directory is the same for the same seed, has what was promised, and imports without a complaint."""

from collections import Counter
from pathlib import Path

import pytest

from directoryfiles.generate import OutputForm, form_for, write_directory
from directoryfiles.made_up import made_customers, made_resellers
from tests.unit.directoryfiles.folders import Found, found_in

USERS = 6000
OUT = {OutputForm.FOLDER: "made", OutputForm.FLAT: "made.csv", OutputForm.JSONL: "made.jsonl"}


def _made(folder: Path, form: OutputForm, seed: int = 1, users: int = USERS) -> Path:
    out = folder / OUT[form]
    write_directory(out, users=users, seed=seed, form=None, progress=lambda _: None)
    return out


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What a made-up folder states."""
    return found_in(_made(tmp_path_factory.mktemp("made"), OutputForm.FOLDER))


def _count(found: Found, kind: str) -> int:
    return len({key for key in found.keys if key.startswith(f"{kind}/")})


@pytest.mark.parametrize("form", list(OutputForm))
def test_every_form_imports_without_a_bad_row(tmp_path: Path, form: OutputForm) -> None:
    found = found_in(_made(tmp_path, form))
    assert found.bad == []
    assert _count(found, "user") == USERS


def test_the_files_have_as_much_as_was_said(tmp_path: Path, found: Found) -> None:
    said = write_directory(tmp_path / "made", users=USERS, seed=1, form=OutputForm.FOLDER, progress=lambda _: None)
    for kind in ("reseller", "customer", "service", "plan", "package", "user", "assignment"):
        assert _count(found, kind) == getattr(said, f"{kind}s"), kind


def test_json_lines_and_the_folder_state_the_same(tmp_path: Path, found: Found) -> None:
    lines = found_in(_made(tmp_path, OutputForm.JSONL))
    assert sorted((fact.key, fact.tail) for fact in lines.facts) == sorted(
        (fact.key, fact.tail) for fact in found.facts
    )


@pytest.mark.parametrize("form", list(OutputForm))
def test_the_same_seed_makes_the_same_and_another_seed_another(tmp_path: Path, form: OutputForm) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    once, again = _made(tmp_path / "a", form, users=500), _made(tmp_path / "b", form, users=500)
    other = _made(tmp_path / "c", form, seed=2, users=500)
    assert _bytes(once) == _bytes(again) != _bytes(other)


def _bytes(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(path.iterdir())] if path.is_dir() else [path.read_bytes()]


def test_customers_are_of_very_different_sizes() -> None:
    sizes = sorted((customer.size for customer in made_customers(200_000, 1)), reverse=True)
    assert sum(sizes) == 200_000
    assert sizes[0] >= 10_000
    assert sizes[len(sizes) // 2] < 20


def test_resellers_are_two_levels_deep() -> None:
    parents = {one.reseller: one.parent for one in made_resellers(200_000, 1)}
    depths = Counter(0 if not parent else 1 if not parents[parent] else 2 for parent in parents.values())
    assert depths[0] == 1
    assert set(depths) == {0, 1, 2}


def test_some_customers_lack_the_next_package_and_some_are_near_their_limit(found: Found) -> None:
    packages = {fact.key: fact.tail for fact in found.facts if fact.key.startswith("package/")}
    on = Counter(
        f"package/{fact.key.split('/')[1]}/hosted-exchange/{fact.tail.rpartition('plan')[2].split(chr(34))[2]}"
        for fact in found.facts
        if fact.key.startswith("assignment/") and fact.key.endswith("/hosted-exchange")
    )
    silver = {key for key in on if key.endswith("/silver")}
    with_gold = {key for key in silver if key.replace("/silver", "/gold") in packages}
    assert 0 < len(with_gold) < len(silver)
    limits = {
        key: int(tail.partition('"seat_limit":')[2].strip("}"))
        for key, tail in packages.items()
        if "seat_limit" in tail
    }
    left = [limits[key] - on[key] for key in limits.keys() & on.keys()]
    assert min(left) >= 0
    assert any(seats <= 3 for seats in left)


def test_one_service_is_provisioned_by_the_simulated_connector(found: Found) -> None:
    services = [fact.tail for fact in found.facts if fact.key.startswith("service/")]
    assert sum('"simulated"' in tail for tail in services) == 1


@pytest.mark.parametrize(
    "name, form",
    [("a.jsonl", OutputForm.JSONL), ("a.csv", OutputForm.FLAT), ("a", OutputForm.FOLDER), ("a.d", OutputForm.FOLDER)],
)
def test_the_form_follows_from_the_file_s_name(name: str, form: OutputForm) -> None:
    assert form_for(Path(name)) is form


def test_a_directory_without_users_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one user"):
        write_directory(tmp_path / "made", users=0, seed=1, form=None, progress=lambda _: None)
