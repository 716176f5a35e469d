"""The gas network as the world sees it: frames, stories of leaks, and refusals."""

from functools import cache

import numpy as np
import pytest

from simulator.city.gas_mains import lay_gas
from simulator.city.ground import lay_ground
from simulator.errors import InjectionError, PhysicsError
from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.gas.model import GasModel, dump, parse
from simulator.physics.gas.network import GasNetwork
from tests.unit.gas_nets import gas_net, spaces

START_MS = 1_780_243_200_000
MINUTE_MS = 60_000


@cache
def text() -> str:
    return lay_gas(lay_ground(2, 120)).text


@cache
def model() -> GasModel:
    return parse(text())


def value(network: GasNetwork, frame: PhysicsFrame, quantity: str, node: str) -> float:
    return float(frame.node[quantity][network.node_ids.index(node)])


def run(network: GasNetwork, first: int, minutes: int) -> list[PhysicsFrame]:
    steps = range(first + 1, first + minutes + 1)
    return [network.step(START_MS + minute * MINUTE_MS) for minute in steps]


def low_pipe_beside_manhole() -> tuple[str, str]:
    """Return the nearest manhole to any low-pressure pipe, and that pipe."""
    hearing = model().hearing
    rows = zip(hearing.distance_m, hearing.space, hearing.pipe, strict=True)
    _, space, pipe = min(row for row in rows if row[1][:2] == "GH" and row[2][:3] == "GPL")
    return space, pipe


def test_each_quantity_is_where_it_can_be_measured() -> None:
    network = GasNetwork(text(), START_MS)
    frame = network.step(START_MS)
    kinds = [*model().nodes.kind, *model().spaces.kind]
    for quantity, where in (
        ("gas_pressure", ("source", "junction", "regulator_out")),
        ("methane", ("manhole_space", "valve_well")),
        ("methane_lel", ("station", "tunnel")),
    ):
        np.testing.assert_array_equal(np.isfinite(frame.node[quantity]), np.isin(kinds, where))


def test_a_pinhole_shows_in_the_air_and_not_in_the_pressure() -> None:
    network = GasNetwork(text(), START_MS)
    space, pipe = low_pipe_beside_manhole()
    before = network.step(START_MS)
    network.apply(Disturbance("leak", pipe, 5.0))
    after = run(network, 0, 180)[-1]
    assert network.leak_outflow(pipe) == pytest.approx(4.7, abs=0.5)
    change = after.node["gas_pressure"] - GasNetwork(text(), START_MS + 180 * MINUTE_MS).step(
        START_MS + 180 * MINUTE_MS
    ).node["gas_pressure"]  # fmt: skip
    assert np.abs(change[np.char.startswith(network.node_ids, "GL")]).max() < 0.05
    assert value(network, before, "methane", space) < 0.3
    assert value(network, after, "methane", space) > 1.0


def test_closing_the_pipe_ends_its_leak_and_air_clears_the_manhole() -> None:
    network = GasNetwork(text(), START_MS)
    space, pipe = low_pipe_beside_manhole()
    network.apply(Disturbance("leak", pipe, 5.0))
    high = value(network, run(network, 0, 240)[-1], "methane", space)
    network.apply(Disturbance("close", pipe))
    network.apply(Disturbance("ventilate", space, 20.0))
    frames = run(network, 240, 240)
    assert network.leak_outflow(pipe) == 0
    assert frames[1].balance["leakage"] == 0
    assert frames[0].link["status"][network.link_ids.index(pipe)] == 0
    assert value(network, frames[-1], "methane", space) < 0.05 * high
    network.apply(Disturbance("open", pipe))
    assert network.leak_outflow(pipe) > 4
    network.apply(Disturbance("repair", pipe))
    assert network.leak_outflow(pipe) == 0


