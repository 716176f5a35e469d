"""The water network under disturbances: closed forms, balance, isolation, controls, supply."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.city.generate import generate_town
from simulator.errors import InjectionError
from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.water.network import WaterNetwork

MINUTE_MS, HOUR_MS = 60_000, 3_600_000

LOOP = """[JUNCTIONS]
 A 10 0
 B 12 20 WAVE
 C 15 30 WAVE
 D 11 20 WAVE
 E 13 10 WAVE
[RESERVOIRS]
 R 12
[TANKS]
 TK 50 3 0 6 15 0
[PIPES]
 PA A B 500 250 120 0 Open
 PB B C 400 200 120 0 Open
 PC C D 400 200 120 0 Open
 PD D A 500 250 120 0 Open
 PE C E 300 150 120 0 Open
 PT TK C 100 250 120 0 Open
 PV B E 300 150 120 0 {pv}
[PUMPS]
 PU R A HEAD CURVE {pump}
[CURVES]
 CURVE 100 48
[PATTERNS]
 WAVE 0.8 1.2 1.4 1.0
 SPEED 1.0
{extra}
[TIMES]
 Duration 24:00
 Pattern Timestep 1:00
 Rule Timestep 0:01
[OPTIONS]
 Units CMH
 Headloss H-W
 Accuracy 0.00001
