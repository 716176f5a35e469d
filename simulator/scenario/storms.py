"""Makes the storms of a scenario: when they begin, how strong they are, where they go."""

import math
from pathlib import Path

from simulator.errors import ScenarioError
from simulator.physics.flood.rain import Storm, chicago, hourly, scaled, uniform, zhengzhou_720
from simulator.physics.flood.storms import Moving
from simulator.scenario.what_falls import MovingSpec, StormSpec

_HOUR_S = 3600


def storm_of(spec: StormSpec, start_ms: int, middle_m: tuple[float, float], base: Path) -> Storm:
    """Return the storm a scenario asks for.

    Args:
        spec: What the scenario says.
        start_ms: Event time of the scenario's start.
        middle_m: Middle of the city, easting and northing.
        base: Folder that file names are relative to.

    Raises:
        ScenarioError: an unknown formula, a number out of range or a wrong file.
    """
    begin_ms = start_ms + spec.at * 1000
    where: Moving = {}
    if spec.radius_m is not None:
        where["radius_m"] = spec.radius_m
        where["x_m"], where["y_m"] = middle_m
    storm = _still(spec, begin_ms, base, where)
    if spec.moving is None:
        return storm
    return _still(spec, begin_ms, base, _moving(spec.moving, storm, middle_m, where))


def _still(spec: StormSpec, begin_ms: int, base: Path, where: Moving) -> Storm:
    minutes = max(1, round((spec.duration or 0) / 60))
    if spec.kind == "chicago":
        years = spec.return_years or 1.0
        storm = chicago(spec.id, begin_ms, spec.formula, years, minutes, spec.peak_share, **where)
        if spec.return_years is not None:
            return storm
        return scaled(storm, total_mm=spec.total_mm, peak_mm_h=spec.peak_mm_h)
    if spec.kind == "uniform":
        rate = spec.peak_mm_h or (spec.total_mm or 0.0) * 60 / minutes
        return uniform(spec.id, begin_ms, rate, minutes, **where)
    if spec.kind == "zhengzhou_720":
        return zhengzhou_720(spec.id, begin_ms, spec.hours or 72, **where)
    if spec.series_mm is not None:
        note = "hourly series of the scenario"
        return Storm(spec.id, begin_ms, _HOUR_S, spec.series_mm, note=note, **where)
    try:
        return hourly(spec.id, begin_ms, base / (spec.file or ""), **where)
    except ScenarioError as error:
        raise ScenarioError(f"storms: {spec.id}: file: {error}") from error


def _moving(spec: MovingSpec, storm: Storm, middle_m: tuple[float, float], where: Moving) -> Moving:
    """Return where the storm begins and how it moves: its peak over the middle of the city."""
    heading = math.radians(spec.heading_deg)
    vx_m_s, vy_m_s = spec.speed_m_s * math.sin(heading), spec.speed_m_s * math.cos(heading)
    if spec.begins is not None:
        away_m = spec.begins
    else:
        peak_s = storm.rate_mm_h.index(max(storm.rate_mm_h)) * storm.step_s
        away_m = -vx_m_s * peak_s, -vy_m_s * peak_s
    return {
        **where,
        "x_m": middle_m[0] + away_m[0],
        "y_m": middle_m[1] + away_m[1],
        "vx_m_s": vx_m_s,
        "vy_m_s": vy_m_s,
    }
