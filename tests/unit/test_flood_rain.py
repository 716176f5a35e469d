"""Storms say what they claim, and the rain field neither makes nor loses water."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import ScenarioError
from simulator.physics.flood.rain import (
    RainField,
    Storm,
    chicago,
    hourly,
    scaled,
    uniform,
    zhengzhou_720,
)
from simulator.physics.flood.storms import formula, read_formulas

START_MS = 1_780_243_200_000
HOUR_MS = 3_600_000
HERE = np.array([0.0]), np.array([0.0])


@pytest.mark.parametrize("minutes", [10, 40, 120])
def test_a_chicago_storm_holds_the_formulas_mean_over_every_duration(minutes: int) -> None:
    storm = chicago("s", START_MS, "beijing", 5, 120, peak_share=0.4)
    heaviest = max(
        sum(storm.rate_mm_h[first : first + minutes]) / minutes
        for first in range(120 - minutes + 1)
    )
    # 2001 (1 + 0.811 lg 5) / (t + 8)^0.711 L/(s·hm2), 0.36 mm/h each
    wanted = 0.36 * 2001 * (1 + 0.811 * np.log10(5)) / (minutes + 8) ** 0.711
    assert heaviest == pytest.approx(wanted, rel=1e-9)


def test_formulas_say_whether_they_are_verified() -> None:
    assert formula("beijing").verified
    assert not formula("zhengzhou").verified
    assert "unverified" in chicago("s", 0, "zhengzhou", 5, 60).note


def test_the_peak_stands_where_it_is_asked_for() -> None:
    storm = chicago("s", START_MS, "chongqing", 10, 100, peak_share=0.3)
    assert int(np.argmax(storm.rate_mm_h)) in (29, 30)


def test_zhengzhou_keeps_its_four_sums() -> None:
    hours = np.array(zhengzhou_720("z", START_MS).rate_mm_h)
    assert hours[68] == 201.9
    assert hours[66:].sum() == pytest.approx(382.0)
    assert hours[48:].sum() == pytest.approx(552.5)
    assert hours.sum() == pytest.approx(617.1)
    assert hours.argmax() == 68
    assert "synthetic fill" in zhengzhou_720("z", START_MS, hours=6).note


def test_scaling_reaches_a_total_or_a_peak() -> None:
    storm = chicago("s", START_MS, "beijing", 5, 120)
    assert scaled(storm, total_mm=100).total_mm == pytest.approx(100)
    assert max(scaled(storm, peak_mm_h=80).rate_mm_h) == pytest.approx(80)
    with pytest.raises(ScenarioError, match="either total_mm or peak_mm_h"):
        scaled(storm)


@given(
    cuts=st.lists(st.integers(-HOUR_MS, 4 * HOUR_MS), min_size=1, max_size=8),
    step_s=st.sampled_from([45, 60, 300, 3600]),
)
def test_what_falls_does_not_depend_on_how_time_is_cut(cuts: list[int], step_s: int) -> None:
    rates = tuple(float(n % 7 * 10) for n in range(7200 // step_s))
    storm = Storm("s", START_MS, step_s, rates, -3000, 0, 3.0, 0.0, 2000.0)
    field, places = RainField([storm]), (np.array([0.0, 900.0]), np.array([0.0, -400.0]))
    edges = sorted({-HOUR_MS, *cuts, 4 * HOUR_MS})
    parts = sum(field.fallen_mm(START_MS + a, START_MS + b, *places) for a, b in pairwise(edges))
    whole = field.fallen_mm(START_MS - HOUR_MS, START_MS + 4 * HOUR_MS, *places)
    assert parts == pytest.approx(whole, rel=1e-12, abs=1e-12)


def test_what_falls_is_the_integral_of_the_intensity() -> None:
    storm = chicago("s", START_MS, "beijing", 3, 60, x_m=-2000, vx_m_s=2.0, radius_m=1500)
    field = RainField([storm])
    seconds = range(0, 3600, 10)
    summed = sum(field.intensity_mm_h(START_MS + s * 1000, *HERE)[0] for s in seconds) / 360
    assert field.fallen_mm(START_MS, START_MS + HOUR_MS, *HERE)[0] == pytest.approx(summed)
    assert summed < storm.total_mm / 2  # it passes by


def test_rain_is_due_when_a_storm_first_rains() -> None:
    field = RainField([Storm("s", START_MS, 600, (0.0, 0.0, 5.0, 0.0))])
    assert field.next_rain_ms(0) == START_MS + 1_200_000
    assert field.next_rain_ms(START_MS + 1_300_000) == START_MS + 1_300_000
    assert field.next_rain_ms(START_MS + 1_800_000) is None
    field.add(uniform("t", START_MS + HOUR_MS, 10, 30))
    assert field.next_rain_ms(START_MS + 1_800_000) == START_MS + HOUR_MS


def test_hourly_rain_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rain.csv"
    file.write_text("hour,mm\n0,3.5\n2,10\n")
    assert hourly("h", START_MS, file).rate_mm_h == (3.5, 0.0, 10.0)
    file.write_text("hour,mm\n0,wet\n")
    with pytest.raises(ScenarioError, match=r"rain\.csv: line 2"):
        hourly("h", START_MS, file)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("{a: 0, c: 1, b: 8, n: 0.7, verified: true, source: x}", "a is 0"),
        ("{a: 1, c: 1, b: 8, verified: true, source: x}", "n is None"),
        ("{a: 1, c: 1, b: 8, n: 0.7, source: x}", "verified"),
    ],
)
def test_a_wrong_formula_is_named(row: str, named: str) -> None:
    with pytest.raises(ScenarioError, match=named) as error:
        read_formulas(f"mm_h_per_unit: 0.36\ncities:\n  here: {row}\n", "my.yaml")
    assert "my.yaml: cities.here" in str(error.value)


def test_an_unknown_city_is_named() -> None:
    with pytest.raises(ScenarioError, match="known are beijing"):
        chicago("s", 0, "atlantis", 5, 60)