[COORDINATES]
[END]
"""


def loop(extra: str = "", pump: str = "", pv: str = "Open") -> str:
    return LOOP.format(extra=extra, pump=pump, pv=pv)


@contextmanager
def opened(text: str | None = None, **options: Any) -> Iterator[WaterNetwork]:
    network = WaterNetwork(loop() if text is None else text, 0, **options)
    try:
        yield network
    finally:
        network.close()


def at_node(frame: PhysicsFrame, network: WaterNetwork, node: str, what: str = "pressure") -> float:
    return float(frame.node[what][network.node_ids.index(node)])


def at_link(frame: PhysicsFrame, network: WaterNetwork, link: str, what: str = "flow") -> float:
    return float(frame.link[what][network.link_ids.index(link)])


def test_frames_carry_the_promised_quantities() -> None:
    with opened() as network:
        frame = network.step(0)
        assert set(frame.node) == {"pressure", "water_level", "demand"}
        assert set(frame.link) == {"flow", "pump_state", "status"}
        assert all(len(column) == len(network.node_ids) for column in frame.node.values())
        assert all(len(column) == len(network.link_ids) for column in frame.link.values())
        assert at_node(frame, network, "TK", "water_level") == pytest.approx(3.0)
        assert np.isnan(frame.node["water_level"]).sum() == len(network.node_ids) - 1
        assert at_link(frame, network, "PU", "pump_state") == 1.0
        assert np.isnan(frame.link["pump_state"]).sum() == len(network.link_ids) - 1


def test_leak_discharges_its_amount_times_the_root_of_head_over_30_m() -> None:
    with opened() as network:
        network.apply(Disturbance("leak", "PA", 100.0))
        frame = network.step(MINUTE_MS)
        heads_m = [at_node(frame, network, node) * 101.972 for node in ("A", "B")]
        expected = np.mean([100.0 * (head / 30) ** 0.5 for head in heads_m])
        assert network.leak_outflow("PA") == pytest.approx(expected, rel=1e-4)


def test_leak_is_water_that_leaves_the_network() -> None:
    with opened() as network:
        network.apply(Disturbance("leak", "PA", 100.0))
        network.step(MINUTE_MS)
        outflow = network.leak_outflow("PA")
        frame = network.step(2 * MINUTE_MS)
        assert frame.balance["leakage"] == pytest.approx(outflow / 60, rel=1e-3)


def test_leak_beside_a_tank_leaves_wholly_at_the_other_end() -> None:
    with opened() as network:
        network.apply(Disturbance("leak", "PT", 40.0))
        frame = network.step(MINUTE_MS)
        head_m = at_node(frame, network, "C") * 101.972
        assert network.leak_outflow("PT") == pytest.approx(40 * (head_m / 30) ** 0.5, rel=1e-4)


def test_a_second_leak_on_a_pipe_replaces_the_first() -> None:
    with opened() as network:
        network.apply(Disturbance("leak", "PA", 100.0))
        network.apply(Disturbance("leak", "PA", 30.0))
        network.step(MINUTE_MS)
        small = network.leak_outflow("PA")
        network.apply(Disturbance("leak", "PA", 60.0))
        network.step(2 * MINUTE_MS)
        assert network.leak_outflow("PA") == pytest.approx(2 * small, rel=0.05)


@pytest.mark.parametrize("model", ["pda", "dda"])
def test_every_step_closes_its_mass_balance_within_one_percent(model: Any) -> None:
    city, _ = generate_town(3, 30)
    with opened(city.networks["water"], demand_model=model) as network:
        worst = 0.0
        for minute in range(1, 12 * 60):
            if minute == 120:
                network.apply(Disturbance("leak", "P0005", 60.0))
            if minute == 400:
                network.apply(Disturbance("close", "P0005"))
            balance = network.step(minute * MINUTE_MS).balance
            used = balance["consumption"] + balance["leakage"]
            error = abs(balance["inflow"] - used - balance["storage"])
            worst = max(worst, error / max(balance["inflow"], used))
        assert worst < 0.01


def test_isolation_stops_the_leak_and_repair_brings_the_pressure_back() -> None:
    with opened() as network, opened() as twin:
        network.apply(Disturbance("leak", "PB", 80.0))
        network.step(30 * MINUTE_MS)
        network.apply(Disturbance("close", "PB"))
        isolated = network.step(31 * MINUTE_MS)
        assert network.leak_outflow("PB") == 0.0
        assert at_link(isolated, network, "PB") == pytest.approx(0.0, abs=1e-6)
        assert at_link(isolated, network, "PB", "status") == 0.0
        network.apply(Disturbance("repair", "PB"))
        network.apply(Disturbance("open", "PB"))
        level = at_node(twin.step(31 * MINUTE_MS), twin, "TK", "water_level")
        network.apply(Disturbance("tank_level", "TK", level))
        restored, undisturbed = network.step(32 * MINUTE_MS), twin.step(32 * MINUTE_MS)
        np.testing.assert_allclose(
            restored.node["pressure"], undisturbed.node["pressure"], atol=2e-4
        )


def test_reopening_an_unrepaired_pipe_lets_its_leak_run_again() -> None:
    with opened() as network:
        network.apply(Disturbance("leak", "PB", 80.0))
        network.step(MINUTE_MS)
        before = network.leak_outflow("PB")
        network.apply(Disturbance("close", "PB"))
        network.step(2 * MINUTE_MS)
        network.apply(Disturbance("open", "PB"))
        network.step(3 * MINUTE_MS)
        assert network.leak_outflow("PB") == pytest.approx(before, rel=0.02)


def test_a_leak_found_on_a_shut_pipe_waits_until_it_is_opened() -> None:
    with opened() as network:
        network.apply(Disturbance("close", "PB"))
        network.apply(Disturbance("leak", "PB", 80.0))
        network.step(MINUTE_MS)
        assert network.leak_outflow("PB") == 0.0


def test_cut_off_junctions_have_no_supply_and_the_rest_keep_theirs() -> None:
    with opened() as network:
        network.apply(Disturbance("close", "PE"))
        network.apply(Disturbance("close", "PV"))
        frame = network.step(MINUTE_MS)
        assert np.isnan(at_node(frame, network, "E"))
        assert at_node(frame, network, "E", "demand") == pytest.approx(0.0, abs=0.1)
        assert np.isfinite(frame.node["pressure"]).sum() == len(network.node_ids) - 1


def test_suction_side_of_a_pump_may_be_below_zero_and_still_has_water() -> None:
    high_suction = (
        loop()
        .replace(" A 10 0", " A 10 0\n S 20 0")
        .replace(" PU R A", " PU S A")
        .replace(" PT TK C", " PS R S 10 300 120 0 Open\n PT TK C")
    )
    with opened(high_suction) as network:
        assert at_node(network.step(0), network, "S") == pytest.approx(-8 / 101.972, abs=2e-3)


def test_check_valve_pipe_can_be_shut_and_opened() -> None:
    with opened(loop(pv="CV")) as network:
        before = at_link(network.step(0), network, "PV")
        network.apply(Disturbance("close", "PV"))
        shut = network.step(MINUTE_MS)
        assert at_link(shut, network, "PV") == pytest.approx(0.0, abs=0.01)
        assert at_link(shut, network, "PV", "status") == 0.0
        network.apply(Disturbance("open", "PV"))
        reopened = network.step(2 * MINUTE_MS)
        assert before > 1.0
        assert at_link(reopened, network, "PV") == pytest.approx(before, rel=0.02)


LEVELS = "[CONTROLS]\n LINK PU OPEN IF NODE TK BELOW 5\n LINK PU CLOSED IF NODE TK ABOVE 5.5"
JUNCTION = "[CONTROLS]\n LINK PU OPEN IF NODE C BELOW 60"
RULES = "[RULES]\nRULE 1\nIF TANK TK LEVEL BELOW 5\nTHEN PUMP PU STATUS IS OPEN"


@pytest.mark.parametrize(
    ("extra", "pump"),
    [("", ""), ("", "PATTERN SPEED"), (LEVELS, ""), (JUNCTION, ""), (RULES, "")],
    ids=["free", "speed pattern", "level controls", "junction control", "rule"],
)
def test_stopped_pump_stays_stopped_whatever_its_controls_say(extra: str, pump: str) -> None:
    with opened(loop(extra, pump)) as network:
        assert at_link(network.step(MINUTE_MS), network, "PU", "pump_state") == 1.0
        network.apply(Disturbance("pump_off", "PU"))
        for minute in range(2, 20):
            frame = network.step(minute * MINUTE_MS)
            assert at_link(frame, network, "PU", "pump_state") == 0.0
            assert at_link(frame, network, "PU") == pytest.approx(0.0, abs=1e-6)
        network.apply(Disturbance("pump_on", "PU"))
        frame = network.step(21 * MINUTE_MS)
        assert at_link(frame, network, "PU", "pump_state") == 1.0
        assert at_link(frame, network, "PU") > 10.0


@pytest.mark.parametrize("when", ["AT TIME 0:30", "AT CLOCKTIME 0:30 AM"])
def test_pump_given_back_obeys_a_switch_that_fell_due_meanwhile(when: str) -> None:
    with opened(loop(f"[CONTROLS]\n LINK PU CLOSED {when}")) as network:
        network.apply(Disturbance("pump_off", "PU"))
        network.step(HOUR_MS)
        network.apply(Disturbance("pump_on", "PU"))
        assert at_link(network.step(HOUR_MS + MINUTE_MS), network, "PU", "pump_state") == 0.0


def test_pump_run_overrides_controls_that_stop_it() -> None:
    with opened(loop("[CONTROLS]\n LINK PU CLOSED AT TIME 0:10")) as network:
        network.apply(Disturbance("pump_run", "PU"))
        assert at_link(network.step(HOUR_MS), network, "PU", "pump_state") == 1.0


def test_open_overrides_a_pipe_the_file_keeps_shut() -> None:
    with opened(loop(pv="Closed")) as network:
        assert at_link(network.step(0), network, "PV", "status") == 0.0
        network.apply(Disturbance("open", "PV"))
        assert at_link(network.step(MINUTE_MS), network, "PV") > 1.0


def test_pressure_reducing_valve_returns_to_its_setting_after_a_closure() -> None:
    text = (
        loop()
        .replace(" PE C E 300 150 120 0 Open\n", "")
        .replace(" PV B E 300 150 120 0 Open\n", "")
    )
    text = text.replace("[CURVES]", "[VALVES]\n V C E 150 PRV 25 0\n[CURVES]")
    with opened(text) as network:
        assert at_node(network.step(0), network, "E") == pytest.approx(25 / 101.972, rel=1e-3)
        network.apply(Disturbance("close", "V"))
        assert np.isnan(at_node(network.step(MINUTE_MS), network, "E"))
        network.apply(Disturbance("open", "V"))
        frame = network.step(2 * MINUTE_MS)
        assert at_node(frame, network, "E") == pytest.approx(25 / 101.972, rel=1e-3)


def test_valve_the_solver_had_shut_for_itself_works_again_when_reopened() -> None:
    text = loop().replace(" PE C E 300 150 120 0 Open\n", "")
    text = text.replace("[CURVES]", "[VALVES]\n V C E 150 PRV 15 0\n[CURVES]")
    with opened(text) as network:
        assert at_link(network.step(0), network, "V") == pytest.approx(0.0, abs=1e-3)
        network.apply(Disturbance("close", "V"))
        network.step(MINUTE_MS)
        network.apply(Disturbance("open", "V"))
        network.apply(Disturbance("close", "PV"))
        frame = network.step(2 * MINUTE_MS)
        assert at_node(frame, network, "E") == pytest.approx(15 / 101.972, rel=1e-3)


def test_pump_given_back_is_stopped_by_its_level_control_again() -> None:
    with opened(loop(LEVELS)) as network:
        network.apply(Disturbance("pump_off", "PU"))
        network.step(MINUTE_MS)
        network.apply(Disturbance("pump_on", "PU"))
        network.step(2 * MINUTE_MS)
        network.apply(Disturbance("tank_level", "TK", 5.6))
        assert at_link(network.step(3 * MINUTE_MS), network, "PU", "pump_state") == 0.0


def test_demand_factor_scales_one_junction_and_1_is_normal_again() -> None:
    with opened() as network:
        normal = network.step(0).node["demand"]
        network.apply(Disturbance("demand", "D", 3.0))
        surge = network.step(MINUTE_MS).node["demand"]
        network.apply(Disturbance("demand", "D", 1.0))
        after = network.step(2 * MINUTE_MS).node["demand"]
        scale = np.where(np.array(network.node_ids) == "D", 3.0, 1.0)
        np.testing.assert_allclose(surge, normal * scale, rtol=1e-6)
        np.testing.assert_allclose(after, normal, rtol=1e-6)


def test_rougher_pipe_loses_more_head() -> None:
    with opened() as network:
        before = at_node(network.step(0), network, "B")
        network.apply(Disturbance("roughness", "PA", 0.5))
        assert at_node(network.step(MINUTE_MS), network, "B") < before - 1e-3


def test_solve_now_shows_a_change_without_letting_time_pass() -> None:
    with opened() as network:
        before = network.step(HOUR_MS)
        network.apply(Disturbance("leak", "PA", 80.0))
        shown = network.solve_now()
        assert shown.time_ms == HOUR_MS
        assert at_node(shown, network, "B") < at_node(before, network, "B") - 1e-3
        network.apply(Disturbance("repair", "PA"))
        again = network.solve_now()
        np.testing.assert_allclose(again.node["pressure"], before.node["pressure"], atol=1e-5)


def test_patterns_follow_local_time() -> None:
    with opened(utc_offset_ms=2 * HOUR_MS) as local:
        assert at_node(local.step(0), local, "B", "demand") == pytest.approx(20 * 1.4, rel=1e-6)


def test_large_steps_pass_through_the_same_states_as_small_ones() -> None:
    with opened(loop(LEVELS)) as small, opened(loop(LEVELS)) as large:
        for minute in range(1, 181):
            last = small.step(minute * MINUTE_MS)
        np.testing.assert_array_equal(
            last.node["pressure"], large.step(180 * MINUTE_MS).node["pressure"]
        )


def test_two_runs_of_the_same_events_are_equal_bit_by_bit() -> None:
    def run() -> list[NDArray[np.float64]]:
        with opened(loop(LEVELS), demand_factor=wobble) as network:
            network.apply(Disturbance("leak", "PB", 50.0))
            return [network.step(k * 5 * MINUTE_MS).node["pressure"] for k in range(1, 60)]

    for one, other in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(one, other)


def wobble(nodes: NDArray[np.int64], hour: int) -> NDArray[np.float64]:
    """Return a factor a node and hour without any randomness."""
    return 1.0 + 0.2 * np.sin(nodes + 5.0 * hour)


def test_demand_variation_is_blended_between_hours() -> None:
    def stairs(nodes: NDArray[np.int64], hour: int) -> NDArray[np.float64]:
        return np.full(len(nodes), 1.0 + hour)

    flat = loop().replace("WAVE 0.8 1.2 1.4 1.0", "WAVE 1 1 1 1")
    with opened(flat, demand_factor=stairs, demand_model="dda") as network:
        demands = [
            at_node(network.step(minute * MINUTE_MS), network, "B", "demand")
            for minute in (0, 15, 30, 60)
        ]
        assert demands == pytest.approx([20.0, 25.0, 30.0, 40.0])


@pytest.mark.parametrize(
    ("kind", "element", "message"),
    [
        ("leak", "P", r"no 'P'; did you mean PV"),
        ("leak", "PU", r"'PU' is a pump"),
        ("pump_off", "PA", r"'PA' is a pipe; did you mean PU"),
        ("demand", "TK", r"'TK' is a tank"),
        ("explode", "PA", r"knows no disturbance 'explode'; use one of leak"),
    ],
)
def test_injection_errors_name_the_element_and_a_way_out(
    kind: str, element: str, message: str
) -> None:
    with opened() as network, pytest.raises(InjectionError, match=message):
        network.apply(Disturbance(kind, element, 1.0))


def test_a_negative_leak_is_refused() -> None:
    with opened() as network, pytest.raises(InjectionError, match="0 or more"):
        network.apply(Disturbance("leak", "PA", -1.0))
