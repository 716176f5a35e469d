"""Where gas pipes run: gates, medium pressure along arterials, low pressure in the streets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra

from simulator.city.gas_rates import GasRates
from simulator.city.ground import Ground
from simulator.randomness import stream

Places = NDArray[np.int64]

_OFF_ARTERIAL = 3.0
"""A metre of another street costs a medium main so many metres of an arterial (proposed)."""


@dataclass(frozen=True)
class Routes:
    """Which streets carry which pipes.

    Attributes:
        gates: Corners with a gate station.
        regulators: Corners with a regulator, ascending.
        medium: Streets with a medium-pressure main, ascending.
        low: Streets with a low-pressure pipe, ascending.
        zone: Low-pressure zone of each corner.
    """

    gates: Places
    regulators: Places
    medium: Places
    low: Places
    zone: Places


def route(ground: Ground, rates: GasRates) -> Routes:
    """Return the routes of a gas network on the ground.

    Every area has a regulator near its middle; medium mains follow the arterials and the
    cheapest ways from the gates to all of them. Every corner gets low-pressure gas: streets
    are added where an area would not hang together.
    """
    is_arterial = np.isin(ground.road_kind, ("arterial", "bridge"))
    cost = ground.length_m * np.where(is_arterial, 1.0, _OFF_ARTERIAL)
    on_arterial = np.zeros(len(ground.x_m), dtype=bool)
    on_arterial[ground.ends[is_arterial].ravel()] = True
    gates = _gates(ground, on_arterial, rates.supply.corners_per_gate)
    regulators = _regulators(ground, on_arterial)
    medium = _medium(ground, cost, is_arterial, gates, regulators)
    zone = _zones(ground, rates.pipes.joined_share)
    low, zone = _low(ground, zone, regulators)
    return Routes(gates, regulators, medium, low, zone)


def _gates(ground: Ground, on_arterial: NDArray[np.bool_], corners_per_gate: int) -> Places:
    """Return corners at the edge of the city, far apart."""
    candidates = np.flatnonzero(on_arterial)
    if not len(candidates):
        candidates = np.arange(len(ground.x_m))
    x_m, y_m = ground.x_m[candidates], ground.y_m[candidates]
    away = np.hypot(x_m - ground.x_m.mean(), y_m - ground.y_m.mean())
    chosen = [int(np.argmax(away))]
    nearest = np.hypot(x_m - x_m[chosen[0]], y_m - y_m[chosen[0]])
    for _ in range(len(ground.x_m) // corners_per_gate):
        chosen.append(int(np.argmax(np.minimum(nearest, away * 1.2))))
        nearest = np.minimum(nearest, np.hypot(x_m - x_m[chosen[-1]], y_m - y_m[chosen[-1]]))
    return np.unique(candidates[chosen])


def _regulators(ground: Ground, on_arterial: NDArray[np.bool_]) -> Places:
    """Return one corner an area: near the middle of its people, on an arterial if it can."""
    _, area = np.unique(ground.area, return_inverse=True)
    people = np.maximum(ground.people, 1e-6)
    count = np.bincount(area, people)
    middle_x = np.bincount(area, people * ground.x_m) / count
    middle_y = np.bincount(area, people * ground.y_m) / count
    away = np.hypot(ground.x_m - middle_x[area], ground.y_m - middle_y[area])
    away += np.where(on_arterial, 0.0, np.median(ground.length_m))
    order = np.lexsort((away, area))
    _, first = np.unique(area[order], return_index=True)
    return np.sort(order[first])


def _medium(
    ground: Ground, cost: NDArray[np.float64], is_arterial: NDArray[np.bool_], gates: Places,
    regulators: Places,
) -> Places:  # fmt: skip
    """Return arterials, and the cheapest ways from a gate to them and to all regulators."""
    corners = len(ground.x_m)
    graph = coo_array((cost, ground.ends.T), shape=(corners, corners)).tocsr()
    _, before, _ = dijkstra(
        graph, directed=False, indices=gates, return_predecessors=True, min_only=True
    )
    is_wanted = np.zeros(corners, dtype=bool)
    is_wanted[regulators] = True
    is_wanted[ground.ends[is_arterial].ravel()] = True
    front: NDArray[np.integer] = np.flatnonzero(is_wanted)
    while len(front):
        ahead = np.unique(before[front][before[front] >= 0])
        front = ahead[~is_wanted[ahead]]
        is_wanted[front] = True
    a, b = ground.ends.T
    on_way = (is_wanted[a] & (before[a] == b)) | (is_wanted[b] & (before[b] == a))
    # Parallel streets between the same corners: all would be "on the way"; that is harmless.
    return np.flatnonzero(on_way | is_arterial)


def _zones(ground: Ground, joined_share: float) -> Places:
    """Return the zone of each corner: areas, some of them joined with one neighbour."""
    names, area = np.unique(ground.area, return_inverse=True)
    zone = np.arange(len(names))
    random = stream(ground.seed, "gas", "zones")
    is_free = random.uniform(size=len(names)) < joined_share
    across = np.unique(np.sort(area[ground.ends], axis=1), axis=0)
    for one, other in across[random.permutation(len(across))]:
        if one != other and is_free[one] and is_free[other]:
            zone[other] = one
            is_free[[one, other]] = False
    joined: Places = zone[area]
    return joined


def _low(ground: Ground, zone: Places, regulators: Places) -> tuple[Places, Places]:
    """Return streets inside zones, and others to corners no regulator of their zone reaches."""
    corners = len(zone)
    a, b = ground.ends.T
    is_low = zone[a] == zone[b]
    graph = coo_array((np.ones(int(is_low.sum())), (a[is_low], b[is_low])), (corners, corners))
    _, part = connected_components(graph, directed=False)
    is_fed = np.isin(part, part[regulators])
    zone = zone.copy()
    while not is_fed.all():
        crossing = np.flatnonzero(is_fed[a] != is_fed[b])
        street = int(crossing[0])
        fed, unfed = (a[street], b[street]) if is_fed[a[street]] else (b[street], a[street])
        is_low[street] = True
        newly = part == part[unfed]
        zone[newly] = zone[fed]
        is_fed |= newly
    return np.flatnonzero(is_low), zone


def reach(
    corners: int, ends: NDArray[np.int64], length_m: NDArray[np.float64], roots: Places
) -> tuple[Places, NDArray[np.float64], Places]:
    """Return the shortest ways from `roots`: the corner before each, distances, and an order.

    The order has each corner after the one before it. Corners beyond reach have -1 and inf.
    """
    graph = coo_array((length_m, ends.T), shape=(corners, corners)).tocsr()
    away, before, _ = dijkstra(
        graph, directed=False, indices=roots, return_predecessors=True, min_only=True
    )
    return before.astype(np.int64), away, np.argsort(away, kind="stable")
