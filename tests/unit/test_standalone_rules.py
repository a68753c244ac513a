"""The rules of the local stack that need no process."""

import pytest

from standalone.kafka import cluster_id
from standalone.part import Patience
from standalone.ports import Ports
from standalone.service_plans import processes


def test_the_pause_before_a_restart_doubles_up_to_a_limit() -> None:
    patience = Patience(first_pause_s=0.2, longest_pause_s=10)
    assert [patience.pause_s(deaths) for deaths in (1, 2, 3, 4, 20)] == [0.2, 0.4, 0.8, 1.6, 10]


def test_ports_follow_each_other_from_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANSHIFT_FIRST_PORT", "20000")
    ports = Ports.from_environment(engines=3)
    assert ports == Ports(20000, 20001, 20002, 20003, 20004, (20005, 20006, 20007))


def test_free_ports_differ_from_each_other() -> None:
    *single, engines = Ports.free(engines=4)
    assert len({*single, *engines}) == 9


@pytest.mark.parametrize(
    "engines,names",
    [(1, ["wizard", "engine", "tracker"]), (2, ["wizard", "engine-1", "engine-2", "tracker"])],
)
def test_several_engines_are_numbered(engines: int, names: list[str]) -> None:
    assert [each.part for each in processes(Ports.free(engines))] == names


@pytest.mark.parametrize("first", range(256))
def test_a_clusters_id_never_looks_like_an_option(first: int) -> None:
    made = cluster_id(bytes([first]) + bytes(range(15)))

    assert len(made) == 22
    assert not made.startswith("-")
