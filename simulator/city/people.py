"""People, areas and districts of a city: who lives where, and who is in charge of it."""

import math

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from simulator.city.drawing import Floats
from simulator.city.streets import Ints, Streets, graph_of
from simulator.randomness import stream

PEOPLE_PER_CORNER = 300.0
"""Mean number of people round a corner (proposed: 10,000 people a km2)."""
CORNERS_PER_AREA = 50
"""Size of an area (proposed; the size of a metered area in this simulator)."""
LEAST_AREA = 12
"""Smaller areas are given to a neighbour."""
DISTRICTS = (3, 12)
"""Fewest and most districts."""

_CENTRE_SHARE = 0.35
_SPREAD = 0.4
_ROUNDS = 12


def people(seed: int, streets: Streets) -> Floats:
    """Return the people round each corner: a dense centre, sub-centres, thinner edges."""
    random = stream(seed, "ground", "people")
    places = np.column_stack((streets.x_m, streets.y_m))
    size_m = math.sqrt(float(np.ptp(streets.x_m) * np.ptp(streets.y_m)))
    centres = places[random.integers(0, len(places), 4)]
    centres[0] = places.mean(axis=0)
    density = np.full(len(places), 0.45)
    for number, centre in enumerate(centres):
        away = np.hypot(*(places - centre).T) / size_m
        reach = 0.22 if number == 0 else 0.10
        density += (2.0 if number == 0 else 1.0) * np.exp(-((away / reach) ** 2) / 2)
    density *= random.lognormal(-(_SPREAD**2) / 2, _SPREAD, len(places))
    return np.asarray(density * (PEOPLE_PER_CORNER / density.mean()))


def areas(streets: Streets) -> Ints:
    """Return the area of each corner, from 0 in the order of each area's first corner.

    Areas are connected by streets. They lie on one side of the river, unless a bank holds too
    few corners for an area of its own.
    """
    corners = len(streets.x_m)
    is_bridge = np.array(streets.kind) == "bridge"
    dry = streets.ends[~is_bridge]
    _, bank = connected_components(graph_of(corners, dry, np.ones(len(dry))), directed=False)
    is_small = np.bincount(bank)[bank] < LEAST_AREA
    used = ~is_bridge | is_small[streets.ends].any(axis=1)
    ends = streets.ends[used]
    graph = graph_of(corners, ends, streets.length_m[used])
    wanted = max(DISTRICTS[0], round(corners / CORNERS_PER_AREA))
    label = parts_of(graph, np.column_stack((streets.x_m, streets.y_m)), wanted)
    return _renumbered(_without_small(label, ends, DISTRICTS[0]))


def districts(streets: Streets, area: Ints) -> Ints:
    """Return the district of each corner: connected groups of whole areas, from 0."""
    count = int(area.max()) + 1
    size = np.bincount(area)
    places = np.column_stack(
        [np.bincount(area, weights=axis) / size for axis in (streets.x_m, streets.y_m)]
    )
    ends = np.unique(np.sort(area[streets.ends], axis=1), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    graph = graph_of(count, ends, np.hypot(*(places[ends[:, 0]] - places[ends[:, 1]]).T))
    few, most = DISTRICTS
    wanted = round(few + 3.3 * math.log10(max(len(area), 1_000) / 1_000))
    wanted = min(wanted, most)
    label = parts_of(graph, places, wanted) if wanted < count else np.arange(count)
    return _renumbered(label[area])


def parts_of(graph: csr_array, places: Floats, wanted: int) -> Ints:
    """Divide a graph into about `wanted` connected parts of like size.

    Args:
        graph: Symmetric distances between its nodes.
        places: Where the nodes lie, (nodes, 2), metres.
        wanted: Parts to aim at; a graph that falls apart gets one a piece at least.

    Returns:
        The part of each node, from 0: that of the nearest of well spread middles.
    """
    # Every so-manieth place along a coarse sweep is a spread, deterministic start.
    sweep = np.lexsort((places[:, 0], np.floor(places[:, 1] / _strip_m(places, wanted))))
    middles = places[sweep[np.linspace(0, len(sweep) - 1, 2 * wanted + 1).astype(int)[1::2]]]
    for _ in range(_ROUNDS):
        nearest = cKDTree(middles).query(places)[1]
        size = np.bincount(nearest, minlength=len(middles))
        sums = [np.bincount(nearest, weights=axis, minlength=len(middles)) for axis in places.T]
        middles = np.column_stack([total / np.maximum(size, 1) for total in sums])[size > 0]
    seeds = np.unique(cKDTree(places).query(middles)[1])
    parts, part = connected_components(graph, directed=False)
    bare = np.setdiff1d(np.arange(parts), part[seeds])
    extra = [int(np.flatnonzero(part == number)[0]) for number in bare]
    seeds = np.unique(np.append(seeds, extra)).astype(np.int64)
    # Sources follow the shortest-path trees, which is what keeps every part connected.
    _, _, source = dijkstra(
        graph, directed=False, indices=seeds, return_predecessors=True, min_only=True
    )
    label: Ints = np.searchsorted(seeds, source).astype(np.int64)
    return label


def _strip_m(places: Floats, wanted: int) -> float:
    return max(float(np.ptp(places[:, 1])) / max(math.sqrt(wanted), 1.0), 1.0) * 1.0001


def _without_small(label: Ints, ends: Ints, least: int) -> Ints:
    """Give areas of few corners to their smallest neighbour while `least` areas remain."""
    label = label.copy()
    while True:
        size = np.bincount(label)
        present = np.flatnonzero(size)
        small = present[size[present] < LEAST_AREA]
        if len(present) <= least:
            return label
        for area in small[np.argsort(size[small], kind="stable")].tolist():
            sides = label[ends]
            touching = sides[(sides == area).any(axis=1)]
            others = np.unique(touching[touching != area])
            if len(others):
                label[label == area] = others[np.argmin(size[others])]
                break
        else:
            return label


def _renumbered(label: Ints) -> Ints:
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
