"""The EPANET adapter: units, faithfulness to the engine, errors, files."""

import tempfile
from pathlib import Path

import epanet
import numpy as np
import pytest

from simulator.errors import PhysicsError
from simulator.physics.water.engine import EpanetEngine
from simulator.physics.water.units import FLOW_M3_H, FLOW_UNITS, FOOT_M, INCH_MM, is_us

LENGTH_M, DIAMETER_MM, ROUGHNESS, DEMAND_M3_H, SOURCE_M = 1000.0, 300.0, 120.0, 180.0, 60.0


def one_pipe(unit: str = "cmh", extra: str = "") -> str:
    """Return a reservoir, one pipe and one junction, the same in any unit."""
    metre = FOOT_M if is_us(unit) else 1.0
    bore = INCH_MM if is_us(unit) else 1.0
    return f"""[JUNCTIONS]
 J {10 / metre!r} {DEMAND_M3_H / FLOW_M3_H[unit]!r}
[RESERVOIRS]
 R {SOURCE_M / metre!r}
[PIPES]
 P R J {LENGTH_M / metre!r} {DIAMETER_MM / bore!r} {ROUGHNESS} 0 Open
[OPTIONS]
 Units {unit.upper()}
 Headloss H-W
 Accuracy 0.000001
{extra}
[END]
"""


@pytest.mark.parametrize(
    ("unit", "m3_h"),
    [
        ("gpm", 0.2271247), ("cfs", 101.9406), ("mgd", 157.7255), ("imgd", 189.4204),
        ("afd", 51.39508), ("lps", 3.6), ("lpm", 0.06), ("mld", 41.66667), ("cmh", 1.0),
        ("cmd", 0.04166667), ("cms", 3600.0),
    ],
)  # fmt: skip
def test_flow_units_have_their_published_factors(unit: str, m3_h: float) -> None:
    assert FLOW_M3_H[unit] == pytest.approx(m3_h, rel=1e-6)


@pytest.mark.parametrize("unit", FLOW_UNITS)
def test_one_network_reads_the_same_from_a_file_in_any_unit(unit: str) -> None:
    with EpanetEngine(one_pipe(unit)) as engine:
        engine.start(0, 60)
        assert engine.length_m[0] == pytest.approx(LENGTH_M)
        assert engine.diameter_mm[0] == pytest.approx(DIAMETER_MM)
        assert engine.elevation_m[0] == pytest.approx(10.0)
        assert engine.base_demand_m3_h[0] == pytest.approx(DEMAND_M3_H)
        assert engine.flow_m3_h()[0] == pytest.approx(DEMAND_M3_H, rel=1e-6)
        # Hazen-Williams in SI; EPANET works in rounded US constants, hence 0.1 %.
        slope = 10.667 * (DEMAND_M3_H / 3600) ** 1.852 / ROUGHNESS**1.852 / 0.3**4.871
        assert SOURCE_M - engine.head_m()[0] == pytest.approx(LENGTH_M * slope, rel=1e-3)
        pressure_m = SOURCE_M - 10 - LENGTH_M * slope
        assert engine.pressure_mpa()[0] == pytest.approx(pressure_m / 101.972, rel=1e-3)


def raw_heads_ft(file: Path, folder: Path, hours: int) -> list[list[float]]:
    _, handle = epanet.EN_createproject()
    epanet.EN_open(handle, str(file), str(folder / "raw.rpt"), "")
    epanet.EN_openH(handle)
    epanet.EN_initH(handle, 0)
    heads, t_s, left_s = [], 0, 1
    while left_s > 0 and t_s <= hours * 3600:
        _, t_s = epanet.EN_runH(handle)
        if t_s % 3600 == 0:
            heads.append(epanet.EN_getnodevalues(handle, 10)[1])
        _, left_s = epanet.EN_nextH(handle)
    epanet.EN_close(handle)
    epanet.EN_deleteproject(handle)
    return heads


@pytest.mark.parametrize("name", ["Net1", "Net2", "Net3"])
def test_heads_equal_those_of_the_plain_engine(
    shared_networks: Path, tmp_path: Path, name: str
) -> None:
    plain = raw_heads_ft(shared_networks / f"{name}.inp", tmp_path, hours=24)
    with EpanetEngine(shared_networks / f"{name}.inp") as engine:
        engine.start(0, 3600)
        assert len(plain) >= 25
        for hour, heads_ft in enumerate(plain[:25]):
            engine.run_to(hour * 3600)
            np.testing.assert_allclose(engine.head_m(), np.array(heads_ft) * FOOT_M, rtol=1e-12)


