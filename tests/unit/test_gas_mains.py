"""The generated gas network: supplied everywhere, pressures in their bands, rows that fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensors.city import City
from simulator.city.gas_mains import lay_gas
from simulator.city.gas_rates import RATES_FILE, gas_rates
from simulator.city.ground import Ground, lay_ground
from simulator.errors import ScenarioError
from simulator.physics.gas.model import parse
from simulator.physics.gas.solver import GasSolver


def hand_ground() -> Ground:
    """Return a ladder of 2 x 6 corners whose two areas do not hang together inside themselves."""
    x_m, y_m = np.repeat(np.arange(6) * 150.0, 2), np.tile([0.0, 150.0], 6)
    rungs = [(2 * n, 2 * n + 1) for n in range(6)]
    sides = [(n, n + 2) for n in range(10)]
    ends = np.array(sorted(rungs + sides))
    area = ["D001" if n % 2 == 0 or n == 11 else "D002" for n in range(12)]
    laid = lay_ground(1, 60)
    return replace(
        laid,
        x_m=x_m,
        y_m=y_m,
        elevation_m=np.zeros(12),
        people=np.full(12, 200.0),
        area=tuple(area),
        district=("X01",) * 12,
        ends=ends,
        length_m=np.full(len(ends), 150.0),
        road_kind=tuple("arterial" if b - a == 2 and a % 2 == 0 else "street" for a, b in ends),
        underpasses=np.array([0]),
    )


@pytest.mark.parametrize("seed", range(1, 13))
@pytest.mark.parametrize("corners", [60, 300])
def test_everybody_has_gas_at_a_pressure_within_the_band(seed: int, corners: int) -> None:
    model = parse(lay_gas(lay_ground(seed, corners)).text)
    rates, solver = gas_rates(), GasSolver(model)
    demand = np.array(model.nodes.demand_nm3_h)
    is_low = np.char.startswith(model.nodes.id, "GL")
    for factor in (min(model.hourly), 1.0, max(model.hourly)):
        solution = solver.solve(factor * demand)
        assert solution.is_alive.all()
        assert solution.imbalance < 1e-6
        low, medium = solution.pressure_kpa[is_low], solution.pressure_kpa[~is_low]
        assert rates.pressure.low_least_kpa <= low.min() <= low.max() <= rates.pressure.low_most_kpa
        assert 100.0 <= medium.min() <= medium.max() <= 300.0
        assert solution.demand_nm3_h.sum() == pytest.approx(factor * demand.sum())


def test_an_area_in_pieces_is_joined_to_its_neighbour() -> None:
    model = parse(lay_gas(hand_ground()).text)
    solution = GasSolver(model).solve(np.array(model.nodes.demand_nm3_h))
    assert solution.is_alive.all()


def test_the_same_ground_gives_the_same_network_and_another_seed_another() -> None:
    first, again, other = (lay_gas(lay_ground(seed, 80)) for seed in (4, 4, 5))
    assert (first.text, first.rows) == (again.text, again.rows)
    assert first.text != other.text


def test_rows_fit_the_tables_and_name_what_the_model_has() -> None:
    ground = lay_ground(3, 200)
    part = lay_gas(ground)
    model = parse(part.text)
    city = City.of_rows("c", "C", part.rows, {part.domain: part.text})
    nodes = {row["id"]: row for row in city.rows("nodes")}
    assert list(nodes) == [*model.nodes.id, *model.spaces.id]
    kinds = {row["kind"] for row in nodes.values()}
    assert kinds == {"source", "junction", "regulator_out", "manhole_space", "valve_well",
                     "station", "tunnel"}  # fmt: skip
    links = city.rows("links")
    assert [row["id"] for row in links] == [*model.pipes.id, *model.regulators.id]
    assert {row["area"] for row in (*nodes.values(), *links)} == set(ground.area)
    for row in links:
        assert {row["from_node"], row["to_node"]} <= set(nodes)
    elements = set(nodes) | {row["id"] for row in links}
    assert {row["element"] for row in city.rows("assets")} <= elements
    assert sum(row["people"] for row in nodes.values()) == pytest.approx(ground.people.sum())
    risks = city.rows("risk_points")
    assert {row["likelihood"] for row in risks} <= set(range(1, 6))
    assert max(row["consequence"] for row in risks) > 1


def test_old_iron_is_likelier_to_leak_than_new_plastic() -> None:
    part = lay_gas(lay_ground(3, 400))
    pipes = parse(part.text).pipes
    material = dict(zip(pipes.id, pipes.material, strict=True))
    likelihood: dict[str, list[int]] = {}
    for row in part.rows["risk_points"]:
        likelihood.setdefault(material[row["element"]], []).append(row["likelihood"])
    assert min(likelihood["cast iron"]) > max(likelihood["PE"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("person_nm3_day: 0.25", "person_nm3_day: -1", "person_nm3_day"),
        ("wind_m_s: 2.0", "wind: 2.0", "wind"),
        ("low_kpa: 2.65", "low_kpa: 3.0", "ascending"),
        ("oldest_years: 55.0", "oldest_years: 500.0", "oldest_years"),
    ],
)
def test_wrong_figures_are_refused_by_file_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "rates.yaml"
    text = RATES_FILE.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ScenarioError, match=f"rates.yaml.*{said}"):
        gas_rates(file)
