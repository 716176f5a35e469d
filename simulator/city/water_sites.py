"""Where the instruments of a city's water network go, and what limits and sizes they need."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sensors.city import City
from sensors.devices.water import KINDS
from simulator.city.areas import Labels
from simulator.city.candidates import PLACES, Candidates, Elements, Texts
from simulator.city.drawing import Drawing, Floats, NormalDay, draw, normal_day
from simulator.city.placement import (
    LEAST_PER_AREA,
    LIMIT_MARGIN,
    is_watched,
    meter_range,
    spread_points,
)
from simulator.physics.water.engine import EpanetEngine


def water_candidates(city: City, elements: Elements) -> dict[str, Candidates]:
    """Return the candidates of the kinds that need to know how the network normally runs.

    Pressure goes first to the lowest normal pressure of each area and then always to the
    junction farthest from those before; flow meters only to links that cross a border between
    areas, pumps and links of sources. Empty when the city has no water network.
    """
    if "water" not in city.networks:
        return {}
    with EpanetEngine(city.networks["water"]) as engine:
        drawing, day = draw(engine), normal_day(engine)
    names = elements.areas_of("nodes", drawing.node_ids)
    areas = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return {
        "network_pressure": _pressure(elements, drawing, day, areas),
        "dma_flow": _flow(elements, drawing, day, areas),
    }


def _rows(found: Candidates, ids: Texts) -> NDArray[np.int64]:
    """Return the row of `found` of each id; every id must be there."""
    order = np.argsort(found.element, kind="stable")
    rows: NDArray[np.int64] = order[np.searchsorted(found.element[order], ids)]
    return rows


def _pressure(elements: Elements, drawing: Drawing, day: NormalDay, areas: Labels) -> Candidates:
    """Return the junctions with demand (all, where an area has none), the best placed first."""
    is_junction = drawing.is_node("junction")
    chosen: list[int] = []
    priority: list[float] = []
    for nodes in _groups(areas, is_junction):
        served = nodes[drawing.demand_m3_h[nodes] > 0]
        pool = served if len(served) >= LEAST_PER_AREA else nodes
        first = int(np.argmin(day.lowest_mpa[pool]))
        order = spread_points(drawing.x_m[pool], drawing.y_m[pool], first, len(pool))
        chosen += pool[order].tolist()
        shares = (np.arange(len(order)) + 0.5) / len(order)
        shares[:LEAST_PER_AREA] -= 1.0
        priority += shares.tolist()
    rows = np.array(chosen, dtype=np.int64)
    found = elements.at(PLACES["network_pressure"])
    taken = found.take(_rows(found, np.array(drawing.node_ids, dtype=np.str_)[rows]))
    own = np.round(LIMIT_MARGIN * day.lowest_mpa[rows], 4)
    limit = np.minimum(KINDS["network_pressure"].alarm_low, own)
    return replace(
        taken,
        priority=np.array(priority, dtype=np.float64),
        alarm_low=np.where(limit > 0, limit, math.inf),  # inf: none at all
    )


def _flow(elements: Elements, drawing: Drawing, day: NormalDay, areas: Labels) -> Candidates:
    links = np.flatnonzero(is_watched(drawing, areas))
    found = elements.at(PLACES["dma_flow"])
    taken = found.take(_rows(found, np.array(drawing.link_ids, dtype=np.str_)[links]))
    ranges: Floats = np.array([meter_range(float(size)) for size in day.largest_m3_h[links]])
    return replace(taken, range_high=ranges)


def _groups(areas: Labels, chosen: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the chosen nodes of each area that has any, ascending."""
    nodes = np.flatnonzero(chosen)
    order = nodes[np.argsort(areas[nodes], kind="stable")]
    cuts = np.flatnonzero(np.diff(areas[order])) + 1
    return [group for group in np.split(order, cuts) if len(group)]
