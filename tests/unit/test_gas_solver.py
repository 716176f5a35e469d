"""The gas solver: against pandapipes, closed forms, and what regulators and closures must do."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import PhysicsError
from simulator.physics.gas.laws import ATMOSPHERE_KPA, HoleLaw, PipeLaw
from simulator.physics.gas.model import GasModel, check, dump, parse
from simulator.physics.gas.solver import GasSolver, Solution
from tests.unit.gas_nets import GAS, gas_net

ORACLE = json.loads((Path(__file__).parents[1] / "data" / "gas_oracle.json").read_text())

TWO_STAGES = gas_net(
    [("S", "M", 500.0, 110.0), ("A", "B", 300.0, 160.0), ("B", "C", 200.0, 110.0)],
    {"M": 0.0, "A": 0.0, "B": 40.0, "C": 20.0},
    200.0,
    regulators=[("M", "A", 2.5)],
)


def solved(model: GasModel, factor: float = 1.0, **changes: Any) -> Solution:
    solver = GasSolver(model)
    for name, (place, value) in changes.items():
        getattr(solver, name)[place] = value
    return solver.solve(factor * np.array(model.nodes.demand_nm3_h))


def at(model: GasModel, solution: Solution, node: str) -> float:
    return float(solution.pressure_kpa[model.nodes.id.index(node)])


@pytest.mark.parametrize("case", ORACLE["cases"], ids=lambda case: case["name"])
def test_pressure_drops_agree_with_pandapipes(case: dict[str, Any]) -> None:
    """Within 4 %: friction laws differ (Haaland here, Colebrook there) by 2 %, each summed."""
    demand = dict(case["demand_nm3_h"])
    pipes = [tuple(pipe) for pipe in case["pipes"]]
    model = gas_net(pipes, demand, case["source_kpa"], roughness_mm=case["roughness_mm"])
    solution = solved(model)
    ours = case["source_kpa"] - solution.pressure_kpa[1:]
    theirs = case["source_kpa"] - np.array([case["pressure_kpa"][name] for name in demand])
    np.testing.assert_allclose(ours, theirs, rtol=0.04)


def test_laminar_flow_falls_as_hagen_and_poiseuille_say() -> None:
    length_m, diameter_mm, flow = 100.0, 50.0, 0.1
    law = PipeLaw(GAS, *(np.array([value]) for value in (length_m, diameter_mm, 0.1)))
    fall_kpa2, _ = law.fall(np.array([flow]))
    actual_m3_s = flow / 3600 * GAS.temperature_k / 273.15
    fall_pa = 128 * GAS.viscosity_pa_s * length_m * actual_m3_s / (math.pi * 0.05**4)
    # p1² - p2² = (p1 + p2)(p1 - p2), and p1 + p2 is twice the normal pressure within 1e-5.
    assert fall_kpa2[0] == pytest.approx(2 * ATMOSPHERE_KPA * fall_pa / 1000, rel=1e-3)


@given(st.floats(-5000, 5000), st.floats(50, 600), st.floats(0, 0.5))
def test_the_slope_of_the_pipe_law_is_its_derivative(q: float, d: float, k: float) -> None:
    law = PipeLaw(GAS, np.array([100.0]), np.array([d]), np.array([k]))
    h = 1e-4 * max(abs(q), 1.0)
    (above, _), (below, _), (_, slope) = (law.fall(np.array([q + x])) for x in (h, -h, 0.0))
    assert slope[0] == pytest.approx((above[0] - below[0]) / (2 * h), rel=1e-2)
    assert slope[0] > 0


def test_a_choked_hole_gives_the_critical_flow() -> None:
    """Mass flow Cd A p sqrt(kappa/(R T)) (2/(kappa+1))^((kappa+1)/(2(kappa-1)))."""
    area_mm2, gauge, kappa = 100.0, 300.0, GAS.heat_ratio
    specific = 8.314462618 / (GAS.density_kg_nm3 * 0.022413969)
    mass = GAS.discharge * area_mm2 * 1e-6 * (gauge + ATMOSPHERE_KPA) * 1000
    mass *= math.sqrt(kappa / (specific * GAS.temperature_k))
    mass *= (2 / (kappa + 1)) ** ((kappa + 1) / (2 * (kappa - 1)))
    outflow = HoleLaw(GAS).outflow(np.array([area_mm2]), np.array([gauge]))
    assert outflow[0] == pytest.approx(mass / GAS.density_kg_nm3 * 3600, rel=1e-9)


def test_a_small_hole_in_low_pressure_follows_the_root_of_the_pressure() -> None:
    """Incompressible limit: Cd A sqrt(2 dp / rho); at 2.5 % overpressure within 2 %."""
    area_mm2 = math.pi * 2.5**2
    outflow = HoleLaw(GAS).outflow(np.array([area_mm2]), np.array([2.5]))[0]
    density = GAS.density_kg_nm3 * 273.15 / GAS.temperature_k
    actual = GAS.discharge * area_mm2 * 1e-6 * math.sqrt(2 * 2500 / density)
    assert outflow == pytest.approx(actual * 273.15 / GAS.temperature_k * 3600, rel=0.02)
    assert outflow == pytest.approx(5.0, rel=0.1)


def test_a_regulator_holds_its_set_point_and_draws_what_its_zone_takes() -> None:
    for factor in (0.2, 1.0, 3.0):
        solution = solved(TWO_STAGES, factor)
        assert at(TWO_STAGES, solution, "A") == pytest.approx(2.5)
        assert solution.flow_nm3_h[-1] == pytest.approx(60.0 * factor)
        assert solution.inflow_nm3_h == pytest.approx(60.0 * factor)


def test_a_regulator_short_of_pressure_stands_open() -> None:
    model = parse(dump(TWO_STAGES))
    model.nodes.pressure_kpa[0] = 2.0
    solution = solved(model, 0.1)
    assert at(model, solution, "A") == pytest.approx(at(model, solution, "M"))
    assert 0 < at(model, solution, "A") < 2.5
    assert solution.imbalance < 1e-6


def test_no_gas_flows_back_through_a_regulator() -> None:
    model = gas_net(
        [("S", "M", 500.0, 160.0), ("A", "B", 300.0, 160.0)],
        {"M": 0.0, "A": 5.0, "B": 5.0},
        200.0,
        regulators=[("M", "A", 2.6), ("M", "B", 2.2)],
    )
    solution = solved(model)
    np.testing.assert_allclose(solution.flow_nm3_h[-2:], [10.0, 0.0], atol=1e-6)
    assert at(model, solution, "B") > 2.2


@pytest.mark.parametrize(
    ("changes", "dead"),
    [
        ({"is_open": (0, False)}, ("M", "A", "B", "C")),
        ({"is_open": (1, False)}, ("B", "C")),
        ({"set_kpa": (0, 0.0)}, ("A", "B", "C")),
    ],
)
def test_what_is_cut_off_stands_without_pressure(changes: Any, dead: tuple[str, ...]) -> None:
    solution = solved(TWO_STAGES, **changes)
    without = [name for name in TWO_STAGES.nodes.id if at(TWO_STAGES, solution, name) == 0]
    assert tuple(without) == dead
    assert not solution.is_alive[[TWO_STAGES.nodes.id.index(name) for name in dead]].any()
    assert solution.imbalance < 1e-6


def test_a_cut_off_part_comes_back_as_it_was() -> None:
    solver, demand = GasSolver(TWO_STAGES), np.array(TWO_STAGES.nodes.demand_nm3_h)
    before = solver.solve(demand).pressure_kpa
    solver.is_open[0] = False
    solver.solve(demand)
    solver.is_open[0] = True
    np.testing.assert_allclose(solver.solve(demand).pressure_kpa, before, atol=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_every_node_balances_whatever_is_broken(data: st.DataObject) -> None:
    """Two meshes fed by two regulators each; holes up to half the width of a pipe."""
    pipes = [("S", "M", 400.0, 160.0), ("M", "N", 400.0, 110.0)]
    pipes += [("A", "B", 200.0, 110.0), ("B", "C", 200.0, 110.0), ("C", "A", 200.0, 90.0)]
    pipes += [("B", "D", 200.0, 90.0)]
    names = {"M": 0.0, "N": 0.0, "A": 10.0, "B": 20.0, "C": 30.0, "D": 40.0}
    model = gas_net(pipes, names, 100.0, regulators=[("M", "A", 2.6), ("N", "D", 2.4)])
    solver = GasSolver(model)
    for _ in range(4):
        holes = data.draw(st.lists(st.sampled_from([0, 0, 2, 5, 50]), min_size=6, max_size=6))
        solver.hole_mm2[:] = [math.pi / 4 * hole**2 for hole in holes]
        solver.is_open[:] = data.draw(st.lists(st.booleans(), min_size=6, max_size=6))
        solver.is_open[0] |= data.draw(st.booleans())
        factor = data.draw(st.sampled_from([0.0, 1.0, 10.0]))
        solver.set_kpa[:] = data.draw(st.sampled_from([(2.6, 2.4), (0.0, 2.4), (1.3, 3.0)]))
        solution = solver.solve(factor * np.array(model.nodes.demand_nm3_h))
        assert solution.imbalance < 1e-6
        assert solution.pressure_kpa.min() > -1e-3


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("pipes", "length_m", 0.0, "length_m"),
        ("pipes", "end", "Q", "pipes.end: there is no 'Q'"),
        ("nodes", "kind", "sink", "nodes.kind: 'sink'"),
        ("nodes", "id", "A", "'A' is used twice"),
        ("regulators", "end", "B", "'B' is a junction"),
    ],
)
def test_a_wrong_file_is_refused_by_key_and_value(
    table: str, key: str, value: object, said: str
) -> None:
    model = parse(dump(TWO_STAGES))
    getattr(getattr(model, table), key)[0] = value
    with pytest.raises(PhysicsError, match=said):
        parse(dump(model))


def test_columns_of_different_lengths_are_refused() -> None:
    model = parse(dump(TWO_STAGES))
    model.pipes.length_m.pop()
    with pytest.raises(PhysicsError, match="pipes: columns differ"):
        check(model)
