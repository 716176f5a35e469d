"""Terrain of a city: a valley that falls toward its river, with gentle hills."""

import math

import numpy as np

from simulator.city.drawing import Floats
from simulator.city.streets import Streets
from simulator.randomness import stream

RIVER_FALL = 0.0002
"""Fall of the valley along the river, metres a metre (proposed: lowland river)."""
BANK_M = 6.0
"""Height of the banks above the datum at the lower end of the river (proposed)."""

_RELIEF_M = (7.0, 26.0)
_RELIEF_SIZE_M = (2_000.0, 20_000.0)
_HILL_SHARE = 0.12
_ROUGH_M = 0.25


def terrain(seed: int, streets: Streets) -> Floats:
    """Return the ground level of each corner, metres: smooth, a few tens of metres of relief."""
    random = stream(seed, "ground", "terrain")
    away_m = np.abs(streets.bank_m)
    size_m = max(float(np.ptp(streets.x_m)), float(np.ptp(streets.y_m)), 1.0)
    relief_m = float(np.interp(math.log(size_m), np.log(_RELIEF_SIZE_M), _RELIEF_M))
    valley_m = max(float(away_m.max()), 1.0)
    rise = 1.0 - np.exp(-2.0 * away_m / valley_m)
    ground = BANK_M + relief_m * (1 - 2 * _HILL_SHARE) * rise / (1 - math.exp(-2.0))
    ground += (streets.along_m.max() - streets.along_m) * RIVER_FALL
    # Hills fade out toward the river, so that every place can drain to it.
    for _ in range(3):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        wave_m = size_m * random.uniform(0.4, 0.9)
        along = streets.x_m * math.cos(angle) + streets.y_m * math.sin(angle)
        ground += relief_m * _HILL_SHARE * 0.6 * rise * np.sin(2 * np.pi * along / wave_m + phase)
    return np.asarray(ground + random.uniform(-_ROUGH_M, _ROUGH_M, len(ground)))


def underpasses(seed: int, streets: Streets, elevation_m: Floats, count: int) -> list[int]:
    """Return corners on arterials that lie low for their part of the city, ascending.

    The city is covered by the lowest arterial corners, a minimal distance apart; the distance
    shrinks until there are `count` of them or no corner is left.
    """
    kinds = np.array(streets.kind)
    on_arterial = np.zeros(len(elevation_m), dtype=bool)
    on_arterial[streets.ends[kinds == "arterial"].ravel()] = True
    on_arterial[streets.ends[kinds == "bridge"].ravel()] = False
    able = np.flatnonzero(on_arterial) if on_arterial.any() else np.arange(len(elevation_m))
    random = stream(seed, "ground", "underpasses")
    score = elevation_m[able] + random.uniform(0, 0.5 * float(np.ptp(elevation_m)), len(able))
    order = able[np.argsort(score, kind="stable")]
    places = np.column_stack((streets.x_m, streets.y_m))
    apart_m = math.sqrt(float(np.ptp(streets.x_m) * np.ptp(streets.y_m)) / max(count, 1)) * 0.7
    while True:
        chosen: list[int] = []
        for corner in order.tolist():
            if len(chosen) == count:
                break
            if not chosen or np.hypot(*(places[chosen] - places[corner]).T).min() >= apart_m:
                chosen.append(corner)
        if len(chosen) == min(count, len(order)):
            return sorted(chosen)
        apart_m *= 0.8