def test_a_strike_on_a_main_drops_the_pressure_at_once() -> None:
    network = GasNetwork(text(), START_MS)
    before = network.step(START_MS).node["gas_pressure"]
    mains = [name for name in network.link_ids if name.startswith("GPM")]
    network.apply(Disturbance("leak", mains[len(mains) // 2], 50.0))
    frame = network.step(START_MS + MINUTE_MS)
    assert np.nanmax(before - frame.node["gas_pressure"]) > 10.0
    assert network.leak_outflow(mains[len(mains) // 2]) > 1000
    balance = frame.balance
    assert balance["inflow"] == pytest.approx(balance["demand"] + balance["leakage"], rel=1e-6)
    assert balance["imbalance"] < 1e-6


def test_a_leaking_valve_fills_its_well() -> None:
    network = GasNetwork(text(), START_MS)
    well = next(name for name in network.node_ids if name.startswith("GV"))
    network.apply(Disturbance("well_leak", well, 0.5))
    frame = run(network, 0, 300)[-1]
    assert network.leak_outflow(well) == pytest.approx(0.5)
    assert value(network, frame, "methane", well) > 2.5
    network.apply(Disturbance("repair", well))
    assert network.leak_outflow(well) == 0


def test_wind_thins_what_gathers() -> None:
    calm, windy = GasNetwork(text(), START_MS), GasNetwork(text(), START_MS)
    windy.apply(Disturbance("wind", "", 12.0))
    well = next(name for name in calm.node_ids if name.startswith("GV"))
    for network in (calm, windy):
        network.apply(Disturbance("well_leak", well, 0.5))
    there, here = (value(n, run(n, 0, 240)[-1], "methane", well) for n in (windy, calm))
    assert there < 0.7 * here


def test_a_trip_of_the_regulator_leaves_its_zone_without_gas() -> None:
    network = GasNetwork(text(), START_MS)
    for regulator in model().regulators.id:
        network.apply(Disturbance("regulator", regulator, 0.0))
    frame = network.step(START_MS + MINUTE_MS)
    low = [name.startswith("GL") for name in network.node_ids]
    assert (frame.node["gas_pressure"][low] == 0).all()
    network.apply(Disturbance("regulator", model().regulators.id[0], 1.5))
    frame = network.step(START_MS + 2 * MINUTE_MS)
    assert np.nanmax(frame.node["gas_pressure"][low]) == pytest.approx(2.65 * 1.5)


def test_demand_follows_the_local_hour_and_its_factor() -> None:
    def inflow(network: GasNetwork) -> float:
        return run(network, 0, 1)[-1].balance["inflow"]

    utc, local = GasNetwork(text(), START_MS), GasNetwork(text(), START_MS, 18 * 3_600_000)
    ratio = inflow(local) / inflow(utc)
    hourly = model().hourly  # 16 h UTC, and 10 h in the east
    assert ratio == pytest.approx((hourly[9] + hourly[10]) / (hourly[15] + hourly[16]), rel=0.02)
    surged = GasNetwork(text(), START_MS)
    for node in model().nodes.id:
        surged.apply(Disturbance("demand", node, 1.5))
    assert inflow(surged) == pytest.approx(1.5 * inflow(GasNetwork(text(), START_MS)), rel=1e-6)


def test_steps_of_any_length_meet_at_the_same_state() -> None:
    space, pipe = low_pipe_beside_manhole()
    ends = []
    for minutes in (1, 7, 60):
        network = GasNetwork(text(), START_MS)
        network.apply(Disturbance("leak", pipe, 8.0))
        for minute in range(minutes, 420 + 1, minutes):
            frame = network.step(START_MS + minute * MINUTE_MS)
        ends.append((value(network, frame, "methane", space), np.nansum(frame.link["flow"])))
    assert ends[0] == pytest.approx(ends[1], rel=1e-6)
    assert ends[0] == pytest.approx(ends[2], rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "element", "amount", "said"),
    [
        ("burst", "GPL00001", 1.0, "knows no disturbance 'burst'; use one of leak"),
        ("leak", "GL00001", 1.0, "a pipe of the gas network is needed, but 'GL00001' is a "),
        ("well_leak", "GH99999", 1.0, "there is no 'GH99999'; did you mean GV"),
        ("leak", "GPL00001", -1.0, "use 0 or more"),
        ("leak", "GPL00001", float("nan"), "use 0 or more"),
        ("regulator", "GPL00001", 1.0, "a regulator of the gas network is needed"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, element: str, amount: float, said: str) -> None:
    with pytest.raises(InjectionError, match=said):
        GasNetwork(text(), START_MS).apply(Disturbance(kind, element, amount))


def test_a_tunnel_that_bites_its_tail_is_refused() -> None:
    rows = [{"id": "U1", "kind": "tunnel", "upstream": "U2"}]
    rows.append({"id": "U2", "kind": "tunnel", "upstream": "U1"})
    net = gas_net([("S", "A", 100.0, 110.0)], {"A": 1.0}, 2.5, beside=spaces(*rows))
    with pytest.raises(PhysicsError, match="upstream"):
        GasNetwork(dump(net), START_MS)
