"""What every physics plug-in keeps, whatever its hazard; a new one joins by one line."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

import numpy as np
import pytest

from simulator.city.gas_mains import lay_gas
from simulator.city.generate import generate_town
from simulator.city.ground import lay_ground
from simulator.errors import InjectionError
from simulator.physics.base import Disturbance, Network, PhysicsFrame
from simulator.physics.fire.network import BuildingNetwork
from simulator.physics.flood.network import FloodNetwork
from simulator.physics.flood.rain import RainField, uniform
from simulator.physics.gas.network import GasNetwork
from simulator.physics.water.network import WaterNetwork
from tests.unit.drain_models import SMALL_DRAINS

START_MS = 1_780_243_200_000
MINUTE_MS = 60_000


@dataclass(frozen=True)
class PlugIn:
    """A plug-in under test.

    Attributes:
        open: Opens a small network at `START_MS`.
        disturbance: Something that changes what is delivered, or where water goes.
        node: A quantity of the nodes that follows the disturbance; NaN at kinds without it.
        link: A quantity every link has; empty for a network without links.
        comes: Keys of the balance: what comes in.
        goes: Keys of the balance: where it stays or goes.
        error: Largest difference of the two, as a share of all that moved.
    """

    open: Callable[[], Network]
    disturbance: Disturbance
    node: str
    link: str
    comes: tuple[str, ...]
    goes: tuple[str, ...]
    error: float


@cache
def water_inp() -> str:
    city, _ = generate_town(3, junctions=40)
    return city.networks["water"]


@cache
def gas_text() -> str:
    return lay_gas(lay_ground(2, 80)).text


def drains() -> FloodNetwork:
    rain = uniform("S", START_MS, 60, 20)
    return FloodNetwork(SMALL_DRAINS, RainField((rain,)), START_MS)


FIRE = json.dumps({"buildings": [{"id": "H1", "feed": "J1", "height_m": 60, "tank_m3": 40}]})

PLUG_INS = {
    "water": PlugIn(
        lambda: WaterNetwork(water_inp(), START_MS),
        Disturbance("leak", "P0018", 60.0),
        "pressure",
        "flow",
        ("inflow",),
        ("consumption", "leakage", "storage"),
        1e-2,
    ),
    "gas": PlugIn(
        lambda: GasNetwork(gas_text(), START_MS),
        Disturbance("leak", "GPM00001", 60.0),
        "gas_pressure",
        "flow",
        ("inflow",),
        ("demand", "leakage"),
        1e-6,
    ),
    "flood": PlugIn(
        drains,
        Disturbance("inflow", "A", 900.0),
        "freeboard",
        "flow",
        ("rainfall", "inflow"),
        ("outflow", "loss", "storage"),
        2e-2,
    ),
    "fire": PlugIn(
        lambda: BuildingNetwork(FIRE, START_MS),
        Disturbance("drain", "H1", 12.0),
        "water_level",
        "",
        ("make_up",),
        ("drained", "storage"),
        1e-9,
    ),
}


@pytest.fixture(params=PLUG_INS)
def plug_in(request: pytest.FixtureRequest) -> PlugIn:
    return PLUG_INS[request.param]


@pytest.fixture
def network(plug_in: PlugIn) -> Iterator[Network]:
    opened = plug_in.open()
    yield opened
    opened.close()


def run(network: Network, minutes: int, disturbances: dict[int, Disturbance]) -> list[PhysicsFrame]:
    """Step minute by minute, applying each disturbance after the step of its minute."""
    frames = []
    for minute in range(minutes):
        frames.append(network.step(START_MS + minute * MINUTE_MS))
        if minute in disturbances:
            network.apply(disturbances[minute])
    return frames


def assert_equal(one: PhysicsFrame, other: PhysicsFrame) -> None:
    assert (one.time_ms, one.balance) == (other.time_ms, other.balance)
    for mine, theirs in ((one.node, other.node), (one.link, other.link)):
        assert list(mine) == list(theirs)
        for name, column in mine.items():
            np.testing.assert_array_equal(column, theirs[name])


def test_every_installed_plug_in_is_tested_here() -> None:
    assert {entry.name for entry in entry_points(group="tocsin.physics")} == set(PLUG_INS)


def test_frames_are_columns_in_the_order_of_the_ids(plug_in: PlugIn, network: Network) -> None:
    frame = network.step(START_MS)
    assert frame.time_ms == START_MS
    assert len(set(network.node_ids)) == len(network.node_ids) > 0
    assert len(set(network.link_ids)) == len(network.link_ids)
    assert bool(network.link_ids) == bool(plug_in.link)
    assert {len(column) for column in frame.node.values()} == {len(network.node_ids)}
    assert all(len(column) == len(network.link_ids) for column in frame.link.values())
    assert np.isfinite(frame.node[plug_in.node]).any()
    assert all(np.isfinite(frame.link[name]).all() for name in [plug_in.link] if name)


def test_a_frame_is_not_changed_by_later_steps(plug_in: PlugIn, network: Network) -> None:
    frame = network.step(START_MS)
    kept = frame.node[plug_in.node].copy()
    network.apply(plug_in.disturbance)
    later = network.step(START_MS + 5 * MINUTE_MS)
    np.testing.assert_array_equal(frame.node[plug_in.node], kept)
    assert not np.array_equal(later.node[plug_in.node], kept, equal_nan=True)


def test_the_same_inputs_give_the_same_frames(plug_in: PlugIn) -> None:
    runs = []
    for _ in range(2):
        network = plug_in.open()
        runs.append(run(network, 30, {10: plug_in.disturbance}))
        network.close()
    for one, other in zip(*runs, strict=True):
        assert_equal(one, other)


def test_two_open_networks_do_not_touch_each_other(plug_in: PlugIn, network: Network) -> None:
    disturbed = plug_in.open()
    alone = run(network, 20, {})
    run(disturbed, 10, {0: plug_in.disturbance})
    disturbed.close()
    again = plug_in.open()
    for one, other in zip(alone, run(again, 20, {}), strict=True):
        assert_equal(one, other)
    again.close()


def test_a_disturbance_acts_from_the_next_step_on(plug_in: PlugIn, network: Network) -> None:
    calm = run(network, 20, {})
    other = plug_in.open()
    disturbed = run(other, 20, {10: plug_in.disturbance})
    other.close()
    for minute in range(11):
        assert_equal(calm[minute], disturbed[minute])
    changed = calm[11].node[plug_in.node], disturbed[11].node[plug_in.node]
    assert not np.array_equal(*changed, equal_nan=True)


def test_time_never_goes_back(plug_in: PlugIn, network: Network) -> None:
    """A step back is refused, or changes nothing."""
    now_ms = START_MS + 10 * MINUTE_MS
    network.step(START_MS)
    last = network.step(now_ms)
    try:
        back = network.step(now_ms - 5 * MINUTE_MS)
    except ValueError:
        return
    np.testing.assert_array_equal(back.node[plug_in.node], last.node[plug_in.node])
    onward = network.step(now_ms + MINUTE_MS)
    other = plug_in.open()
    other.step(START_MS)
    other.step(now_ms)
    assert_equal(onward, other.step(now_ms + MINUTE_MS))
    other.close()


def test_the_present_moment_may_be_asked_for_again(plug_in: PlugIn, network: Network) -> None:
    first = network.step(START_MS + MINUTE_MS)
    again = network.step(START_MS + MINUTE_MS)
    np.testing.assert_array_equal(first.node[plug_in.node], again.node[plug_in.node])
    assert {again.balance[key] for key in plug_in.comes + plug_in.goes} == {0.0}


@pytest.mark.parametrize("minutes", [1, 15])
def test_what_comes_in_is_what_stays_or_goes(
    plug_in: PlugIn, network: Network, minutes: int
) -> None:
    network.step(START_MS)
    network.apply(plug_in.disturbance)
    keys = plug_in.comes + plug_in.goes
    totals = dict.fromkeys(keys, 0.0)
    for step in range(minutes, 61, minutes):
        balance = network.step(START_MS + step * MINUTE_MS).balance
        assert set(balance) >= set(keys)
        totals = {key: totals[key] + balance[key] for key in keys}
    moved = sum(abs(amount) for amount in totals.values())
    assert moved > 0
    came, went = (sum(totals[key] for key in part) for part in (plug_in.comes, plug_in.goes))
    assert abs(came - went) < plug_in.error * moved


@pytest.mark.parametrize(
    ("kind", "element", "said"),
    [("no_such_kind", None, "no_such_kind"), (None, "NO-SUCH-ELEMENT", "NO-SUCH-ELEMENT")],
)
def test_unknown_disturbances_are_refused_by_name_and_change_nothing(
    plug_in: PlugIn, network: Network, kind: str | None, element: str | None, said: str
) -> None:
    known = plug_in.disturbance
    wrong = Disturbance(kind or known.kind, element or known.element, known.amount)
    network.step(START_MS)
    with pytest.raises(InjectionError, match=said):
        network.apply(wrong)
    other = plug_in.open()
    other.step(START_MS)
    assert_equal(network.step(START_MS + MINUTE_MS), other.step(START_MS + MINUTE_MS))
    other.close()


def test_closing_twice_is_fine(plug_in: PlugIn) -> None:
    network = plug_in.open()
    network.step(START_MS)
    network.close()
    network.close()
