"""Numbers by which drains are laid: a data file with units and sources, checked on loading."""

from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

import yaml

from simulator.errors import ScenarioError

FILE = "drainage.yaml"

SIZES_M = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0, 2.2, 2.4, 2.6, 3.0)
"""Diameters drains come in (GB/T 11836 concrete pipes)."""


@dataclass(frozen=True, slots=True)
class DrainageDesign:
    """The keys of `drainage.yaml`, which says their unit and source."""

    storm_formula: str
    return_years: float
    inlet_time_min: float
    runoff_share: float
    impervious_percent: float
    street_share: float
    roughness: float
    least_slope: float
    greatest_slope: float
    cover_m: float
    deepest_m: float
    outfall_spacing_m: float
    longest_main_m: float
    gated_share: float
    corners_per_spot: float
    corners_per_rain_gauge: float
    corners_per_river_gauge: float
    spot_capacity: float
    spill_depth_m: float
    spill_width_m: float
    spill_reach_m: float
    underpass_dip_m: float
    underpass_crest_m: float
    underpass_catchment_m2: float
    underpass_storm_mm_h: float


@cache
def design() -> DrainageDesign:
    """Return the design of the data file.

    Raises:
        ScenarioError: the file is wrong; names file, key, value and fix.
    """
    return read_design(resources.files("simulator.city").joinpath(FILE).read_text("utf-8"))


def read_design(text: str) -> DrainageDesign:
    """Return the design in a YAML text.

    Raises:
        ScenarioError: a key is missing or unknown, a number is not above 0, a unit or a source
            is missing.
    """
    data = yaml.safe_load(text)
    if not isinstance(data, dict):
        raise ScenarioError(f"{FILE}: give one `key: {{value, unit, source}}` a line")
    known = [item.name for item in fields(DrainageDesign)]
    for key in data:
        if key not in known:
            raise ScenarioError(f"{FILE}: {key} is unknown; remove it")
    values: dict[str, Any] = {}
    for key in known:
        row = data.get(key)
        if not isinstance(row, dict) or not {"value", "unit", "source"} <= row.keys():
            raise ScenarioError(f"{FILE}: {key} is {row!r}; give value, unit and source")
        value = row["value"]
        if key == "storm_formula":
            values[key] = str(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            values[key] = float(value)
        else:
            raise ScenarioError(f"{FILE}: {key} is {value!r}; give a number above 0")
    return DrainageDesign(**values)
