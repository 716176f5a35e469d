"""Window functions against closed forms and plain sample-by-sample ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages import Message, Samples
from pipeline.rules import Direction, Function, Rule, RuleSet, Select, Signal
from pipeline.rules.functions import FUNCTIONS
from pipeline.warn.compile import compile_rules
from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.functions.build import Site, figures_of, function_of
from pipeline.warn.functions.fills import DEPTH, DIAMETER
from pipeline.warn.levels import mildest_of
from pipeline.warn.stage import WarnStage
from pipeline.warn.verdicts import MILDEST_FIRST
from sensors.quantities import QUANTITIES
from sensors.readings import Floats, Reading
from sensors.registry import Registry
from tests.conformance.pressure_devices import START_MS, pressure_device, samples_of
from tests.conformance.stage_properties import Script, same_after_restart, same_in_any_batching
from tests.unit.warn_stories import HEAD, RULES

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SIX_HOURS = 6 * 3600.0
ACCURACY = 0.002
MONDAY_MS = 1_750_003_200_000
"""2025-06-16T00:00 in China."""
WINDOWED = tuple(one for one in Function if one not in {Function.FALL, Function.RESIDUAL})


def rule_of(function: Function, direction: str = "high", **figures: float) -> Rule:
    """A rule on pressures with the function, its thresholds where pressures come to."""
    quantity = "freeboard" if function is Function.FILL else "pressure"
    signs = (1, 2, 3, 4) if direction == "high" else (-1, -2, -3, -4)
    rule = replace(
        RULES.rule(HEAD),
        id=f"test.{function.value}",
        unit=FUNCTIONS[function].unit_of(QUANTITIES[quantity].unit),
        direction=Direction(direction),
        thresholds={level: float(n) for level, n in zip(MILDEST_FIRST, signs, strict=True)},
        signal=Signal(function, figures),
        select=Select(kinds=("network_pressure",), quantity=quantity),
        windows_s={},
        deadband=0.1,
    )
    return replace(rule, signal=Signal(function, figures_of(rule)))


def rules_of(*rules: Rule) -> RuleSet:
    return replace(RULES, rules={rule.id: rule for rule in rules}, couplings=())


def registry_of(devices: int, quantity: str = "pressure") -> Registry:
    return Registry.of(pressure_device(number, quantity=quantity) for number in range(devices))


def make(
    rule: Rule, devices: int = 1, constants: Mapping[str, Floats] | None = None
) -> WindowFunction:
    registry, rules = registry_of(devices, rule.select.quantity), rules_of(rule)
    ((columns, *_), _) = compile_rules(registry, rules, has_model=True)
    site = Site(
        rule, rules, registry, columns.devices, mildest_of(columns), constants or {}, 8 * HOUR_MS
    )
    function = function_of(site)
    assert function is not None
    return function


def signals(
    function: WindowFunction,
    samples: Sequence[tuple[int, float]],
    spikes: Sequence[int] = (),
) -> list[float]:
    """Signals of one device given (time, value) after the other."""
    row = np.zeros(1, np.intp)
    found = []
    for number, (time_ms, value) in enumerate(samples):
        signal = function.apply(
            row, np.array([time_ms]), np.array([value]), np.array([number in spikes])
        )
        found.append(float(signal[0]))
    return found


def every(
    gap_ms: int, values: Sequence[float], start_ms: int = START_MS
) -> list[tuple[int, float]]:
    return [(start_ms + n * gap_ms, float(value)) for n, value in enumerate(values)]


walks = st.lists(
    st.tuples(st.integers(1, 40 * MINUTE_MS), st.floats(-5, 5)), min_size=1, max_size=60
)


@pytest.mark.parametrize("name", [Function.MEAN, Function.MIN, Function.MAX])
@given(walk=walks)
@settings(max_examples=40)
def test_sliding_windows_hold_the_samples_of_twelve_buckets(
    name: Function, walk: list[tuple[int, float]]
) -> None:
    times = START_MS + np.cumsum([gap for gap, _ in walk])
    values = np.array([value for _, value in walk])
    found = signals(make(rule_of(name, window_s=3600.0)), list(zip(times, values, strict=True)))
    width_ms = 300_000
    plain = {Function.MEAN: np.mean, Function.MIN: np.min, Function.MAX: np.max}[name]
    for number, signal in enumerate(found):
        if times[number] - times[0] < HOUR_MS / 2:
            assert np.isnan(signal)
            continue
        bucket = times // width_ms
        inside = (bucket > bucket[number] - 12) & (np.arange(len(times)) <= number)
        assert signal == pytest.approx(plain(values[inside]), abs=1e-9)


def test_a_spike_is_in_no_window() -> None:
    values = [1.0] * 8 + [900.0] + [1.0] * 4
    for name in (Function.MEAN, Function.MAX, Function.RATE):
        found = signals(make(rule_of(name, window_s=3600.0)), every(300_000, values), [8])
        usual = 0.0 if name is Function.RATE else 1.0
        assert np.isnan(found[8])
        assert found[-1] == pytest.approx(usual, abs=1e-9)


@given(st.floats(-2, 2), st.floats(-10, 10), st.integers(60, 600))
@settings(max_examples=30)
def test_a_straight_line_has_its_own_slope_and_change(
    slope_h: float, start: float, gap_s: int
) -> None:
    samples = every(gap_s * 1000, [start + slope_h * n * gap_s / 3600 for n in range(90)])
    rate = signals(make(rule_of(Function.RATE, window_s=3600.0)), samples)
    delta = signals(make(rule_of(Function.DELTA, window_s=3600.0)), samples)
    assert rate[-1] == pytest.approx(slope_h, abs=1e-6)
    assert delta[-1] == pytest.approx(slope_h, abs=1e-6)
    assert np.isnan(delta[0])
    assert np.isnan(rate[0])


def test_each_level_may_have_a_window_of_its_own() -> None:
    windows = dict(zip(MILDEST_FIRST, (7200.0, 3600.0, 1800.0, 1800.0), strict=True))
    rule = replace(rule_of(Function.SUM, window_s=7200.0, reset=1.0), windows_s=windows)
    function = make(rule)
    for time_ms, value in every(300_000, np.arange(40.0)):
        signal = function.apply(
            np.zeros(1, np.intp), np.array([time_ms]), np.array([value]), np.zeros(1, np.bool_)
        )
    assert signal[:, 0].tolist() == pytest.approx([24.0, 12.0, 6.0, 6.0])


def test_excess_is_the_mirror_of_shortfall_and_its_end_is_none() -> None:
    values = [2.0] * 10 + [1.0] * 20 + [2.0] * 3
    low = signals(make(rule_of(Function.SHORTFALL)), every(300_000, values))
    high = signals(make(rule_of(Function.EXCESS)), every(300_000, values))
    assert low[10] == pytest.approx(50.0)
    assert high[10] == pytest.approx(-50.0)
    assert high[30] == pytest.approx(0.0)


STEADY = {"learning_s": SIX_HOURS, "warm_up": 12.0, "floor_sigmas": 1.0, "clip_sigmas": 3.0}


def standardised(shift: float, count: int, before: int = 40) -> list[tuple[int, float]]:
    """A device that shows exactly 0.3, then so many sigmas more (its spread is its accuracy)."""
    return every(300_000, [0.3] * before + [0.3 + shift * ACCURACY] * count)


def test_ewma_of_a_lasting_shift_is_robertss() -> None:
    found = signals(make(rule_of(Function.EWMA, weight=0.2, **STEADY)), standardised(2.0, 1))
    assert found[-1] == pytest.approx(0.2 * 2.0 / np.sqrt(0.2 / 1.8))


def test_cusum_sums_what_is_beyond_the_allowance_and_begins_again_when_told() -> None:
    function = make(rule_of(Function.CUSUM, k=0.5, **STEADY))
    found = signals(function, standardised(2.5, 1))
    assert found[-2:] == pytest.approx([0.0, 2.0])
    function.cleared(np.zeros(1, np.intp))
    assert signals(function, [(START_MS + DAY_MS, 0.3)])[0] == pytest.approx(0.0, abs=0.2)


def test_charts_of_block_means_are_asked_once_a_block_and_take_a_short_swing_for_little() -> None:
    """Samples that hang together, as those of a pump, add up to an alarm that means nothing."""
    swing = every(300_000, [0.3] * 480 + [0.3 + 3.0 * ACCURACY] * 6 + [0.3] * 18)
    figures = {**STEADY, "learning_s": 7.0 * 86_400.0, "k": 0.5}
    single = signals(make(rule_of(Function.CUSUM, **figures)), swing)
    means = signals(make(rule_of(Function.CUSUM, mean_s=3600.0, **figures)), swing)
    assert np.nanmax(single) == 5.0  # as high as it goes
    assert np.nanmax(means) < 2.0
    assert np.isfinite(means[-24:]).sum() == 2


def test_lower_cusum_is_negative_and_capped() -> None:
    function = make(rule_of(Function.CUSUM, "low", k=0.5, **STEADY))
    found = signals(function, standardised(-30.0, 20))
    assert found[40] == -5.0
    assert min(found[12:]) == -5.0


@pytest.mark.parametrize(
    ("scores", "is_broken"),
    [
        ([3.1], True),
        ([2.1, 0.1, 2.1], True),
        ([2.1, 0.1, 0.1, 2.1], False),
        ([1.2, 1.2, -0.1, 1.2, 1.2], True),
        ([1.2, 1.2, -0.1, 1.2], False),
        ([0.2] * 8, True),
        ([0.2] * 7 + [-0.1], False),
        ([-3.1], False),
    ],
)
def test_zone_rules_of_western_electric(scores: list[float], is_broken: bool) -> None:
    steady = {**STEADY, "learning_s": 365 * 86_400.0}
    values = [0.3] * 40 + [0.3 + score * ACCURACY for score in scores]
    found = signals(make(rule_of(Function.WESTERN_ELECTRIC, **steady)), every(300_000, values))
    assert (found[-1] >= 3.0) is is_broken


def test_baseline_knows_the_time_of_the_week_after_a_week() -> None:
    hours = np.arange(3 * 7 * 24)
    values = 0.3 + 0.1 * np.sin(hours / 24 * 2 * np.pi) + 0.05 * ((hours // 24) % 7 == 5)
    values[-1] += 0.05
    rule = rule_of(Function.BASELINE, warm_up=1.0)
    found = np.array(signals(make(rule), every(HOUR_MS, values.tolist(), MONDAY_MS)))
    assert np.isnan(found[: 7 * 24]).all()
    assert np.abs(found[7 * 24 : -1]).max() < 0.1
    assert found[-1] > 5.0


def test_night_ratio_is_told_once_a_night_against_the_nights_before() -> None:
    hours = np.arange(0, 8 * 24, 0.25)
    flow = np.where(hours % 24 < 6, 10.0, 40.0) + np.where(hours > 6 * 24, 10.0, 0.0)
    found = np.array(
        signals(
            make(rule_of(Function.NIGHT_RATIO)), every(15 * MINUTE_MS, flow.tolist(), MONDAY_MS)
        )
    )
    told = np.flatnonzero(np.isfinite(found))
    assert (hours[told] % 24 == 5.0).all()
    assert found[told].tolist() == pytest.approx([1.0, 1.0, 1.0, 2.0, 2.0])


def test_time_to_level_of_a_rising_line_and_how_sure_it_is() -> None:
    rule = rule_of(Function.TIME_TO_LEVEL, "low", level=1.0)
    function = make(rule)
    found = signals(function, every(300_000, [0.1] * 7 + [0.1 + 0.05 * n for n in range(1, 9)]))
    assert found[6] == np.inf
    assert found[-1] == pytest.approx((1.0 - 0.5) / 0.05 * 5, rel=0.05)
    assert function.confidence(0) == pytest.approx(0.8, abs=0.25)
    noise = np.random.Generator(np.random.Philox(3)).normal(0, 0.05, 15)
    wild = make(rule)
    signals(wild, every(300_000, (0.3 + noise + 0.002 * np.arange(15)).tolist()))
    assert (wild.confidence(0) or 0.0) < (function.confidence(0) or 0.0)


def test_at_the_level_nothing_is_left_to_foretell() -> None:
    found = signals(
        make(rule_of(Function.TIME_TO_LEVEL, "low", level=1.0)), every(300_000, [0.5, 1.0, 1.2])
    )
    assert np.isnan(found[1:]).all()


def test_fill_needs_the_constants_of_its_device() -> None:
    constants = {DEPTH: np.array([3.0, np.nan]), DIAMETER: np.array([0.8, 0.8])}
    function = make(rule_of(Function.FILL), 2, constants)
    row = np.arange(2)
    fill = function.apply(row, row, np.array([2.6, 2.6]), np.zeros(2, np.bool_))
    assert fill[0] == pytest.approx(0.5)
    assert np.isnan(fill[1])


def hourly(name: Function) -> Rule:
    """A rule with the function over an hour."""
    windows = {"window_s": 3600.0} if "window_s" in FUNCTIONS[name].figures else {}
    level = {"level": 1.0} if name is Function.TIME_TO_LEVEL else {}
    return rule_of(name, **windows, **level)


def made(name: Function) -> WindowFunction:
    constants = {DEPTH: np.full(3, 3.0), DIAMETER: np.full(3, 0.8)}
    return make(hourly(name), 3, constants)


@pytest.mark.parametrize("name", [one for one in WINDOWED if one is not Function.VALUE])
def test_state_goes_on_in_another_row(name: Function) -> None:
    chance = np.random.Generator(np.random.Philox(5))
    values = 0.3 + chance.normal(0, 0.05, 300)
    whole, first, second = made(name), made(name), made(name)
    no_spike = np.zeros(1, np.bool_)
    rows = np.array([0]), np.array([2])
    expected, found = [], []
    for number, value in enumerate(values.tolist()):
        time_ms = np.array([START_MS + number * 5 * HOUR_MS])
        expected.append(whole.apply(rows[0], time_ms, np.array([value]), no_spike))
        if number == 150:
            second.load(first.arrays(), rows[0], rows[1])
        now, row = (first, rows[0]) if number < 150 else (second, rows[1])
        found.append(now.apply(row, time_ms, np.array([value]), no_spike))
    assert np.array_equal(np.array(expected), np.array(found), equal_nan=True)


def bad_day() -> tuple[Registry, RuleSet, Script]:
    """Every function over four devices, fed with steps, spikes and gaps in uneven batches."""
    rules = []
    for name in WINDOWED:
        if name is Function.FILL:
            continue
        rule = replace(hourly(name), clear_consecutive=2, deadband=0.01)
        scale = 0.1 if rule.unit in {"MPa", "MPa/h"} else 1.0
        limits = {level: scale * limit for level, limit in rule.thresholds.items()}
        rules.append(replace(rule, thresholds=limits))
    chance = np.random.Generator(np.random.Philox(9))
    script: list[tuple[int, list[Message]]] = []
    for tick in range(50):
        now_ms = START_MS + tick * 10 * MINUTE_MS
        readings = [
            Reading(device, now_ms - n * 200_000, 0.3 + 0.5 * (tick // 12 % 2) * chance.random(),
                    int(chance.choice([0, 0, 0, 2])))
            for device in range(4)
            for n in (1, 0)
            if chance.random() < 0.9
        ]  # fmt: skip
        script.append((now_ms, [samples_of([one], now_ms) for one in readings]))
    return registry_of(4), rules_of(*rules), script


def test_no_function_cares_about_batching_and_restarts() -> None:
    registry, rules, script = bad_day()
    said = same_in_any_batching(lambda: WarnStage(registry, rules), script, (3,))
    same_after_restart(lambda: WarnStage(registry, rules), script, every=17)
    alarmed = {getattr(one, "rule", "") for tick in said for one in tick}
    assert len(alarmed) > 8


def test_one_batch_of_the_day_is_judged_like_its_samples() -> None:
    registry, rules, script = bad_day()
    rows = [one.batch for _, tick in script for one in tick if isinstance(one, Samples)]
    engine, other = WarnStage(registry, rules).engine, WarnStage(registry, rules).engine
    order = sorted(rows, key=lambda one: int(one.time_ms[0]))
    whole = type(rows[0]).concat(rows).by_device_and_time()
    at_once = engine.judge(whole, START_MS)
    one_by_one = [alarm for row in order for alarm in other.judge(row, START_MS)]
    assert sorted(map(str, at_once)) == sorted(map(str, one_by_one))
    assert at_once
