"""The generated town: served, connected, deterministic, calm but for its pumps."""

from functools import cache

import networkx as nx
import numpy as np
import pytest

from sensors.city import City
from sensors.registry import Registry
from simulator.city.generate import (
    HIGHEST_SERVICE_M,
    LOWEST_SERVICE_M,
    generate_town,
    service,
)
from simulator.city.inp_text import demand_pattern
from simulator.city.town import DIAMETERS_MM, lay_out
from simulator.errors import PhysicsError
from simulator.physics.water.network import WaterNetwork
from simulator.randomness import stream

SEEDS = range(1, 21)


@cache
def town(seed: int, junctions: int = 30) -> tuple[City, Registry]:
    return generate_town(seed, junctions)


@pytest.mark.parametrize("seed", SEEDS)
def test_service_heads_keep_within_their_limits_all_day(seed: int) -> None:
    found = service(town(seed)[0].networks["water"])
    assert LOWEST_SERVICE_M <= found.lowest_m <= found.highest_m <= HIGHEST_SERVICE_M


@pytest.mark.parametrize("seed", SEEDS)
def test_every_junction_is_connected_and_there_are_loops(seed: int) -> None:
    city = town(seed)[0]
    graph = nx.Graph((row["from_node"], row["to_node"]) for row in city.rows("links"))
    assert set(graph) == {row["id"] for row in city.rows("nodes")}
    assert nx.is_connected(graph)
    assert graph.number_of_edges() >= graph.number_of_nodes() + 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plain_layout_has_the_asked_size_and_known_pipe_sizes(seed: int) -> None:
    plain = lay_out(stream(seed, "town"), 57)
    assert len(plain.x_m) == 57
    assert set(plain.diameter_mm.tolist()) <= set(DIAMETERS_MM)
    assert plain.diameter_mm.max() > plain.diameter_mm.min()
    assert (plain.demand_l_s > 0).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pressure_is_calm_except_when_a_pump_switches(seed: int) -> None:
    network = WaterNetwork(town(seed)[0].networks["water"], 0)
    served = np.array([name.startswith("J") for name in network.node_ids])
    pressure, pumps = [], []
    for five in range(289):
        frame = network.step(five * 300_000)
        pressure.append(frame.node["pressure"][served])
        pumps.append(frame.link["pump_state"][~np.isnan(frame.link["pump_state"])])
    network.close()
    jumps = np.abs(np.diff(pressure, axis=0)).max(axis=1)
    switched = np.abs(np.diff(pumps, axis=0)).max(axis=1) > 0
    assert 2 <= switched.sum() <= 20
    assert jumps[~switched].max() < 0.02
    assert jumps[switched].max() > 0.02


def test_the_same_seed_gives_the_same_town_and_another_seed_another() -> None:
    city, registry = generate_town(5, 30)
    assert city.networks == town(5)[0].networks
    # As text, because a missing alarm limit is NaN and NaN equals nothing.
    assert str(registry.table.to_pylist()) == str(town(5)[1].table.to_pylist())
    assert city.networks != town(6)[0].networks


def test_a_town_of_120_has_areas_instruments_and_pumps() -> None:
    city, registry = town(7, 120)
    assert len(city.rows("areas")) >= 2
    assert len(registry.where("kind", "network_pressure")) >= 24
    assert len(registry.where("kind", "pump_state")) == 2
    assert len(registry.where("kind", "tank_level")) == 1
    assert sum(row["kind"] == "junction" for row in city.rows("nodes")) == 121


def test_pressure_share_reaches_the_placement() -> None:
    dense = generate_town(5, 30, pressure_share=0.5)[1]
    assert len(dense.where("kind", "network_pressure")) == 15


def test_demand_pattern_is_smooth_positive_and_averages_one() -> None:
    factors = demand_pattern()
    assert len(factors) == 96
    assert factors.mean() == pytest.approx(1.0)
    assert factors.min() > 0.2
    assert np.abs(np.diff([*factors, factors[0]])).max() < 0.12


def test_too_small_a_town_is_refused() -> None:
    with pytest.raises(PhysicsError, match="9 or more"):
        generate_town(1, 4)
