"""Writing of a synthetic town with its pump station and tower as an EPANET file."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from simulator.city.drawing import Floats
from simulator.city.town import Town

PATTERN_STEP_MIN = 15
"""Short enough that no change of demand looks like a burst."""

_HOURLY = (
    0.55, 0.45, 0.40, 0.38, 0.42, 0.62, 1.00, 1.38, 1.45, 1.28, 1.15, 1.12,
    1.18, 1.10, 1.00, 0.98, 1.05, 1.20, 1.42, 1.50, 1.38, 1.15, 0.92, 0.70,
)  # fmt: skip
"""Residential demand by hour with a morning and an evening peak (proposed shape)."""
_STATION, _TOWER, _OUTLET = "R1", "TK1", "S1"
_ON_LEVELS, _OFF_LEVELS = (0.62, 0.45), (0.92, 0.80)
"""Shares of the tower's depth at which the lead and the lag pump start and stop."""
_START_LEVEL = 0.70


@dataclass(frozen=True, slots=True)
class Station:
    """The pump station and the water tower of a town.

    Attributes:
        tower_m: Elevation of the tower's bottom.
        depth_m: Depth of the tower's tank.
        tower_diameter_m: Its diameter.
        pump_l_s: Design flow of one of the two pumps.
        pump_m: Design head of a pump.
        main_mm: Diameter of the mains of station and tower.
    """

    tower_m: float
    depth_m: float
    tower_diameter_m: float
    pump_l_s: float
    pump_m: float
    main_mm: int


def junction_id(place: int) -> str:
    """Return the id of a junction: `J0001` for the first."""
    return f"J{place + 1:04d}"


def demand_pattern() -> Floats:
    """Return a day of demand factors with mean 1, one a quarter of an hour, without kinks."""
    hours = np.arange(25) + 0.5
    curve = CubicSpline(hours, [*_HOURLY, _HOURLY[0]], bc_type="periodic")
    quarters = (np.arange(24 * 60 // PATTERN_STEP_MIN) + 0.5) * PATTERN_STEP_MIN / 60
    factors: Floats = np.asarray(curve(quarters), dtype=np.float64)
    factors /= factors.mean()
    return factors


def reservoir_m(town: Town) -> float:
    """Return the water surface the pumps draw from: the ground at the station."""
    return float(town.elevation_m[town.station])


def write_inp(town: Town, station: Station, title: str) -> str:
    """Return the town as the text of an EPANET file in litres a second."""
    sections = {
        "TITLE": [title],
        "JUNCTIONS": _junctions(town),
        "RESERVOIRS": [f"{_STATION} {reservoir_m(town):.2f}"],
        "TANKS": [
            f"{_TOWER} {station.tower_m:.2f} {_START_LEVEL * station.depth_m:.2f} 0 "
            f"{station.depth_m:.2f} {station.tower_diameter_m:.2f} 0"
        ],
        "PIPES": _pipes(town, station),
        "PUMPS": [f"PU{n} {_STATION} {_OUTLET} HEAD PUMP" for n in (1, 2)],
        "CURVES": [f"PUMP {station.pump_l_s:.2f} {station.pump_m:.2f}"],
        "PATTERNS": [f"DAY {factor:.4f}" for factor in demand_pattern()],
        "CONTROLS": _controls(station),
        "TIMES": [
            "Duration 24:00",
            "Hydraulic Timestep 0:15",
            f"Pattern Timestep 0:{PATTERN_STEP_MIN}",
            "Report Timestep 1:00",
            "Start ClockTime 12 am",
        ],
        "OPTIONS": ["Units LPS", "Headloss H-W", "Accuracy 0.0001", "Unbalanced Continue 10"],
        "COORDINATES": _coordinates(town),
    }
    return "\n".join(_section(name, lines) for name, lines in sections.items()) + "\n[END]\n"


def _section(name: str, lines: Iterable[str]) -> str:
    return "\n".join([f"[{name}]", *(f" {line}" for line in lines), ""])


def _junctions(town: Town) -> list[str]:
    rows = zip(town.elevation_m, town.demand_l_s, strict=True)
    served = [f"{junction_id(n)} {z:.2f} {q:.4f} DAY" for n, (z, q) in enumerate(rows)]
    return [*served, f"{_OUTLET} {reservoir_m(town):.2f} 0"]


def _pipes(town: Town, station: Station) -> list[str]:
    rows = zip(town.ends, town.length_m, town.diameter_mm, town.roughness, strict=True)
    streets = [
        f"P{n + 1:04d} {junction_id(a)} {junction_id(b)} {length:.1f} {size} {c:.0f} 0 Open"
        for n, ((a, b), length, size, c) in enumerate(rows)
    ]
    return [
        *streets,
        f"PS1 {_OUTLET} {junction_id(town.station)} 60 {station.main_mm} 130 0 Open",
        f"PT1 {_TOWER} {junction_id(town.tower)} 60 {station.main_mm} 130 0 Open",
    ]


def _controls(station: Station) -> list[str]:
    lines = []
    for pump, on, off in zip((1, 2), _ON_LEVELS, _OFF_LEVELS, strict=True):
        lines.append(f"LINK PU{pump} OPEN IF NODE {_TOWER} BELOW {on * station.depth_m:.2f}")
        lines.append(f"LINK PU{pump} CLOSED IF NODE {_TOWER} ABOVE {off * station.depth_m:.2f}")
    return lines


def _coordinates(town: Town) -> list[str]:
    rows = enumerate(zip(town.x_m, town.y_m, strict=True))
    x_m, y_m = town.x_m, town.y_m
    return [
        *(f"{junction_id(n)} {x:.1f} {y:.1f}" for n, (x, y) in rows),
        f"{_OUTLET} {x_m[town.station] - 40:.1f} {y_m[town.station] - 40:.1f}",
        f"{_STATION} {x_m[town.station] - 70:.1f} {y_m[town.station] - 70:.1f}",
        f"{_TOWER} {x_m[town.tower] + 40:.1f} {y_m[town.tower] + 40:.1f}",
    ]
