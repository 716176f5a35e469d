"""Makers of storms: Chicago storms of a city's formula, hourly series, Zhengzhou 2021-07-20."""

import csv
import math
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import yaml
from numpy.typing import NDArray

from simulator.errors import ScenarioError
from simulator.physics.flood.storm import Storm

Floats = NDArray[np.float64]

_FILE = "storm_formulas.yaml"
_STEP_S = 60
_HOUR_S = 3600
_SERIES_COLUMNS = ["hour", "mm"]

ZHENGZHOU_PEAK_MM = 201.9
"""Rain of the hour 16-17 on 2021-07-20 (design §4)."""
ZHENGZHOU_6H_MM = 382.0
"""Rain of the six hours that hold the peak (design §4)."""
ZHENGZHOU_24H_MM = 552.5
"""Rain from the 19th 20 h to the 20th 20 h (design §4)."""
ZHENGZHOU_72H_MM = 617.1
"""Rain of three days, to the 20th 20 h (design §4)."""

_PEAK_HOUR = 68  # 16-17 h on the third day, counted from 20 h on the 17th
_SIX_HOURS = range(66, 72)  # 14-20 h: where the six hours lie is an assumption
_LAST_DAY = range(48, 72)


class Moving(TypedDict, total=False):
    """How a storm moves: any of the fields of `Storm` with these names."""

    x_m: float
    y_m: float
    vx_m_s: float
    vy_m_s: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class StormFormula:
    """The storm intensity formula of a city: `q = a (1 + c lg P) / (t + b)^n`.

    Attributes:
        city: Name of the city.
        a: Factor, L/(s·hm2).
        c: Growth with the return period.
        b: Time constant, minutes.
        n: Exponent.
        verified: Whether the numbers were confirmed.
        source: Where they come from.
        mm_h_per_unit: mm/h of one L/(s·hm2).
    """

    city: str
    a: float
    c: float
    b: float
    n: float
    verified: bool
    source: str
    mm_h_per_unit: float

    def mean_mm_h(self, return_years: float, minutes: float) -> float:
        """Return the mean intensity over a duration that is reached once in so many years."""
        q = self.a * (1 + self.c * math.log10(return_years)) / (minutes + self.b) ** self.n
        return float(q * self.mm_h_per_unit)


@cache
def formulas() -> dict[str, StormFormula]:
    """Return the formulas of the data file by city.

    Raises:
        ScenarioError: the file is wrong; names file, key, value and fix.
    """
    text = resources.files("simulator.physics.flood").joinpath(_FILE).read_text("utf-8")
    return read_formulas(text, _FILE)


def read_formulas(text: str, file: str) -> dict[str, StormFormula]:
    """Return the formulas in a YAML text; `file` names it in errors.

    Raises:
        ScenarioError: something is missing or out of range.
    """
    data = yaml.safe_load(text)
    factor = _number(data, "mm_h_per_unit", file)
    found = {}
    for city, row in data["cities"].items():
        where = f"{file}: cities.{city}"
        numbers = {key: _number(row, key, where) for key in ("a", "c", "b", "n")}
        if not isinstance(row.get("verified"), bool) or not row.get("source"):
            raise ScenarioError(f"{where}: say verified: true or false, and the source")
        found[city] = StormFormula(
            city, **numbers, verified=row["verified"], source=row["source"], mm_h_per_unit=factor
        )
    return found


def _number(row: object, key: str, where: str) -> float:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ScenarioError(f"{where}: {key} is {value!r}; give a number above 0")
    return float(value)


def formula(city: str) -> StormFormula:
    """Return the formula of a city.

    Raises:
        ScenarioError: the city has none.
    """
    if city not in formulas():
        known = ", ".join(sorted(formulas()))
        raise ScenarioError(f"{_FILE}: no storm formula for {city!r}; known are {known}")
    return formulas()[city]


def chicago(
    id: str,
    start_ms: int,
    city_formula: str,
    return_years: float,
    duration_min: int,
    peak_share: float = 0.4,
    **moving: Unpack[Moving],
) -> Storm:
    """Return a Chicago storm: for every duration about the peak it rains what the formula says.

    Steps are a minute, each the exact integral of the curve, so the total is the formula's.

    Args:
        id: Id of the storm.
        start_ms: Event time of its beginning.
        city_formula: City of `storm_formulas.yaml`.
        return_years: Return period, years.
        duration_min: Length of the storm, minutes.
        peak_share: Share of the storm before the peak (0.3 to 0.5 are usual in design practice).
        **moving: Centre, speed and radius, as in `Storm`; without: the same everywhere.

    Raises:
        ScenarioError: an unknown city or a number out of range.
    """
    found = formula(city_formula)
    for key, value, low, high in (
        ("return_years", return_years, 0.2, 1000.0),
        ("duration_min", duration_min, 5, 1440),
        ("peak_share", peak_share, 0.05, 0.95),
    ):
        if not low <= value <= high:
            raise ScenarioError(f"storm {id}: {key} is {value}; give {low} to {high}")
    edges = np.arange(duration_min + 1, dtype=np.float64)
    peak = peak_share * duration_min
    before = np.maximum(peak - edges, 0.0) / peak_share
    after = np.maximum(edges - peak, 0.0) / (1 - peak_share)
    whole = _depth_mm(found, return_years, np.array([float(duration_min)]))[0]
    curve = peak_share * (whole - _depth_mm(found, return_years, before))
    curve += (1 - peak_share) * _depth_mm(found, return_years, after)
    rates = np.diff(curve) * 60
    state = "verified" if found.verified else "unverified"
    note = (
        f"Chicago storm, {return_years:g} years, {duration_min} min, peak at {peak_share:g}; "
        f"formula of {found.city} ({state}): {found.source}"
    )
    return Storm(id, start_ms, _STEP_S, tuple(map(float, rates)), note=note, **moving)


