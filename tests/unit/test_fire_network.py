"""Fire water in high-rises: levels and pressures against the closed form, and what is conserved."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InjectionError, PhysicsError
from simulator.physics.base import Disturbance
from simulator.physics.fire.network import BuildingNetwork

HOUR_MS = 3_600_000
TEXT = json.dumps(
    {
        "format": 1,
        "buildings": [
            {"id": "H1", "feed": "J1", "height_m": 60.0, "tank_m3": 40.0},
            {"id": "H2", "feed": "", "height_m": 90.0, "tank_m3": 20.0},
        ],
    }
)


@pytest.fixture
def network() -> BuildingNetwork:
    return BuildingNetwork(TEXT, 0)


def test_a_full_tank_gives_its_head_at_the_worst_hydrant(network: BuildingNetwork) -> None:
    frame = network.step(HOUR_MS)
    np.testing.assert_allclose(frame.node["water_level"], 2.0)
    np.testing.assert_allclose(frame.node["pressure"], 12.0 / 101.972)


def test_a_tank_loses_what_is_drained_less_what_is_made_up(network: BuildingNetwork) -> None:
    network.apply(Disturbance("drain", "H1", 15.0))
    level_m = network.step(2 * HOUR_MS).node["water_level"]
    np.testing.assert_allclose(level_m, [(40.0 - 2 * (15.0 - 5.0)) / 40.0 * 2.0, 2.0])


def test_without_pressure_in_the_mains_nothing_is_made_up(network: BuildingNetwork) -> None:
    network.feed(np.array([np.nan, 0.3]))
    network.apply(Disturbance("drain", "H1", 10.0))
    network.apply(Disturbance("drain", "H2", 10.0))
    frame = network.step(2 * HOUR_MS)
    np.testing.assert_allclose(frame.node["water_level"], [1.0, (20 - 20 + 5) / 20 * 2])


def test_an_empty_tank_leaves_what_the_mains_reach(network: BuildingNetwork) -> None:
    for building in ("H1", "H2"):
        network.apply(Disturbance("drain", building, 100.0))
    network.feed(np.array([0.6, 0.0]))
    network.step(HOUR_MS)
    frame = network.step(2 * HOUR_MS)
    np.testing.assert_allclose(frame.node["water_level"], 0.0, atol=0.3)
    assert frame.node["pressure"][1] == 0.0
    assert frame.node["pressure"][0] == pytest.approx(max(0.6 - 50.0 / 101.972, 0.1), abs=0.02)


def test_a_tanker_fills_a_tank_at_once(network: BuildingNetwork) -> None:
    network.apply(Disturbance("drain", "H1", 20.0))
    network.step(HOUR_MS)
    network.apply(Disturbance("drain", "H1"))
    network.apply(Disturbance("fill", "H1"))
    frame = network.step(HOUR_MS)
    assert frame.node["water_level"][0] == 2.0
    assert frame.balance["storage"] == frame.balance["make_up"] == pytest.approx(15.0)


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 0.5), st.integers(1, 600)), max_size=8))
def test_no_water_appears_or_gets_lost(steps: list[tuple[float, float, int]]) -> None:
    network, now_ms = BuildingNetwork(TEXT, 0), 0
    for drained, feed, minutes in steps:
        network.apply(Disturbance("drain", "H1", drained))
        network.feed(np.array([feed, feed]))
        now_ms += minutes * 60_000
        frame = network.step(now_ms)
        balance = frame.balance
        assert balance["make_up"] - balance["drained"] == pytest.approx(
            balance["storage"], abs=1e-9
        )
        assert ((frame.node["water_level"] >= 0) & (frame.node["water_level"] <= 2.0 + 1e-12)).all()


@pytest.mark.parametrize(
    ("disturbance", "said"),
    [
        (Disturbance("drain", "H9", 1.0), "no building 'H9'"),
        (Disturbance("drain", "H1", -1.0), "amount -1.0; use 0 or more"),
        (Disturbance("leak", "H1", 1.0), "knows drain and fill, not 'leak'"),
    ],
)
def test_what_does_not_fit_is_refused(
    network: BuildingNetwork, disturbance: Disturbance, said: str
) -> None:
    with pytest.raises(InjectionError, match=said):
        network.apply(disturbance)


@pytest.mark.parametrize(
    "text", ["{}", '{"buildings": [{"id": "H", "feed": "", "height_m": 9, "tank_m3": 0}]}']
)
def test_a_model_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(PhysicsError, match="fire water model"):
        BuildingNetwork(text, 0)
