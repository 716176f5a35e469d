"""The drains under simulation: dry for nothing, wet in a process, acted on, never hanging."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import pytest

from simulator.errors import InjectionError, PhysicsError
from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.flood.disturbances import entry_loss
from simulator.physics.flood.network import FloodNetwork
from simulator.physics.flood.rain import RainField, Storm, uniform
from tests.unit.drain_models import SMALL_DRAINS

START_MS = 1_780_243_200_000
MINUTE_MS = 60_000


def network(*storms: Storm, **options: object) -> FloodNetwork:
    return FloodNetwork(SMALL_DRAINS, RainField(storms), START_MS, **options)  # type: ignore[arg-type]


def heavy(minutes: int = 60, start: int = 0) -> Storm:
    return uniform("s", START_MS + start * MINUTE_MS, 100, minutes)


def run(drains: FloodNetwork, minutes: int, first: int = 0) -> list[PhysicsFrame]:
    steps = range(first + 1, first + minutes + 1)
    return [drains.step(START_MS + minute * MINUTE_MS) for minute in steps]


def at(drains: FloodNetwork, frame: PhysicsFrame, quantity: str, id: str) -> float:
    if id in drains.node_ids:
        return float(frame.node[quantity][drains.node_ids.index(id)])
    return float(frame.link[quantity][drains.link_ids.index(id)])


@pytest.fixture
def wet() -> Iterator[FloodNetwork]:
    drains = network(heavy())
    yield drains
    drains.close()


def test_a_dry_network_has_no_process_and_stands_still() -> None:
    drains = network()
    frames = run(drains, 600)
    assert drains.starts == 0
    assert at(drains, frames[-1], "freeboard", "A") == 3.0
    assert at(drains, frames[-1], "ponding_depth", "S") == 0
    assert at(drains, frames[-1], "ponding_depth", "U") == 0
    assert at(drains, frames[-1], "water_level", "R") == pytest.approx(2.0)
    assert at(drains, frames[-1], "pump_state", "P1") == 0
    assert at(drains, frames[-1], "status", "GO") == 1
    assert not any(frames[-1].balance.values())


def test_quantities_stand_at_their_kinds_only() -> None:
    drains = network()
    frame = drains.step(START_MS)
    ids = np.array(drains.node_ids)
    shown = {key: set(ids[np.isfinite(column)]) for key, column in frame.node.items()}
    assert shown == {
        "freeboard": {"A", "B", "X"},
        "ponding_depth": {"S", "U"},
        "water_level": {"W", "R"},
        "rainfall": {"G"},
    }


def test_a_storm_starts_the_worker_and_rest_ends_it() -> None:
    drains = network(heavy(30, start=20))
    frames = run(drains, 19)
    assert not drains.is_running
    frames += run(drains, 8 * 60, first=19)
    assert drains.starts == 1
    assert not drains.is_running
    assert at(drains, frames[-1], "rainfall", "G") == pytest.approx(50.0)
    levels = np.array([at(drains, frame, "freeboard", "B") for frame in frames])
    assert levels.min() < 2.5
    # Falling asleep and staying there moves no level.
    assert np.abs(np.diff(levels[-60:])).max() < 0.005
    total = {key: sum(frame.balance[key] for frame in frames) for key in frames[0].balance}
    assert total["rainfall"] == pytest.approx(0.050 * 64_500, rel=1e-3)
    assert abs(drains.continuity_error) < 0.02
    drains.close()


def test_it_starts_again_with_the_water_it_left() -> None:
    drains = network(heavy(30), heavy(20, start=8 * 60))
    drains.apply(Disturbance("pump_off", "P1"))
    drains.apply(Disturbance("pump_off", "P2"))
    frames = run(drains, 8 * 60)
    assert not drains.is_running
    left = at(drains, frames[-1], "ponding_depth", "U")
    assert left > 20
    frames += run(drains, 20, first=8 * 60)
    assert drains.starts == 2
    assert at(drains, frames[-20], "ponding_depth", "U") == pytest.approx(left, abs=1.0)
    assert at(drains, frames[-1], "ponding_depth", "U") > left
    drains.close()


def test_the_same_storm_gives_the_same_frames(wet: FloodNetwork) -> None:
    first = run(wet, 45)
    again = network(heavy())
    second = run(again, 45)
    again.close()
    for key, column in first[-1].node.items():
        assert np.array_equal(column, second[-1].node[key], equal_nan=True)


def test_begin_and_finish_are_one_step(wet: FloodNetwork) -> None:
    wet.begin(START_MS + MINUTE_MS)
    with pytest.raises(ValueError, match="not finished"):
        wet.begin(START_MS + 2 * MINUTE_MS)
    assert wet.finish().time_ms == START_MS + MINUTE_MS
    with pytest.raises(ValueError, match="begin first"):
        wet.finish()
    with pytest.raises(ValueError, match="beyond"):
        wet.step(START_MS)


def test_pumps_follow_the_depths_of_their_well(wet: FloodNetwork) -> None:
    frames = run(wet, 120)
    running = [at(wet, frame, "pump_state", "P1") for frame in frames]
    assert 1.0 in running
    assert running[-1] == 0.0
    assert max(at(wet, frame, "ponding_depth", "U") for frame in frames) < 25


@pytest.mark.parametrize(
    ("acts", "undo", "element", "sign"),
    [
        ([Disturbance("pump_off", "P1"), Disturbance("pump_off", "P2")], [], "U", 1),
        ([Disturbance("gate_close", "GU")], [], "U", 1),
        ([Disturbance("block", "C3", 0.9)], [], "S", 1),
        ([Disturbance("gate_close", "GO")], [], "S", 1),
        ([Disturbance("river", "", 3.0)], [], "S", 1),
        ([Disturbance("inflow", "S", 3000.0)], [], "S", 1),
        ([Disturbance("block", "C3", 0.9)], [Disturbance("clear", "X")], "S", 0),
        ([Disturbance("gate_close", "GO")], [Disturbance("gate_open", "GO")], "S", 0),
        ([Disturbance("river", "", 3.0)], [Disturbance("river", "", 0.0)], "S", 0),
    ],
)
def test_disturbances_change_what_stands_on_the_street(
    acts: list[Disturbance], undo: list[Disturbance], element: str, sign: int
) -> None:
    before, after = highest_cm((), element), highest_cm((*acts, *undo), element)
    if sign:
        assert (after - before) * sign > 1.0
    else:
        assert after == pytest.approx(before, abs=0.1)


@cache
def highest_cm(acts: tuple[Disturbance, ...], element: str) -> float:
    drains = network(heavy())
    for act in acts:
        drains.apply(act)
    frames = run(drains, 40)
    drains.close()
    return max(at(drains, frame, "ponding_depth", element) for frame in frames)


def test_a_mobile_pump_takes_what_stands_and_no_more() -> None:
    flood = Disturbance("inflow", "S", 3000.0)
    pumped = highest_cm((flood, Disturbance("mobile_pump", "S", 1500.0)), "S")
    assert highest_cm((flood,), "S") > pumped + 1.0
    drains = network(heavy(5))
    drains.apply(Disturbance("mobile_pump", "S", 50_000.0))
    run(drains, 30)
    drains.close()
    assert abs(drains.continuity_error) < 0.02


def test_a_mobile_pump_on_a_dry_spot_lets_the_worker_rest() -> None:
    drains = network(heavy(5))
    drains.apply(Disturbance("mobile_pump", "S", 50_000.0))
    run(drains, 10)
    assert drains.is_running
    run(drains, 8 * 60, first=10)
    assert not drains.is_running
    drains.close()


def test_a_barrier_keeps_the_street_out_of_the_underpass() -> None:
    depths = []
    for is_up in (0.0, 1.0):
        drains = network(heavy())
        drains.apply(Disturbance("inflow", "S", 4000.0))
        drains.apply(Disturbance("barrier", "U", is_up))
        depths.append(at(drains, run(drains, 60)[-1], "ponding_depth", "U"))
        drains.close()
    assert depths[0] > depths[1] + 50


def test_water_from_outside_wakes_a_dry_network() -> None:
    drains = network()
    drains.apply(Disturbance("inflow", "A", 500.0))
    frame = run(drains, 20)[-1]
    assert drains.is_running
    assert at(drains, frame, "flow", "C1") == pytest.approx(500, rel=0.02)
    assert frame.balance["inflow"] == pytest.approx(500 / 60, rel=0.02)
    drains.close()


def test_a_river_shows_at_its_gauge_at_once() -> None:
    drains = network()
    drains.apply(Disturbance("river", "", -0.5))
    assert at(drains, drains.step(START_MS), "water_level", "R") == pytest.approx(1.5)
    drains.close()


def test_the_loss_of_a_blockage_grows_without_bound() -> None:
    losses = [entry_loss(share) for share in (0.0, 0.3, 0.6, 0.9)]
    assert losses[0] == 0
    assert losses == sorted(losses)
    assert losses[-1] > 100


@pytest.mark.parametrize(
    ("disturbance", "named"),
    [
        (Disturbance("freeze", "A"), "freeze"),
        (Disturbance("pump_off", "C1"), "no pump"),
        (Disturbance("block", "C1", 1.5), "0 to 1"),
        (Disturbance("block", "P1", 0.5), "no conduit"),
        (Disturbance("inflow", "G", 1.0), "'G'"),
        (Disturbance("inflow", "A", float("nan")), "finite"),
        (Disturbance("mobile_pump", "S", -1.0), "0 or more"),
        (Disturbance("barrier", "A", 1.0), "ponding spot"),
    ],
)
def test_what_does_not_fit_is_refused(disturbance: Disturbance, named: str) -> None:
    with pytest.raises(InjectionError, match=named):
        network().apply(disturbance)


def test_a_saved_state_starts_another_network(wet: FloodNetwork) -> None:
    frame = run(wet, 30)[-1]
    state = wet.save_state()
    other = network(uniform("t", START_MS, 1, 5), hotstart=state)
    after = run(other, 1)[-1]
    assert at(other, after, "freeboard", "B") == pytest.approx(
        at(wet, frame, "freeboard", "B"), abs=0.15
    )
    other.close()


def test_a_dead_worker_is_an_error_that_names_it(wet: FloodNetwork) -> None:
    run(wet, 2)
    (child,) = psutil.Process().children()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(PhysicsError, match=f"process {child.pid} died"):
        run(wet, 2, first=2)


def test_a_refused_file_is_named_when_it_rains() -> None:
    drains = FloodNetwork(
        SMALL_DRAINS.replace("CIRCULAR 0.6", "ROUND 0.6"), RainField([heavy()]), START_MS
    )
    with pytest.raises(PhysicsError, match="ROUND"):
        drains.step(START_MS + MINUTE_MS)
    drains.close()


def test_a_file_that_is_none_is_refused() -> None:
    with pytest.raises(PhysicsError, match="SWMM"):
        FloodNetwork("hello", RainField(), START_MS)


PARENT = f"""
import sys
from simulator.physics.flood.network import FloodNetwork
from simulator.physics.flood.rain import RainField, uniform
from tests.unit.drain_models import SMALL_DRAINS
drains = FloodNetwork(SMALL_DRAINS, RainField([uniform("s", {START_MS}, 100, 60)]), {START_MS})
drains.step({START_MS + MINUTE_MS})
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_parent_leaves_no_worker_and_no_file(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        children = psutil.Process(parent.pid).children()
        assert len(children) == 1
        parent.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert list(tmp_path.iterdir()) == []
