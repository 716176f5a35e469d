"""A synthetic town from a seed: streets, mains, a pump station and a water tower that fit."""

import math
from dataclasses import dataclass, replace

import numpy as np

from sensors.city import City
from sensors.registry import Registry
from simulator.city.importing import import_inp
from simulator.city.inp_text import Station, reservoir_m, write_inp
from simulator.city.placement import PRESSURE_SHARE
from simulator.city.town import DIAMETERS_MM, Town, lay_out
from simulator.errors import PhysicsError
from simulator.physics.water.engine import EpanetEngine
from simulator.randomness import stream

LOWEST_SERVICE_M = 24.0
"""Least service head over the day (design §4)."""
HIGHEST_SERVICE_M = 55.0
"""Greatest service head over the day (design §4)."""
LEAST_JUNCTIONS = 9

_MARGIN_M = 1.5
_ATTEMPTS = 16
_STEP_S = 900
_DAYS_S = 2 * 86_400
_TOWER_DEPTH_M = 4.0
_STORED_SHARE = 0.16
_PUMP_SHARE = 0.85
_MAIN_SPEED_M_S = 1.1
_PUMP_LOSS_M = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    """Service of a town over two days: extremes of head at its served junctions."""

    lowest_m: float
    highest_m: float

    @property
    def is_good(self) -> bool:
        """Whether heads keep within the limits all day."""
        return self.lowest_m >= LOWEST_SERVICE_M and self.highest_m <= HIGHEST_SERVICE_M


def generate_town(
    seed: int,
    junctions: int = 120,
    city_id: str = "town",
    name: str = "Town",
    pressure_share: float = PRESSURE_SHARE,
) -> tuple[City, Registry]:
    """Return a synthetic town and the registry of its instruments, the same for the same seed.

    It has a jittered street grid with loops and dead ends, two pumps that a water tower's level
    starts and stops, and a smooth residential demand. Tower and pumps are raised or lowered
    until service heads keep between 24 and 55 m over two days.

    Args:
        seed: Decides everything random.
        junctions: Junctions with demand, at least 9.
        city_id: Id of the city, one topic segment.
        name: Its name for people.
        pressure_share: Share of the junctions with demand that carry a pressure device.

    Raises:
        PhysicsError: no tower and pumps were found that serve the town; try another seed.
    """
    if junctions < LEAST_JUNCTIONS:
        raise PhysicsError(f"a town of {junctions} junctions; ask for {LEAST_JUNCTIONS} or more")
    town = lay_out(stream(seed, "town"), junctions)
    text = _fitted(town, f"Synthetic town, seed {seed}, {junctions} junctions")
    return import_inp(text, city_id, name, pressure_share)


def service(inp_text: str) -> Service:
    """Return the extremes of service head over the first two days of a file."""
    with EpanetEngine(inp_text) as engine:
        served = engine.is_junction & (engine.base_demand_m3_h > 0)
        elevation_m = engine.elevation_m[served]
        engine.start(0, _STEP_S)
        lowest, highest = math.inf, -math.inf
        while engine.time_s < _DAYS_S:
            engine.sub_step(_DAYS_S)
            engine.solve()
            head_m = engine.head_m()[served] - elevation_m
            lowest, highest = min(lowest, head_m.min()), max(highest, head_m.max())
    return Service(float(lowest), float(highest))


def _fitted(town: Town, title: str) -> str:
    """Return the file of the town once tower and pumps are right for it."""
    station = _first_station(town)
    for _ in range(_ATTEMPTS):
        text = write_inp(town, station, title)
        found = service(text)
        if found.is_good:
            return text
        room_m = HIGHEST_SERVICE_M - LOWEST_SERVICE_M - 2 * _MARGIN_M
        if found.highest_m - found.lowest_m > room_m:
            town = town.one_size_up().flatter(0.85)
            station = _first_station(town)
            continue
        raised_m = LOWEST_SERVICE_M + _MARGIN_M - found.lowest_m
        station = replace(
            station, tower_m=station.tower_m + raised_m, pump_m=station.pump_m + raised_m
        )
    raise PhysicsError(f"{title}: no pump head serves it between 24 and 55 m; try another seed")


def _first_station(town: Town) -> Station:
    total_l_s = float(town.demand_l_s.sum())
    tower_m = float(town.elevation_m.max()) + LOWEST_SERVICE_M + _MARGIN_M
    volume_m3 = total_l_s * 86.4 * _STORED_SHARE
    main_mm = math.sqrt(4 * total_l_s * 1.6 / 1000 / (math.pi * _MAIN_SPEED_M_S)) * 1000
    fitting = [size for size in DIAMETERS_MM if size >= main_mm]
    return Station(
        tower_m=tower_m,
        depth_m=_TOWER_DEPTH_M,
        tower_diameter_m=math.sqrt(4 * volume_m3 / (np.pi * _TOWER_DEPTH_M)),
        pump_l_s=total_l_s * _PUMP_SHARE,
        pump_m=tower_m + _TOWER_DEPTH_M / 2 + _PUMP_LOSS_M - reservoir_m(town),
        main_mm=fitting[0] if fitting else DIAMETERS_MM[-1],
    )