def test_net1_is_read_in_si(shared_networks: Path) -> None:
    with EpanetEngine(shared_networks / "Net1.inp") as engine:
        assert engine.flow_unit == "gpm"
        assert engine.node_kinds[-2:] == ("reservoir", "tank")
        assert engine.elevation_m[0] == pytest.approx(710 * 0.3048)
        assert engine.diameter_mm[0] == pytest.approx(18 * 25.4)
        assert engine.base_demand_m3_h[1] == pytest.approx(150 * 0.2271247, rel=1e-6)
        engine.start(0, 60)
        assert engine.level_m()[engine.is_tank] == pytest.approx([120 * 0.3048])
        # EPANET prints 127.54 psi at node 10 at hour 0, with its 0.4333 psi a foot.
        feet = 127.54 / 0.4333
        assert engine.pressure_mpa()[0] == pytest.approx(feet * 0.3048 / 101.972, rel=1e-4)


def test_start_brings_the_model_to_the_state_of_that_hour(shared_networks: Path) -> None:
    with (
        EpanetEngine(shared_networks / "Net3.inp") as late,
        EpanetEngine(shared_networks / "Net3.inp") as early,
    ):
        late.start(16 * 3600, 900)
        early.start(0, 900)
        early.run_to(16 * 3600)
        np.testing.assert_array_equal(late.head_m(), early.head_m())
        np.testing.assert_array_equal(late.is_open(), early.is_open())


def test_run_to_lands_exactly_where_asked() -> None:
    with EpanetEngine(one_pipe()) as engine:
        engine.start(7, 60)
        engine.run_to(1234)
        assert engine.time_s == 1234


def test_a_refused_file_is_named_with_the_line_at_fault() -> None:
    with pytest.raises(PhysicsError, match=r"Error 200.*illegal numeric value wet"):
        EpanetEngine(one_pipe().replace(" R 60.0", " R wet"))


@pytest.mark.parametrize("text", ["", "[JUNCTIONS]\n J 1 1\n[END]\n", "not a network"])
def test_a_file_without_a_network_is_refused(text: str) -> None:
    with pytest.raises(PhysicsError):
        EpanetEngine(text)


def test_a_closed_engine_says_so() -> None:
    engine = EpanetEngine(one_pipe())
    engine.close()
    engine.close()
    with pytest.raises(PhysicsError, match="closed"):
        engine.head_m()


@pytest.mark.parametrize("text", [one_pipe(), "not a network"])
def test_no_file_is_left_behind(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    try:
        with EpanetEngine(text) as engine:
            engine.start(0, 60)
    except PhysicsError:
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_engines_do_not_disturb_each_other() -> None:
    with EpanetEngine(one_pipe()) as first, EpanetEngine(one_pipe("gpm")) as second:
        first.start(0, 60)
        second.start(0, 60)
        before = second.head_m()
        first.set_demand_factors(np.array([3.0, 1.0]))
        first.run_to(600)
        second.run_to(600)
        assert first.demand_m3_h()[0] == pytest.approx(3 * DEMAND_M3_H)
        np.testing.assert_allclose(second.head_m(), before, rtol=1e-12)


def test_warnings_are_collected_and_do_not_stop_the_run() -> None:
    thirsty = one_pipe().replace(f" J 10.0 {DEMAND_M3_H}", " J 10.0 2000.0")
    with EpanetEngine(thirsty) as engine:
        engine.start(0, 60)
        engine.run_to(60)
        assert engine.head_m()[0] < 10.0
        assert (60, 6) in engine.warnings


def test_pressure_dependent_demand_follows_the_root_of_the_pressure() -> None:
    low = one_pipe().replace(" R 60.0", " R 20.0")
    with EpanetEngine(low) as engine:
        engine.use_pressure_dependent_demand(14.0)
        engine.start(0, 60)
        pressure_m = engine.head_m()[0] - 10.0
        assert 0 < pressure_m < 14
        share = engine.demand_m3_h()[0] / engine.full_demand_m3_h()[0]
        assert share == pytest.approx((pressure_m / 14) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("unit", ["gpm", "lps"])
def test_required_pressure_is_the_same_in_any_unit(unit: str) -> None:
    low = one_pipe(unit).replace(
        f" R {SOURCE_M / (FOOT_M if is_us(unit) else 1)!r}",
        f" R {20 / (FOOT_M if is_us(unit) else 1)!r}",
    )
    with EpanetEngine(low) as engine:
        engine.use_pressure_dependent_demand(14.0)
        engine.start(0, 60)
        share = engine.demand_m3_h()[0] / engine.full_demand_m3_h()[0]
        assert share == pytest.approx(((engine.head_m()[0] - 10) / 14) ** 0.5, rel=1e-3)
        assert share < 0.99


def test_nodes_without_coordinates_are_nan() -> None:
    with EpanetEngine(one_pipe(extra="[COORDINATES]\n J 3 4\n")) as engine:
        places = engine.coordinates()
        assert places[0].tolist() == [3.0, 4.0]
        assert np.isnan(places[1]).all()
