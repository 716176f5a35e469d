"""Cities at hand: generated ones are kept, profiles take effect, plans carry storms and permits."""

from pathlib import Path
from typing import Any

import pytest

from api import cities
from api.cities import city_size, load_city, whole_city
from api.library import find_scenario
from api.plan import plan_run
from simulator.errors import ScenarioError
from simulator.scenario import GenerateSpec, Scenario

SOURCE = Path("small.yaml")


def scenario(**changes: Any) -> Scenario:
    fields: dict[str, Any] = {
        "format": 1,
        "name": "planned",
        "city": {"generate": {"corners": 100}},
        "start": "2026-06-01T00:00:00+08:00",
        "duration": "6h",
    }
    return Scenario.model_validate(fields | changes)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep even small cities, in a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cities, "_CACHED_FROM", 60)
    return tmp_path / "tocsin" / "cities"


def test_a_large_city_is_made_once_and_is_the_same_from_the_cache(kept: Path) -> None:
    spec = GenerateSpec(corners=80, seed=5)
    notes: list[str] = []
    first, again = (whole_city(spec, "default", notes.append) for _ in range(2))
    assert [note.split()[0] for note in notes] == ["generating", "placing"]
    assert first[0].networks == again[0].networks
    assert first[1].digest == again[1].digest
    whole_city(spec, "beijing", notes.append)
    assert notes[2:] == ["placing the devices of profile beijing"]
    assert [item.name for item in kept.iterdir() if item.name.startswith(".")] == []


def test_a_city_that_could_not_be_finished_is_not_in_the_cache(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_city: object, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "city.json").write_text("{}")
        raise OSError("disk full")

    monkeypatch.setattr("sensors.city.City.save", broken)
    with pytest.raises(OSError, match="disk full"):
        whole_city(GenerateSpec(corners=80), "default")
    assert list(kept.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        (None, None),
        ("city", "city"),
        ("metropolis", "metropolis"),
        ("./city", None),
        ("net3", None),
    ],
)
def test_a_size_is_told_from_a_folder(asked: str | None, size: str | None) -> None:
    assert city_size(asked) == size


def test_a_profile_takes_the_place_of_the_devices_of_any_city(tmp_path: Path) -> None:
    town = scenario(city={"generate": {"junctions": 40}})
    assert len(load_city(town, SOURCE, profile="beijing")[1]) == 108 + 1231
    own = tmp_path / "mine.yaml"
    own.write_text("name: mine\ntitle: M\nsource: none\nkinds: {tank_level: {count: 3}}\n")
    named = scenario(city={"generate": {"junctions": 40}}, profile="mine.yaml")
    assert len(load_city(named, tmp_path / "s.yaml")[1]) == 3


def test_a_storm_needs_drains() -> None:
    storms = [{"kind": "uniform", "duration": "1h", "total_mm": 9}]
    dry = scenario(city={"generate": {"junctions": 40}}, storms=storms)
    with pytest.raises(ScenarioError, match=r"small\.yaml: storms: Town 7 has no drainage"):
        plan_run(dry, SOURCE)
    plan = plan_run(scenario(storms=storms, weather={"wind_m_s": 7}), SOURCE)
    assert ([storm.total_mm for storm in plan.storms], plan.wind_m_s) == ([pytest.approx(9)], 7)


def test_permits_stand_in_the_citys_table_where_the_incident_is() -> None:
    dug = {"id": "D", "kind": "digging", "element": {"pick": "mp"}, "at": "2h"}
    permit = {"id": "W", "incident": "D", "at": "1h", "duration": "3h", "holder": "Road works"}
    plan = plan_run(scenario(incidents=[dug], permits=[permit]), SOURCE)
    row = plan.city.rows("permits")[0]
    link = next(row for row in plan.city.rows("links") if row["id"] == plan.incidents[0].element)
    assert (row["element"], row["area"]) == (link["id"], link["area"])
    assert (row["start_ms"], row["end_ms"]) == tuple(
        plan.scenario.start_ms + hours * 3_600_000 for hours in (1, 4)
    )
    wrong = {"id": "W", "element": "NOPE", "duration": "3h"}
    with pytest.raises(ScenarioError, match="permits: W: element: the city has no 'NOPE'"):
        plan_run(scenario(permits=[wrong]), SOURCE)


def test_faults_by_rate_follow_the_seed_and_leave_the_listed_ones() -> None:
    listed = [{"device": {"kind": "tank_level", "nth": 0}, "kind": "stuck"}]
    rated = scenario(faults=listed, fault_rates="default", duration="30d")
    plans = [plan_run(rated, SOURCE, seed=seed).faults for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert len({plan[0] for plan in plans}) == 1
    assert len(plans[0]) > 5
    assert plan_run(scenario(faults=listed), SOURCE).faults == plans[0][:1]


def test_a_composed_scenario_is_planned_with_everything_in_it() -> None:
    file = find_scenario("gas-leak-in-storm")
    plan = plan_run(file.scenario, file.path)
    assert plan.scenario.compose == ()
    assert [storm.total_mm for storm in plan.storms] == [pytest.approx(80)]
    assert [item.id for item in plan.incidents] == ["G1"]
