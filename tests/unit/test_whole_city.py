"""The whole city: every table and network there, sound, drawn, and found faulty when it is."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from sensors.city import City
from simulator.city.check import check_city
from simulator.city.connected import loose_ends
from simulator.city.picture import draw_map
from simulator.city.service_rates import parse_rates, service_rates
from simulator.city.whole import SIZES, generate_city
from simulator.errors import ScenarioError


@cache
def city(seed: int = 1, corners: int = 120) -> City:
    return generate_city(seed, corners, "small", "Small city")


def changed(table: str, **values: object) -> City:
    """Return the city with the first row of a table changed."""
    rows = {name: city().rows(name) for name in city().tables}
    rows[table][0] = {**rows[table][0], **values}
    return City.of_rows("small", "Small city", rows, city().networks)


@pytest.mark.parametrize(("seed", "corners"), [(1, 60), (2, 120), (3, 250)])
def test_a_city_passes_the_check_of_every_network(seed: int, corners: int) -> None:
    found = check_city(city(seed, corners))
    assert found.problems == ()
    assert len(found.facts) == 4


def test_a_city_has_all_its_networks_and_services() -> None:
    assert set(city().networks) == {"water", "gas", "flood", "fire"}
    for table, held in city().tables.items():
        assert held.num_rows or table == "permits", table
    skills = {skill for team in city().teams() for skill in team.skills}
    assert {"water", "repair", "inspect", "restart_pump"} <= skills
    assert {"gas", "flood", "ventilate", "cordon", "pump", "barrier"} <= skills
    assert {"police", "fire", "medical"} <= skills
    domains = {row["domain"] for row in city().rows("risk_points")}
    assert {"water", "gas", "fire"} <= domains
    assert {row["kind"] for row in city().rows("roads")} == {"street", "arterial", "bridge"}


def test_buildings_are_fed_by_junctions_of_the_water_network() -> None:
    buildings = json.loads(city().networks["fire"])["buildings"]
    junctions = {row["id"] for row in city().rows("nodes") if row["kind"] == "junction"}
    rows = [row["id"] for row in city().rows("nodes") if row["kind"] == "high_rise"]
    assert [item["id"] for item in buildings] == rows
    assert all(item["feed"] in junctions and item["height_m"] >= 28 for item in buildings)


def test_the_same_seed_gives_the_same_city() -> None:
    again = generate_city(1, 120, "small", "Small city")
    assert again.networks == city().networks
    assert all(again.tables[name].equals(table) for name, table in city().tables.items())


def test_a_city_is_written_with_lines_and_points_and_read_again(tmp_path: Path) -> None:
    city().save(tmp_path)
    read = City.load(tmp_path)
    assert read.networks == city().networks
    assert all(read.tables[name].equals(table) for name, table in city().tables.items())
    roads = json.loads((tmp_path / "roads.geojson").read_text(encoding="utf-8"))
    first = roads["features"][0]
    assert first["geometry"]["type"] == "LineString"
    at = {row["id"]: [row["x_m"], row["y_m"]] for row in city().rows("nodes")}
    ends = [at[first["properties"][name]] for name in ("from_node", "to_node")]
    assert first["geometry"]["coordinates"] == ends


def test_the_map_is_a_png_of_some_size(tmp_path: Path) -> None:
    draw_map(city(), tmp_path / "map.png")
    content = (tmp_path / "map.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20]) > 1000
    assert len(content) > 50_000


def test_a_city_without_network_or_river_is_drawn_too(tmp_path: Path) -> None:
    rows = {name: city().rows(name) for name in ("areas", "nodes")}
    draw_map(City.of_rows("bare", "Bare", rows), tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("table", "values", "problem"),
    [
        ("nodes", {"area": "D999"}, "nodes: area unknown"),
        ("risk_points", {"team": "nobody"}, "risk_points: team unknown"),
        ("areas", {"district": "X99"}, "areas: district unknown"),
    ],
)
def test_what_hangs_nowhere_is_found(table: str, values: dict[str, object], problem: str) -> None:
    assert problem in "; ".join(loose_ends(changed(table, **values)))


def test_a_network_without_its_sources_is_found() -> None:
    for domain, kind in (("water", "reservoir"), ("gas", "source"), ("flood", "outfall")):
        rows = {name: city().rows(name) for name in city().tables}
        for row in rows["nodes"]:
            if row["domain"] == domain and row["kind"] in (kind, "tank"):
                row["kind"] = "junction"
        broken = City.of_rows("small", "Small city", rows, city().networks)
        assert f"{domain}: no way to a" in "; ".join(loose_ends(broken))


def test_a_city_with_too_little_head_does_not_pass() -> None:
    low = city().networks["water"].replace("\n TK1 ", "\n TK1 -")
    broken = replace(city(), networks=MappingProxyType({"water": low}))
    assert any("water: service heads" in problem for problem in check_city(broken).problems)


def test_sizes_are_those_of_the_plan() -> None:
    assert dict(SIZES) == {"town": 1_000, "city": 10_000, "metropolis": 50_000}


def test_a_wrong_rate_names_file_key_and_value() -> None:
    assert service_rates().teams.people_per == 19300
    with pytest.raises(ScenarioError, match=r"mine\.yaml: teams: .*'none'"):
        parse_rates("teams: none", "mine.yaml")