def _depth_mm(formula: StormFormula, years: float, minutes: Floats) -> Floats:
    factor = formula.mm_h_per_unit * formula.a * (1 + formula.c * math.log10(years)) / 60
    depth: Floats = factor * minutes / (minutes + formula.b) ** formula.n
    return depth


def scaled(storm: Storm, *, total_mm: float | None = None, peak_mm_h: float | None = None) -> Storm:
    """Return the same storm stronger or weaker: to a total at its centre, or to a peak minute.

    Raises:
        ScenarioError: not exactly one of the two is given, or the storm has no rain.
    """
    if (total_mm is None) == (peak_mm_h is None):
        raise ScenarioError(f"storm {storm.id}: give either total_mm or peak_mm_h")
    present = storm.total_mm if peak_mm_h is None else max(storm.rate_mm_h, default=0.0)
    wanted = total_mm if peak_mm_h is None else peak_mm_h
    if present <= 0 or wanted is None or wanted < 0:
        raise ScenarioError(f"storm {storm.id}: cannot scale {present:g} to {wanted}")
    rates = tuple(rate * wanted / present for rate in storm.rate_mm_h)
    return replace(storm, rate_mm_h=rates, note=f"{storm.note}; scaled to {wanted:g}")


def uniform(
    id: str, start_ms: int, rate_mm_h: float, duration_min: int, **moving: Unpack[Moving]
) -> Storm:
    """Return a storm of one intensity for so many minutes, such as 100 mm/h for an hour."""
    note = f"block storm, {rate_mm_h:g} mm/h for {duration_min} min"
    return Storm(id, start_ms, _STEP_S, (float(rate_mm_h),) * duration_min, note=note, **moving)


def hourly(id: str, start_ms: int, series: Path, **moving: Unpack[Moving]) -> Storm:
    """Return a storm from a CSV file of hourly rain with the columns `hour` and `mm`.

    Hours are counted from the start, 0 first; hours left out are dry.

    Raises:
        ScenarioError: the file is missing or wrong; names file, line and fix.
    """
    try:
        with series.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(line for line in lines if line.strip()))
    except OSError as error:
        raise ScenarioError(f"{series}: {error.strerror}; give a CSV of hourly rain") from error
    if not rows or [cell.strip() for cell in rows[0]] != _SERIES_COLUMNS:
        raise ScenarioError(f"{series}: line 1: the header must be hour,mm")
    rain_mm: dict[int, float] = {}
    for number, row in enumerate(rows[1:], 2):
        try:
            hour, depth = int(row[0]), float(row[1])
        except (ValueError, IndexError):
            raise ScenarioError(f"{series}: line {number}: {row}; give hour,mm") from None
        if hour < 0 or hour in rain_mm or not 0 <= depth < math.inf:
            raise ScenarioError(f"{series}: line {number}: {row}; hours once each, mm from 0")
        rain_mm[hour] = depth
    rates = tuple(rain_mm.get(hour, 0.0) for hour in range(max(rain_mm, default=-1) + 1))
    return Storm(id, start_ms, _HOUR_S, rates, note=f"hourly series {series.name}", **moving)


def zhengzhou_720(id: str, start_ms: int, hours: int = 72, **moving: Unpack[Moving]) -> Storm:
    """Return the storm of Zhengzhou 2021-07-20, exact in its four published sums.

    Three days end at 20 h on the 20th local time. Known are the hour 16-17 (201.9 mm), six
    hours (382), the last day (552.5) and the three days (617.1); that the six hours are 14-20 h,
    and every single hour but the peak, is synthetic fill.

    Args:
        id: Id of the storm.
        start_ms: Event time of its beginning.
        hours: The last so many hours of it: 72, 24 or 6; the peak is the fourth from the end.
        **moving: Centre, speed and radius, as in `Storm`.

    Raises:
        ScenarioError: another number of hours.
    """
    if hours not in (6, 24, 72):
        raise ScenarioError(f"storm {id}: hours is {hours}; give 6, 24 or 72")
    rain_mm = np.zeros(72)
    spread = np.arange(72, dtype=np.float64)
    six, day = list(_SIX_HOURS), [hour for hour in _LAST_DAY if hour not in _SIX_HOURS]
    # Fill: heavier towards the peak hour, by the inverse of the distance in hours.
    weight = 1 / (1 + np.abs(spread - _PEAK_HOUR))
    weight[_PEAK_HOUR] = 0.0
    for chosen, total_mm in (
        (six, ZHENGZHOU_6H_MM - ZHENGZHOU_PEAK_MM),
        (day, ZHENGZHOU_24H_MM - ZHENGZHOU_6H_MM),
        (list(range(48)), ZHENGZHOU_72H_MM - ZHENGZHOU_24H_MM),
    ):
        rain_mm[chosen] = total_mm * weight[chosen] / weight[chosen].sum()
    rain_mm[_PEAK_HOUR] = ZHENGZHOU_PEAK_MM
    note = (
        "Zhengzhou 2021-07-20: 201.9 mm in 16-17 h, 382 mm in six hours, 552.5 mm in a day and "
        "617.1 mm in three are as published; every other hour is synthetic fill"
    )
    return Storm(id, start_ms, _HOUR_S, tuple(map(float, rain_mm[-hours:])), note=note, **moving)
