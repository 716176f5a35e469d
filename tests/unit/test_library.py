"""The scenarios at hand: by name, by path, and what is said when there is none."""

from pathlib import Path

import pytest

from api.library import find_scenario, library, library_folder, with_parts
from api.plan import plan_run
from simulator.errors import ScenarioError
from simulator.scenario.kinds import happening_kinds

NAMES = [path.stem for path in sorted(library_folder().glob("*.yaml"))]
TEXT = """\
format: 1
name: mine
city: {generate: {junctions: 40}}
start: 2026-06-01T00:00:00+08:00
duration: 1h
"""


HAZARDS = {"water", "gas", "flood"}


def test_the_library_has_the_burst_and_the_fault_day() -> None:
    assert {"water-burst", "fault-day"} <= set(NAMES)


def test_the_library_teaches_every_hazard_and_two_at_once() -> None:
    assert len(NAMES) >= 18
    domains = [
        {happening_kinds()[item.kind].domain for item in whole.incidents}
        | ({"flood"} if whole.storms else set())
        for whole in (with_parts(item.scenario, item.path) for item in library())
    ]
    assert set().union(*domains) >= HAZARDS
    assert {"gas", "flood"} in domains
    assert {"water", "flood"} in domains


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_of_the_library_is_named_as_its_file_and_says_what_it_teaches(name: str) -> None:
    file = find_scenario(name)
    assert file.scenario.name == name == file.path.stem
    assert file.scenario.title
    assert file.scenario.teaches
    assert find_scenario(f"{name}.yaml") == file


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_of_the_library_can_be_planned(name: str) -> None:
    file = find_scenario(name)
    plan = plan_run(file.scenario, file.path)
    assert len(plan.incidents) >= len(file.scenario.incidents)
    assert len(plan.faults) >= len(file.scenario.faults)


def test_the_library_lists_its_files_by_name() -> None:
    assert [item.scenario.name for item in library()] == NAMES


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("water-burst").write_text(TEXT, encoding="utf-8")
    assert find_scenario("water-burst").scenario.name == "mine"
    assert find_scenario("water-burst.yaml").scenario.name == "water-burst"


@pytest.mark.parametrize("name", ["nosuch", "nosuch.yaml", "no/such.yaml", ""])
def test_an_unknown_scenario_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        find_scenario(name)
    assert all(known in str(caught.value) or "is a folder" in str(caught.value) for known in NAMES)


def test_a_folder_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="is a folder; give a scenario file"):
        find_scenario(str(tmp_path))
