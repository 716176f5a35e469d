"""The engine layer gives what EPA SWMM gives when it runs the same file by itself."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from swmm.toolkit import output, solver
from swmm.toolkit.shared_enum import LinkAttribute, NodeAttribute, Time

from simulator.errors import PhysicsError
from simulator.physics.flood.engine import SwmmEngine
from simulator.physics.flood.inp import FLOW_M3_S, option, read_model
from tests.unit.drain_models import SMALL_DRAINS


def check_against_own_run(text: str, folder: Path) -> int:
    """Compare depths and flows at every report time; return how many were compared."""
    file, results = folder / "own.inp", folder / "own.out"
    file.write_text(text)
    solver.swmm_run(str(file), str(folder / "own.rpt"), str(results))
    handle = output.init()
    output.open(handle, str(results))
    model = read_model(text)
    flow = FLOW_M3_S[option(model.sections, "FLOW_UNITS", "CFS")]
    report_s = output.get_times(handle, Time.REPORT_STEP)
    periods = output.get_times(handle, Time.NUM_PERIODS) - 1
    with SwmmEngine(text) as engine:
        assert engine.node_ids == model.node_ids
        assert engine.link_ids == model.link_ids
        for period in range(periods):
            while engine.time_s < (period + 1) * report_s - 0.5:
                assert engine.step()
            depth = output.get_node_attribute(handle, period, NodeAttribute.INVERT_DEPTH)
            rate = output.get_link_attribute(handle, period, LinkAttribute.FLOW_RATE)
            # The engine's result file has 4-byte floats.
            assert engine.depth_m() == pytest.approx(np.array(depth) * model.length_m, rel=1e-5)
            assert engine.flow_m3_s() == pytest.approx(np.array(rate) * flow, rel=1e-5, abs=1e-6)
    output.close(handle)
    return int(periods)


def test_results_are_the_engines_own(tmp_path: Path) -> None:
    everything = "\n[REPORT]\nNODES ALL\nLINKS ALL\n"
    assert check_against_own_run(SMALL_DRAINS + everything, tmp_path) > 30


@pytest.mark.parametrize("name", ["extran1", "user2"])
def test_results_on_public_networks_are_the_engines_own(
    shared_networks: Path, tmp_path: Path, name: str
) -> None:
    text = (shared_networks / f"{name}.inp").read_text()
    text = re.sub(r"(END_DATE +)01/02/2002", r"\g<1>01/01/2002", text)  # 12 of 36 hours do
    assert check_against_own_run(text, tmp_path) > 30


def test_totals_of_a_run_close(tmp_path: Path) -> None:
    with SwmmEngine(SMALL_DRAINS) as engine:
        while engine.time_s < 2 * 3600:
            engine.step()
        rain, lost, runoff, inflow, outflow, flooded, stored = engine.totals()
    assert rain == pytest.approx(60, rel=0.01)  # half an hour of 80, half of 40 mm/h
    assert 0 < lost < rain
    assert inflow == flooded == 0
    assert runoff == pytest.approx(outflow + stored, rel=0.02)


def test_a_state_is_continued() -> None:
    with SwmmEngine(SMALL_DRAINS) as engine:
        while engine.time_s < 1800:
            engine.step()
        depth, state = engine.depth_m(), engine.hotstart()
    with SwmmEngine(SMALL_DRAINS, state) as engine:
        assert engine.depth_m() == pytest.approx(depth, abs=1e-5)
        assert depth.max() > 0.3


def test_a_second_model_in_a_process_is_refused() -> None:
    with SwmmEngine(SMALL_DRAINS), pytest.raises(PhysicsError, match="one model a process"):
        SwmmEngine(SMALL_DRAINS)


def broken(old: str, new: str) -> Callable[[], str]:
    return lambda: SMALL_DRAINS.replace(old, new)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (broken("C2 B S 150", "C2 B NOWHERE 150"), "NOWHERE"),
        (broken("A 11.0 3.0", "A high 3.0"), "high"),
        (broken("ROUTING_STEP 15", "ROUTING_STEP soon"), "soon"),
    ],
)
def test_a_refused_file_is_explained_and_the_engine_stays_usable(
    make: Callable[[], str], named: str
) -> None:
    with pytest.raises(PhysicsError, match=named):
        SwmmEngine(make())
    with SwmmEngine(SMALL_DRAINS) as engine:
        assert engine.step()
