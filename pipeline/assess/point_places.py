"""Where a hazard at a point is held to be: gas pipes near foul spaces, a spot, a building."""

import numpy as np

from pipeline.assess.cases import UNUSABLE, AssessState, Case
from pipeline.assess.layout import Layout
from pipeline.assess.point_causes import newest
from pipeline.assess.point_grouping import Family
from pipeline.assess.point_policy import PointLimits
from pipeline.assess.surroundings import Surroundings
from pipeline.messages import PATROLLED, Alarm, Location
from sensors.levels import Level
from sensors.readings import Int64s

_PIPES, _SPACES = 5, 3
_WELL = "well_methane"


def place_point(
    state: AssessState,
    case: Case,
    standing: list[Alarm],
    stopped: tuple[str, ...],
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> Location:
    """Return where a case is held to be, the most likely element first."""
    numbers = [layout.number[alarm.device] for alarm in _worst_first(standing)] or case.devices
    if case.family == Family.GAS:
        place = _gas_place(state, numbers, layout, surroundings, limits)
        return _space_first(place, surroundings) if case.cause in PATROLLED else place
    x_m, y_m = layout.place_m[numbers[0]].tolist()
    elements = tuple(dict.fromkeys(layout.element[number] for number in numbers))
    if case.family == Family.PONDING:
        names = (*stopped, *elements)
        method = "pump_measured_standing" if stopped else "measured_depth"
        return Location(names, _scores(len(names)), x_m, y_m, method)
    if case.family == Family.DRAIN:
        elements, method = elements[:_PIPES], "fullest_manhole"
    elif case.family == Family.RAIN:
        elements, method = elements[:_PIPES], "wettest_gauge"
    else:
        elements, method = elements[:_PIPES], "alarmed_element"
    return Location(elements, _scores(len(elements)), x_m, y_m, method)


def _gas_place(
    state: AssessState,
    numbers: list[int],
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> Location:
    """Return the gas pipes most likely to leak, and the spaces themselves.

    A pipe gains by each foul space near it, by its concentration, and loses by each clean one;
    both thin out with distance as gas does in soil. A foul valve well is the first candidate:
    it has fittings of its own.
    """
    spaces = [number for number in numbers if np.isfinite(surroundings.to_vol[number])]
    if not spaces:
        return _around_pressure(numbers[0], layout, surroundings, limits)
    foul = np.array(spaces)
    share = np.nan_to_num(newest(state, foul) * surroundings.to_vol[foul], nan=0.0)
    share = np.maximum(share, limits.gas_clean_vol)
    middle = (layout.place_m[foul] * share[:, None]).sum(axis=0) / share.sum()
    place = float(middle[0]), float(middle[1])
    rows = surroundings.pipes_near(place, limits.gas_search_m)
    clean = _clean_around(state, place, foul, layout, surroundings, limits)
    score = np.zeros(len(rows))
    for number, weight in [*zip(spaces, share / share.sum(), strict=True), *clean]:
        there = layout.place_m[number]
        away_m = surroundings.pipe_distance_m(rows, (float(there[0]), float(there[1])))
        score += weight * np.exp(-away_m / limits.gas_soil_m)
    names = np.array(surroundings.gas_pipes, dtype=str)[rows]
    order = np.lexsort((names, -score))[:_PIPES]
    pipes = [str(name) for name in names[order]]
    wells = [n for n in spaces if surroundings.kind[n] == _WELL]
    first = list(dict.fromkeys(layout.element[n] for n in wells))[:1]
    rest = list(dict.fromkeys(layout.element[n] for n in spaces))[:_SPACES]
    elements = tuple(dict.fromkeys([*first, *pipes, *rest]))
    if first or not pipes:
        return Location(elements, _scores(len(elements)), *place, "methane_weighted")
    x_m, y_m = _foot(surroundings, int(rows[order[0]]), place)
    return Location(elements, _scores(len(elements)), x_m, y_m, "methane_weighted")


def _space_first(place: Location, surroundings: Surroundings) -> Location:
    """Return a place with its spaces before its pipes: biogas is looked for where it was found."""
    spaces = [name for name in place.candidates if name in surroundings.places]
    pipes = [name for name in place.candidates if name not in surroundings.places]
    x_m, y_m = surroundings.places[spaces[0]] if spaces else (place.x_m, place.y_m)
    return Location((*spaces, *pipes), place.scores, x_m, y_m, place.method)


def _around_pressure(
    number: int, layout: Layout, surroundings: Surroundings, limits: PointLimits
) -> Location:
    x_m, y_m = layout.place_m[number].tolist()
    rows = surroundings.pipes_near((x_m, y_m), limits.gas_search_m * 4)
    away_m = surroundings.pipe_distance_m(rows, (x_m, y_m))
    names = [surroundings.gas_pipes[row] for row in rows[np.argsort(away_m, kind="stable")]]
    names = names[: _PIPES + _SPACES]
    return Location(tuple(names), _scores(len(names)), x_m, y_m, "lowest_gas_pressure")


def _clean_around(
    state: AssessState,
    place: tuple[float, float],
    foul: Int64s,
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> list[tuple[int, float]]:
    """Return the clean spaces around with their (negative) weight."""
    near = surroundings.methane
    away = layout.place_m[near] - np.asarray(place)
    near = near[np.hypot(away[:, 0], away[:, 1]) <= limits.gas_search_m]
    near = near[~np.isin(near, foul) & ((state.doubts[near] & UNUSABLE) == 0)]
    share = newest(state, near) * surroundings.to_vol[near]
    clean = near[share <= limits.gas_clean_vol]
    return [(int(number), -limits.gas_quiet_weight) for number in clean]


def _foot(surroundings: Surroundings, row: int, place: tuple[float, float]) -> tuple[float, float]:
    """Return the point of a pipe nearest to a place."""
    first, last = surroundings.gas_from_m[row], surroundings.gas_to_m[row]
    way = last - first
    share = float(np.dot(np.asarray(place) - first, way) / max(float(np.dot(way, way)), 1e-9))
    x_m, y_m = (first + min(max(share, 0.0), 1.0) * way).tolist()
    return x_m, y_m


def _worst_first(standing: list[Alarm]) -> list[Alarm]:
    def badness(alarm: Alarm) -> tuple[Level, float, str]:
        return alarm.level, -abs(alarm.value - alarm.limit), alarm.id

    return sorted(standing, key=badness)


def _scores(count: int) -> tuple[float, ...]:
    weight = 1.0 / np.arange(1.0, count + 1)
    return tuple(np.round(weight / weight.sum(), 4).tolist()) if count else ()
