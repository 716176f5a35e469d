"""Import of EPANET files: tables, plane, ids, people, teams, risk points, the file kept whole."""

from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow.parquet as pq
import pytest

from sensors.city import City
from sensors.registry import Registry
from simulator.city.importing import import_inp
from simulator.errors import PhysicsError

SMALL = """[JUNCTIONS]
 A 10 0
 B 12 25
 C 15 50
 D 11 25
[RESERVOIRS]
 R 60
[PIPES]
 P1 R A 100 300 120 0 Open
 P2 A B 200 200 120 0 Open
 P3 B C 200 100 120 0 Open
 P4 C D 200 100 120 0 Open
 P5 D A 200 100 120 0 CV
[OPTIONS]
 Units CMH
 Headloss H-W
[COORDINATES]
{coordinates}
[END]
"""
SQUARE = " R -1 0\n A 0 0\n B 2 0\n C 2 2\n D 0 2"
NETWORKS = ("Net1", "Net2", "Net3")


def small(coordinates: str = SQUARE) -> tuple[City, Registry]:
    return import_inp(SMALL.format(coordinates=coordinates), "small", "Small")


def test_the_file_is_kept_whole() -> None:
    text = SMALL.format(coordinates=SQUARE)
    assert import_inp(text, "small", "Small")[0].networks == {"water": text}


def test_coordinates_become_metres_from_zero() -> None:
    nodes = {row["id"]: (row["x_m"], row["y_m"]) for row in small()[0].rows("nodes")}
    assert nodes["R"] == pytest.approx((0.0, 0.0))
    assert nodes["C"] == pytest.approx((300.0, 200.0))


@pytest.mark.parametrize("coordinates", ["", " A 0 0\n C 5 5", " A 1 1\n B 1 1"])
def test_missing_coordinates_are_laid_out_the_same_way_each_time(coordinates: str) -> None:
    city, again = small(coordinates)[0], small(coordinates)[0]
    places = [(row["x_m"], row["y_m"]) for row in city.rows("nodes")]
    assert len(set(places)) == len(places)
    assert np.isfinite(places).all()
    assert city.tables["nodes"].equals(again.tables["nodes"])


def test_people_follow_from_demand() -> None:
    people = {row["id"]: row["people"] for row in small()[0].rows("nodes")}
    assert people == pytest.approx({"A": 0, "B": 4000, "C": 8000, "D": 4000, "R": 0})


def test_check_valve_pipes_are_pipes_and_pipes_are_roads() -> None:
    city = small()[0]
    assert {row["kind"] for row in city.rows("links")} == {"pipe"}
    assert [row["id"] for row in city.rows("roads")] == ["P1", "P2", "P3", "P4", "P5"]


def test_risk_points_carry_the_six_fields_and_a_team_that_repairs() -> None:
    city = small()[0]
    repairers = {team.id for team in city.teams() if {"water", "repair"} <= set(team.skills)}
    points = city.rows("risk_points")
    assert len(repairers) == 3
    assert points
    for point in points:
        for field in ("responsible_body", "custodian", "status", "maintenance", "plan"):
            assert point[field]
        assert point["team"] in repairers
        assert 1 <= point["likelihood"] <= 5
        assert 1 <= point["consequence"] <= 5


def test_consequence_grows_with_the_households_fed() -> None:
    risk = {row["element"]: row["consequence"] for row in small()[0].rows("risk_points")}
    # 100 m3/h is the water of 5,333 households, 25 m3/h that of 1,333.
    assert risk["P1"] == 3
    assert risk["P4"] == 1


def test_a_city_survives_its_folder(tmp_path: Path) -> None:
    city, registry = small()
    city.save(tmp_path)
    registry.save(tmp_path / "devices.parquet")
    loaded = City.load(tmp_path)
    assert loaded.networks == city.networks
    assert all(loaded.tables[name].equals(table) for name, table in city.tables.items())
    assert Registry.load(tmp_path / "devices.parquet").digest == registry.digest


def test_a_device_table_written_before_there_were_site_profiles_is_read(tmp_path: Path) -> None:
    _, registry = small()
    file = tmp_path / "devices.parquet"
    pq.write_table(registry.table.drop_columns(["profile"]), file)
    loaded = Registry.load(file)
    assert loaded.digest == registry.digest
    assert set(loaded.texts("profile")) == {""}


def test_a_file_that_is_no_network_is_refused() -> None:
    with pytest.raises(PhysicsError):
        import_inp("nothing here", "x", "X")


@pytest.mark.parametrize("name", NETWORKS)
def test_public_networks_become_whole_cities(name: str, shared_networks: Path) -> None:
    text = (shared_networks / f"{name}.inp").read_text(encoding="utf-8")
    city, registry = import_inp(text, name.lower(), name)
    nodes, links = city.rows("nodes"), city.rows("links")
    areas = {row["id"] for row in city.rows("areas")}
    assert {row["area"] for row in (*nodes, *links)} == areas
    assert set(registry.texts("area")) <= areas
    elements = {row["id"] for row in nodes} | {row["id"] for row in links}
    assert set(registry.texts("element")) <= elements
    graph = nx.Graph((row["from_node"], row["to_node"]) for row in links)
    for area in areas:
        inside = [row["id"] for row in nodes if row["area"] == area]
        assert nx.is_connected(graph.subgraph(inside))
        pressure = registry.where("kind", "network_pressure")
        assert sum(registry.texts("area")[n] == area for n in pressure) >= 2
    for table in city.tables.values():
        assert all(identity.isascii() for identity in table.column("id").to_pylist())


@pytest.mark.parametrize(("name", "areas"), [("Net1", 1), ("Net2", 1), ("Net3", 2)])
def test_areas_are_balanced(name: str, areas: int, shared_networks: Path) -> None:
    text = (shared_networks / f"{name}.inp").read_text(encoding="utf-8")
    nodes = import_inp(text, name.lower(), name)[0].rows("nodes")
    labels = [row["area"] for row in nodes]
    assert len(set(labels)) == areas
    assert min(labels.count(area) for area in labels) >= len(nodes) / areas / 2


@pytest.mark.parametrize("name", NETWORKS)
def test_the_median_pipe_is_as_long_as_it_is_drawn(name: str, shared_networks: Path) -> None:
    text = (shared_networks / f"{name}.inp").read_text(encoding="utf-8")
    city = import_inp(text, name.lower(), name)[0]
    at = {row["id"]: np.array([row["x_m"], row["y_m"]]) for row in city.rows("nodes")}
    ratios = [
        row["length_m"] / np.linalg.norm(at[row["from_node"]] - at[row["to_node"]])
        for row in city.rows("links")
        if row["kind"] == "pipe"
    ]
    assert np.median(ratios) == pytest.approx(1.0)
