"""The water network of a city: served everywhere, metered at every border, bursts visible."""

from functools import cache

import networkx as nx
import numpy as np
import pytest

from sensors.city import Row
from simulator.city.generate import HIGHEST_SERVICE_M, LOWEST_SERVICE_M, service
from simulator.city.ground import lay_ground
from simulator.city.part import NetworkPart
from simulator.city.water_mains import lay_water
from simulator.city.water_sizes import SIZES_MM
from simulator.physics.base import Disturbance
from simulator.physics.water.network import WaterNetwork

CASES = [(1, 80), (2, 80), (3, 300), (4, 300), (5, 1000)]
STEEP = (1, 4200)
"""A city of two sectors with reducing valves."""


@cache
def part(seed: int, corners: int) -> NetworkPart:
    return lay_water(lay_ground(seed, corners))


def areas_of(rows: list[Row]) -> dict[str, str]:
    return {row["id"]: row["area"] for row in rows}


@pytest.mark.parametrize(("seed", "corners"), CASES)
def test_service_heads_keep_within_their_limits_for_two_days(seed: int, corners: int) -> None:
    found = service(part(seed, corners).text)
    assert LOWEST_SERVICE_M <= found.lowest_m <= found.highest_m <= HIGHEST_SERVICE_M


@pytest.mark.parametrize(("seed", "corners"), [*CASES, STEEP])
def test_every_corner_has_a_junction_with_a_way_to_a_source(seed: int, corners: int) -> None:
    rows = part(seed, corners).rows
    graph = nx.Graph((row["from_node"], row["to_node"]) for row in rows["links"])
    kinds = {row["id"]: row["kind"] for row in rows["nodes"]}
    assert {f"J{n:05d}" for n in range(1, corners + 1)} <= set(kinds)
    for members in nx.connected_components(graph):
        assert any(kinds[node] == "reservoir" for node in members)
    assert set(graph) == set(kinds)


@pytest.mark.parametrize(("seed", "corners"), [*CASES, STEEP])
def test_areas_are_fed_by_one_or_two_inlets_and_have_loops(seed: int, corners: int) -> None:
    rows = part(seed, corners).rows
    area = areas_of(rows["nodes"])
    inlets: dict[str, list[str]] = {}
    for row in rows["links"]:
        ends = {area[row["from_node"]], area[row["to_node"]]}
        if len(ends) == 2:
            assert {name[0] for name in ends} == {"D", "W"}
            assert row["area"].startswith("D")
            inlets.setdefault(row["area"], []).append(row["kind"])
    assert set(inlets) == {name for name in area.values() if name.startswith("D")}
    for kinds in inlets.values():
        assert len(kinds) == 1 or kinds == ["pipe", "pipe"]
    assert {row["diameter_mm"] for row in rows["links"] if row["kind"] == "pipe"} <= set(SIZES_MM)
    own = [row for row in rows["links"] if row["id"].startswith("P0")]
    loops = len(own) - sum(name.startswith("D") for name in area.values()) + len(inlets)
    assert loops >= 0.2 * corners


def test_rows_and_file_tell_the_same_network() -> None:
    laid = part(*STEEP)
    network = WaterNetwork(laid.text, 0)
    frame = network.step(60_000)
    assert sorted(network.node_ids) == sorted(row["id"] for row in laid.rows["nodes"])
    assert sorted(network.link_ids) == sorted(row["id"] for row in laid.rows["links"])
    valves = [row["id"] for row in laid.rows["links"] if row["kind"] == "valve"]
    assert valves
    assert network.engine.warnings == []
    served = [network.node_ids.index(f"J{n:05d}") for n in range(1, STEEP[1] + 1)]
    assert frame.node["pressure"][served].min() > 0.2
    base = {row["id"]: row["base_demand_m3_h"] for row in laid.rows["nodes"]}
    asked = [base[node] for node in network.node_ids]
    np.testing.assert_allclose(network.engine.base_demand_m3_h, asked, atol=1e-3)
    network.close()


def test_a_burst_shows_at_the_inlets_of_its_area() -> None:
    laid = part(5, 1000)
    network = WaterNetwork(laid.text, 0)
    links = {name: number for number, name in enumerate(network.link_ids)}
    pipes = [row for row in laid.rows["links"] if row["id"].startswith("P0")]
    pipe = next(row for row in pipes if row["diameter_mm"] == 150)
    inlets = [
        links[row["id"]]
        for row in laid.rows["links"]
        if row["area"] == pipe["area"] and row["id"][0] in "IV"
    ]
    calm = network.step(60_000).link["flow"][inlets].sum()
    network.apply(Disturbance("leak", pipe["id"], 80.0))
    burst = network.step(120_000).link["flow"][inlets].sum()
    network.close()
    assert burst - calm > 60.0


def test_the_same_seed_gives_the_same_file() -> None:
    assert lay_water(lay_ground(2, 80)).text == part(2, 80).text
