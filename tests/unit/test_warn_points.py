"""Rules on methane, gas pressure, ponding, freeboard, rain and fire water."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from api.drain_normals import dry_freeboard_m, normal_low
from pipeline.errors import RuleError
from pipeline.messages import Alarm, AlarmState
from pipeline.rules import Function, RuleSet, Signal
from pipeline.warn.compile import compile_rules
from pipeline.warn.stage import WarnStage
from sensors.devices import fire, flood, gas, water
from sensors.levels import Level
from sensors.quantities import QUANTITIES
from sensors.readings import Quality, Reading
from sensors.registry import Registry
from tests.conformance.pressure_devices import START_MS, pressure_device, samples_of
from tests.unit.warn_stories import MINUTE_MS, RULES, C, P, R, W, X, feed, story, with_rule

BLUE, YELLOW, ORANGE, RED = Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED
ONLY_RAIN, ONLY_LOW = with_rule("rain.local_1h"), with_rule("gas.pressure_low")
KINDS = water.KINDS | gas.KINDS | flood.KINDS | fire.KINDS


def one_device(kind: str) -> Registry:
    sheet = KINDS[kind]
    changes = {"kind": kind, "quantity": sheet.quantity, "domain": sheet.domain}
    return Registry.of([pressure_device(**changes, max_step=1e9, range_high=1e9)])


def said_by(
    kind: str,
    values: Sequence[float],
    gap_min: float = 1.0,
    spikes: Sequence[int] = (),
    rules: RuleSet = RULES,
) -> list[Alarm]:
    """Alarms of one device of a kind given one value after the other."""
    stage, said = WarnStage(one_device(kind), rules), []
    for number, value in enumerate(values):
        now_ms = START_MS + round(number * gap_min * MINUTE_MS)
        flag = Quality.SPIKE.value if number in spikes else 0
        said += feed(stage, samples_of([Reading(0, now_ms, value, flag)], now_ms), now_ms=now_ms)
    return [one for one in said if isinstance(one, Alarm)]


@pytest.mark.parametrize(
    ("kind", "values", "rule", "told"),
    [
        ("manhole_methane", [0.0, 0.6, 0.6], "gas.ch4_space", [(R, BLUE)]),
        ("well_methane", [0.0, 4.2, 4.2], "gas.ch4_space", [(P, RED), (R, RED)]),
        ("well_methane", [0.0, 4.2, 0.0], "gas.ch4_space", [(P, RED), (W, RED)]),
        ("station_methane", [0.0, 21.0, 21.0], "gas.ch4_station", [(R, YELLOW)]),
        ("tunnel_methane", [0.0, 26.0, 26.0], "gas.ch4_station", [(P, ORANGE), (R, ORANGE)]),
        ("road_ponding", [0, 16, 16, 28, 28], "flood.ponding_road", [(R, BLUE), (C, YELLOW)]),
        ("underpass_ponding", [0, 26, 26], "flood.ponding_underpass", [(P, ORANGE), (R, ORANGE)]),
        ("drain_level", [2.4, 0.9, 0.9], "flood.drain_freeboard", [(R, YELLOW)]),
        ("hydrant_pressure", [0.3, 0.01, 0.01], "water.fire_static", [(R, ORANGE)]),
    ],
)
def test_each_kind_of_device_has_its_rule(
    kind: str, values: list[float], rule: str, told: list[tuple[AlarmState, Level]]
) -> None:
    alarms = said_by(kind, values)
    assert story(alarms) == told
    assert {alarm.rule for alarm in alarms} == {rule}


def test_every_rule_names_kinds_that_measure_its_quantity() -> None:
    for rule in RULES.rules.values():
        assert rule.select.kinds, rule.id
        for kind in rule.select.kinds:
            assert KINDS[kind].quantity == rule.select.quantity, rule.id


def test_fire_water_is_no_alarm_of_the_mains() -> None:
    assert {alarm.domain for alarm in said_by("hydrant_pressure", [0.3, 0.01, 0.01])} == {"fire"}


def test_methane_above_what_burns_never_clears_an_alarm() -> None:
    alarms = said_by("manhole_methane", [0.0, 4.5, 4.5, *[18.0, 40.0, 90.0] * 10])
    assert story(alarms) == [(P, RED), (R, RED)]


def test_methane_clears_level_by_level_once_the_space_is_aired() -> None:
    alarms = said_by("manhole_methane", [0.0, 1.2, 1.2, *[0.0] * 12])
    assert story(alarms) == [(R, YELLOW), (C, BLUE), (X, BLUE)]


def test_rain_is_the_increase_of_the_counter_within_an_hour() -> None:
    drizzle = np.arange(0.0, 120.0, 3.0)  # 36 mm in any hour of samples every 5 min
    assert said_by("rain_gauge", drizzle.tolist(), 5.0, rules=ONLY_RAIN) == []
    heavy = 500.0 + np.arange(0.0, 120.0, 4.0)  # 48 mm an hour
    alarms = said_by("rain_gauge", heavy.tolist(), 5.0, rules=ONLY_RAIN)
    assert story(alarms) == [(R, BLUE)]
    assert alarms[0].value == pytest.approx(40.0)


def test_rain_sum_falls_when_the_rain_is_more_than_an_hour_ago() -> None:
    alarms = said_by("rain_gauge", [0.0, 45.0, *[45.0] * 30], 5.0, rules=ONLY_RAIN)
    assert story(alarms) == [(R, BLUE), (X, BLUE)]
    assert alarms[1].sample_ms - START_MS == (5 + 60 + 5 * 5) * MINUTE_MS


def test_rain_sum_bridges_a_counter_set_to_zero() -> None:
    values = [300.0 + 5.0 * n for n in range(6)] + [0.4 + 5.0 * n for n in range(5)]
    assert story(said_by("rain_gauge", values, 5.0, rules=ONLY_RAIN)) == [(R, BLUE)]
    assert said_by("rain_gauge", [900.0, *[0.2] * 30], 5.0, rules=ONLY_RAIN) == []


def test_spike_of_a_rain_counter_counts_for_nothing() -> None:
    assert said_by("rain_gauge", [10.0, 500.0, 10.2, 10.4], 5.0, spikes=[1]) == []


def test_rain_that_comes_in_one_hourly_batch_is_summed_by_its_own_times() -> None:
    stage = WarnStage(one_device("rain_gauge"), ONLY_RAIN)
    readings = [Reading(0, START_MS + n * 5 * MINUTE_MS, 5.0 * n) for n in range(13)]
    now_ms = START_MS + 70 * MINUTE_MS
    said = feed(stage, samples_of(readings, now_ms), now_ms=now_ms)
    alarms = [one for one in said if isinstance(one, Alarm)]
    assert story(alarms) == [(R, BLUE), (C, YELLOW)]
    assert alarms[0].sample_ms == START_MS + 40 * MINUTE_MS


def test_gas_pressure_is_judged_by_its_own_normal() -> None:
    for normal in (2.5, 200.0):
        assert story(said_by("gas_pressure", [normal] * 6 + [0.75 * normal] * 4, 5.0)) == [
            (R, ORANGE)
        ]


def test_gas_pressure_that_follows_the_day_is_no_shortfall() -> None:
    day = 2.5 + 0.3 * np.cos(np.arange(0, 48 * 60, 5) / (24 * 60) * 2 * np.pi)
    assert said_by("gas_pressure", day.tolist(), 5.0, rules=ONLY_LOW) == []


def test_long_shortfall_is_no_new_normal_before_six_hours() -> None:
    alarms = said_by("gas_pressure", [2.5] * 6 + [1.5] * 71, 5.0)
    assert story(alarms) == [(R, RED)]
    assert [state for state, _ in story(said_by("gas_pressure", [2.5] * 6 + [1.5] * 120, 5.0))][
        -1
    ] is AlarmState.CLEARED


def test_sum_without_a_window_is_refused() -> None:
    signal = Signal(Function.SUM)
    rule = replace(RULES.rule("rain.local_1h"), windows_s=MappingProxyType({}), signal=signal)
    rules = replace(RULES, rules=MappingProxyType({rule.id: rule}))
    with pytest.raises(RuleError, match=r"rain.local_1h.window_s = null"):
        WarnStage(one_device("rain_gauge"), rules)


def test_units_of_all_rules_are_those_of_the_quantities() -> None:
    compiled, _ = compile_rules(
        Registry.of(
            pressure_device(n, kind=kind, quantity=sheet.quantity, domain=sheet.domain)
            for n, (kind, sheet) in enumerate(sorted(KINDS.items()))
        ),
        RULES,
    )
    assert {columns.rule.id for columns in compiled} == set(RULES.rules) - {
        "water.pressure_z",
        "water.dma_drift",
    }
    assert all(rule.select.quantity in QUANTITIES for rule in RULES.rules.values())


INP = """
[JUNCTIONS]
;; name invert depth
F1 10.0 1.4 0 0 0
F2 10.0 3.0 0 0 0 ; deep
[STORAGE]
F3 8.0 x 0 FUNCTIONAL 1 0 0
"""


def test_limits_a_shallow_manhole_cannot_keep_are_out_of_use() -> None:
    devices = Registry.of(
        pressure_device(n, kind="drain_level", quantity="freeboard", element=f"F{n + 1}")
        for n in range(3)
    )
    low = normal_low(None, INP, devices)
    assert low.tolist()[:2] == [1.4, 3.0]
    assert np.isnan(low[2])
    _, suppressed = compile_rules(devices, RULES, low)
    assert [(one.device, one.level) for one in suppressed] == [(devices.ids[0], Level.BLUE)]


def test_what_the_water_model_says_of_its_own_devices_stays() -> None:
    devices = Registry.of(
        [
            pressure_device(0),
            pressure_device(1, kind="drain_level", quantity="freeboard", element="F2"),
        ]
    )
    assert normal_low(np.array([0.31, np.nan]), INP, devices).tolist() == [0.31, 3.0]
    assert np.isnan(dry_freeboard_m("", devices)).all()
