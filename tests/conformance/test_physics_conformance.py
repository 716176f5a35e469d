"""What every physics plug-in keeps, whatever its hazard; a new one joins by one line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

import numpy as np
import pytest

from simulator.city.generate import generate_town
from simulator.errors import InjectionError
from simulator.physics.base import Disturbance, Network, PhysicsFrame
from simulator.physics.water.network import WaterNetwork

START_MS = 1_780_243_200_000
MINUTE_MS = 60_000


@dataclass(frozen=True)
class PlugIn:
    """A plug-in under test.

    Attributes:
        open: Opens a small network at `START_MS`.
        disturbance: Something that lowers what is delivered somewhere.
        node: A quantity every node has.
        link: A quantity every link has.
        balance: Keys of the balance: what comes in, then where it stays or goes.
    """

    open: Callable[[], Network]
    disturbance: Disturbance
    node: str
    link: str
    balance: tuple[str, ...]


@cache
def water_inp() -> str:
    city, _ = generate_town(3, junctions=40)
    return city.networks["water"]


PLUG_INS = {
    "water": PlugIn(
        lambda: WaterNetwork(water_inp(), START_MS),
        Disturbance("leak", "P0018", 60.0),
        "pressure",
        "flow",
        ("inflow", "consumption", "leakage", "storage"),
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
    assert len(set(network.link_ids)) == len(network.link_ids) > 0
    assert {len(column) for column in frame.node.values()} == {len(network.node_ids)}
    assert {len(column) for column in frame.link.values()} == {len(network.link_ids)}
    assert np.isfinite(frame.node[plug_in.node]).all()
    assert np.isfinite(frame.link[plug_in.link]).all()


def test_a_frame_is_not_changed_by_later_steps(plug_in: PlugIn, network: Network) -> None:
    frame = network.step(START_MS)
    kept = frame.node[plug_in.node].copy()
    network.apply(plug_in.disturbance)
    later = network.step(START_MS + 5 * MINUTE_MS)
    np.testing.assert_array_equal(frame.node[plug_in.node], kept)
    assert not np.array_equal(later.node[plug_in.node], kept)


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
    assert not np.array_equal(calm[11].node[plug_in.node], disturbed[11].node[plug_in.node])


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
    assert set(again.balance.values()) == {0.0}


@pytest.mark.parametrize("minutes", [1, 15])
def test_what_comes_in_is_what_stays_or_goes(
    plug_in: PlugIn, network: Network, minutes: int
) -> None:
    network.step(START_MS)
    network.apply(plug_in.disturbance)
    totals = dict.fromkeys(plug_in.balance, 0.0)
    for step in range(1, 61, minutes):
        balance = network.step(START_MS + step * MINUTE_MS).balance
        assert tuple(sorted(balance)) == tuple(sorted(plug_in.balance))
        totals = {key: totals[key] + balance[key] for key in totals}
    inflow, *outflows = totals.values()
    moved = sum(abs(amount) for amount in totals.values())
    assert moved > 0
    assert abs(inflow - sum(outflows)) < 0.01 * moved


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
