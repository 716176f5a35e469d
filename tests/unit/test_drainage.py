"""Drains laid under a city: connected, downhill, dry when dry, wet as far as they should be."""

import numpy as np
import pytest
import yaml

from simulator.city.drainage import import_swmm, lay_drainage
from simulator.city.drainage_design import FILE, design, read_design
from simulator.city.drainage_tree import plant
from simulator.city.ground import lay_ground
from simulator.errors import ScenarioError
from simulator.physics.base import Disturbance
from simulator.physics.flood.inp import read_model
from simulator.physics.flood.network import FloodNetwork
from simulator.physics.flood.rain import RainField, uniform
from tests.unit.drain_models import SMALL_DRAINS

START_MS = 1_780_243_200_000
MINUTE_MS = 60_000
NONE = np.array([], dtype=np.int64)


@pytest.mark.parametrize("seed", range(8))
def test_every_corner_drains_downhill_to_an_outfall(seed: int) -> None:
    ground = lay_ground(seed, 300)
    tree = plant(ground, design(), NONE)
    place = np.arange(300)
    for _ in range(300):
        place = np.where(tree.down[place] >= 0, tree.down[place], place)
    assert set(place) == set(tree.roots)
    lower = tree.down[tree.down >= 0]
    upper = np.flatnonzero(tree.down >= 0)
    assert (tree.end_m < tree.invert_m).all()
    assert (tree.end_m[upper] >= tree.invert_m[lower] - 1e-9).all()
    assert (ground.elevation_m - tree.invert_m - tree.size_m >= design().cover_m - 1e-9).all()
    assert (ground.elevation_m - tree.invert_m <= design().deepest_m).all()
    bridges = {
        tuple(pair)
        for pair, kind in zip(ground.ends.tolist(), ground.road_kind, strict=True)
        if kind == "bridge"
    }
    assert not bridges & {
        (min(a, b), max(a, b)) for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
    }


def test_the_same_ground_gives_the_same_file() -> None:
    assert lay_drainage(lay_ground(3, 120)).text == lay_drainage(lay_ground(3, 120)).text


def test_rows_and_file_name_the_same_elements() -> None:
    part = lay_drainage(lay_ground(1, 300))
    network = FloodNetwork(part.text, RainField(), START_MS)
    nodes, links = part.rows["nodes"], part.rows["links"]
    kinds = {row["id"]: row["kind"] for row in nodes}
    assert len(kinds) == len(nodes)
    assert set(kinds) == set(network.node_ids)
    assert [row["id"] for row in links if row["id"] in network.link_ids] == [
        row["id"] for row in links
    ]
    assert {row["kind"] for row in nodes} == {
        *("manhole", "outfall", "underpass", "road"),
        *("river_gauge", "rain_gauge", "pump_station"),
    }
    assert {row["kind"] for row in links} == {"conduit", "pump", "gate", "overland"}
    assert {row["domain"] for row in (*nodes, *links)} == {"flood"}
    named = network.model
    assert [kinds[id] for id in named.node_ids] == list(named.node_kinds)
    assert all(row["element"] in kinds for row in part.rows["risk_points"])


def test_a_storm_of_100_mm_fills_the_streets_and_no_more() -> None:
    part = lay_drainage(lay_ground(1, 160))
    storm = uniform("s", START_MS, 100, 60)
    network = FloodNetwork(part.text, RainField([storm]), START_MS)
    failed = FloodNetwork(part.text, RainField([storm]), START_MS)
    for pump in ("FP001A", "FP001B"):
        failed.apply(Disturbance("pump_off", pump))
    road = np.array([kind == "road" for kind in network.model.node_kinds])
    highest = np.zeros(int(road.sum()))
    under = network.node_ids.index("FU001")
    with_pumps = without = 0.0
    for minute in range(10, 91, 10):
        for one in (network, failed):
            one.begin(START_MS + minute * MINUTE_MS)
        frame, other = network.finish(), failed.finish()
        highest = np.maximum(highest, frame.node["ponding_depth"][: len(road)][road])
        with_pumps = max(with_pumps, float(frame.node["ponding_depth"][under]))
        without = max(without, float(other.node["ponding_depth"][under]))
    network.close()
    failed.close()
    assert 5 < highest.max() <= 60
    assert without > with_pumps + 25
    assert abs(network.continuity_error) <= 0.02


def test_a_swmm_file_becomes_a_city_that_runs() -> None:
    plain = (
        SMALL_DRAINS.split("[TAGS]")[0] + "[COORDINATES]" + SMALL_DRAINS.split("[COORDINATES]")[1]
    )
    city = import_swmm(plain, "small", "Small")
    kinds = {row["id"]: row["kind"] for row in city.rows("nodes")}
    assert kinds["W"] == "pump_station"
    assert kinds["O"] == "outfall"
    assert kinds["G"] == "rain_gauge"
    assert list(kinds.values()).count("road") == 1
    assert {row["area"] for row in city.rows("nodes")} <= {row["id"] for row in city.rows("areas")}
    assert {row["team"] for row in city.rows("risk_points")} <= {
        row["id"] for row in city.rows("teams")
    }
    network = FloodNetwork(
        city.networks["flood"], RainField([uniform("s", START_MS, 100, 30)]), START_MS
    )
    frame = network.step(START_MS + 30 * MINUTE_MS)
    network.close()
    assert np.nanmax(frame.link["flow"]) > 100


def test_an_imported_city_keeps_what_its_tags_say() -> None:
    model = read_model(import_swmm(SMALL_DRAINS, "small", "Small").networks["flood"])
    spot = model.node_ids.index("S")
    assert model.node_kinds[spot] == "road"
    assert model.rim_m[spot] == 2.5


@pytest.mark.parametrize(
    ("key", "row", "named"),
    [
        ("cover_m", {"value": -1, "unit": "m", "source": "x"}, "cover_m is -1"),
        ("cover_m", {"value": 1, "unit": "m"}, "value, unit and source"),
        ("colour", {"value": 1, "unit": "m", "source": "x"}, "colour is unknown"),
    ],
)
def test_a_wrong_design_is_named(key: str, row: dict[str, object], named: str) -> None:
    rows = {name: {"value": 1.0, "unit": "m", "source": "x"} for name in design().__slots__}
    with pytest.raises(ScenarioError, match=named) as error:
        read_design(yaml.safe_dump({**rows, key: row}))
    assert FILE in str(error.value)
