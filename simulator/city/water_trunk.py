"""Supply sectors of a city and the trunk mains that bring water to its areas."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from simulator.city.drawing import Floats
from simulator.city.ground import Ground
from simulator.city.people import parts_of
from simulator.city.streets import Ints, graph_of

CORNERS_PER_SOURCE = 2_000
"""One source with pumps and a tower for so many corners (proposed)."""
TWO_INLETS_FROM = 30
"""Areas from so many corners have a second inlet where they can (proposed)."""

_SIDE_STREET = 2.5
_LEAST_APART_M = 300.0


@dataclass(frozen=True)
class Supply:
    """Where water comes from and goes to: one source and one tower a sector.

    Attributes:
        sector: Sector of each area.
        area: Area of each corner, as numbers from 0.
        source: Corner of the source of each sector.
        tower: Corner of the tower of each sector.
        inlets: Corners of the one or two inlets of each area, the first nearest to the source.
    """

    sector: Ints
    area: Ints
    source: Ints
    tower: Ints
    inlets: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Trunk:
    """Trunk mains: a net of its own above the areas, tied to them only at their inlets.

    Attributes:
        corner: Corner each trunk node stands at, ascending.
        sector: Sector of each trunk node.
        ends: Trunk nodes at the ends of each main, (mains, 2).
        length_m: Length of each main.
    """

    corner: Ints
    sector: Ints
    ends: Ints
    length_m: Floats


def plan_supply(ground: Ground) -> Supply:
    """Return the sectors of a city with their sources, towers and inlets."""
    corners = len(ground.x_m)
    area = np.array([int(name[1:]) - 1 for name in ground.area], dtype=np.int64)
    sector = _sectors(ground, area)
    places = np.column_stack((ground.x_m, ground.y_m))
    is_main = np.array(ground.road_kind) != "street"
    on_main = np.zeros(corners, dtype=bool)
    on_main[ground.ends[is_main].ravel()] = True
    height = (ground.elevation_m - ground.elevation_m.min()) / max(np.ptp(ground.elevation_m), 1)
    source, tower = [], []
    for number in range(int(sector.max()) + 1):
        inside = np.flatnonzero(sector[area] == number)
        able = inside[on_main[inside]] if on_main[inside].any() else inside
        away = np.hypot(*(places[able] - places[inside].mean(axis=0)).T)
        source.append(int(able[np.argmin(away / max(away.max(), 1.0) + 0.5 * height[able])]))
        far = np.hypot(*(places[able] - places[source[-1]]).T)
        others = able[far > 0] if (far > 0).any() else able
        far = np.hypot(*(places[others] - places[source[-1]]).T)
        tower.append(int(others[np.argmax(height[others] + 0.3 * far / max(far.max(), 1.0))]))
    roots = np.array(source, dtype=np.int64)
    graph = _sector_graph(ground, sector[area])
    way_m = dijkstra(graph, directed=False, indices=roots, min_only=True)
    inlets = tuple(_inlets(area, way_m, on_main, places, label) for label in range(len(sector)))
    return Supply(sector, area, roots, np.array(tower, dtype=np.int64), inlets)


def lay_trunk(ground: Ground, supply: Supply) -> Trunk:
    """Return trunk mains along the arterials and the shortest ways to every inlet and tower.

    Dead ends that serve nothing are left out, and a chain of streets without a branch is one
    main.
    """
    corners = len(ground.x_m)
    sector = supply.sector[supply.area]
    terminals = {corner for inlets in supply.inlets for corner in inlets}
    terminals |= set(supply.source.tolist()) | set(supply.tower.tolist())
    graph = _sector_graph(ground, sector)
    _, before, _ = dijkstra(
        graph, directed=False, indices=supply.source, return_predecessors=True, min_only=True
    )
    used = np.zeros(len(ground.ends), dtype=bool)
    is_inside = sector[ground.ends[:, 0]] == sector[ground.ends[:, 1]]
    used[is_inside & (np.array(ground.road_kind) != "street")] = True
    street_at = {(int(a), int(b)): street for street, (a, b) in enumerate(ground.ends)}
    for corner in sorted(terminals):
        here = corner
        while before[here] >= 0:
            previous = int(before[here])
            used[street_at[min(here, previous), max(here, previous)]] = True
            here = previous
    _, part = connected_components(
        graph_of(corners, ground.ends[used], np.ones(int(used.sum()))), directed=False
    )
    fed = np.isin(part, part[supply.source])
    chosen = np.flatnonzero(used & fed[ground.ends[:, 0]])
    ends, length_m = _contracted(ground.ends[chosen], ground.length_m[chosen], terminals)
    nodes = np.unique(np.append(ends.ravel(), sorted(terminals)))
    return Trunk(nodes, sector[nodes], np.searchsorted(nodes, ends), length_m)


def _sectors(ground: Ground, area: Ints) -> Ints:
    """Return the sector of each area: connected groups of areas, one for each source."""
    size = np.bincount(area)
    places = np.column_stack(
        [np.bincount(area, weights=axis) / size for axis in (ground.x_m, ground.y_m)]
    )
    sides = np.sort(area[ground.ends], axis=1)
    ends = np.unique(sides[sides[:, 0] != sides[:, 1]], axis=0)
    away_m = np.hypot(*(places[ends[:, 0]] - places[ends[:, 1]]).T)
    wanted = max(1, round(len(area) / CORNERS_PER_SOURCE))
    return parts_of(graph_of(len(size), ends, away_m), places, wanted)


def _sector_graph(ground: Ground, sector: Ints) -> csr_array:
    ends = ground.ends
    inside = sector[ends[:, 0]] == sector[ends[:, 1]]
    is_side = np.array(ground.road_kind)[inside] == "street"
    weights = ground.length_m[inside] * np.where(is_side, _SIDE_STREET, 1.0)
    return graph_of(len(ground.x_m), ends[inside], weights)


def _inlets(
    area: Ints, way_m: Floats, on_main: NDArray[np.bool_], places: Floats, label: int
) -> tuple[int, ...]:
    """Return the inlet of an area nearest to its source, and perhaps one on the far side."""
    inside = np.flatnonzero(area == label)
    first = int(inside[np.argmin(way_m[inside])])
    able = inside[on_main[inside]]
    if len(inside) < TWO_INLETS_FROM or not len(able):
        return (first,)
    away_m = np.hypot(*(places[able] - places[first]).T)
    if away_m.max() < _LEAST_APART_M:
        return (first,)
    return (first, int(able[np.argmax(away_m)]))


def _contracted(ends: Ints, length_m: Floats, terminals: set[int]) -> tuple[Ints, Floats]:
    """Drop dead ends that are no terminal and merge chains into single mains."""
    near: dict[int, dict[int, float]] = {}
    for (a, b), length in zip(ends.tolist(), length_m.tolist(), strict=True):
        near.setdefault(a, {})[b] = length
        near.setdefault(b, {})[a] = length
    waiting = sorted(node for node in near if len(near[node]) <= 2 and node not in terminals)
    while waiting:
        node = waiting.pop()
        sides = near.get(node)
        if sides is None or len(sides) > 2:
            continue
        if len(sides) == 2:
            (a, first_m), (b, second_m) = sorted(sides.items())
            if b not in near[a]:
                near[a][b] = near[b][a] = first_m + second_m
            elif a in terminals and b in terminals:
                continue  # a second main between them stays a loop of its own
        for side in sorted(sides):
            del near[side][node]
            if len(near[side]) <= 2 and side not in terminals:
                waiting.append(side)
        del near[node]
    pairs = sorted((a, b, length) for a in near for b, length in near[a].items() if a < b)
    table = np.array([(a, b) for a, b, _ in pairs], dtype=np.int64).reshape(-1, 2)
    return table, np.array([length for _, _, length in pairs])
