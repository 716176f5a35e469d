"""The tree of drains: which corner drains to which, where it ends, how large and how deep."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from simulator.city.drainage_design import SIZES_M, DrainageDesign
from simulator.city.drawing import Floats
from simulator.city.ground import Ground
from simulator.physics.flood.storms import formula

Ints = NDArray[np.int64]

_RISE_M = 120.0
"""Metres of detour worth one metre of digging against the slope (proposed)."""
_OUTLET_M = 40.0
"""Length of the last pipe, from the corner to the bank (proposed)."""
_BANK_M = 350.0
_ROUNDS = 400


@dataclass(frozen=True)
class DrainTree:
    """Drains of a city, one a corner, from each corner to the next or to its outfall.

    Attributes:
        down: Corner each corner drains to; -1: to its outfall.
        street: Street its drain lies in; -1: the outlet.
        order: Corners, every one before what it drains to.
        roots: Corners with an outfall, ascending.
        area_m2: Ground each corner collects from.
        length_m: Length of each drain.
        size_m: Diameter of each drain.
        barrels: Pipes side by side of each drain.
        invert_m: Level of each manhole's bottom.
        end_m: Level of each drain's lower end.
    """

    down: Ints
    street: Ints
    order: Ints
    roots: Ints
    area_m2: Floats
    length_m: Floats
    size_m: Floats
    barrels: Ints
    invert_m: Floats
    end_m: Floats


def plant(ground: Ground, design: DrainageDesign, narrow: Ints) -> DrainTree:
    """Return the drains of a city.

    Outfalls stand along both banks; where a main would grow too long or too deep it ends in a
    covered channel instead, of which a city has many and a ground model none. Drains never
    cross a bridge.

    Args:
        ground: Streets, terrain and river.
        design: Numbers of `drainage.yaml`.
        narrow: Corners whose drain is undersized.
    """
    graph = _ways(ground, design)
    roots = _bank_roots(ground, design)
    for _ in range(_ROUNDS):
        cost, down = _nearest(graph, roots)
        tree = _lay(ground, design, down, cost, narrow)
        depth_m = ground.elevation_m - tree.invert_m
        far = np.where(np.isinf(cost), np.inf, cost / design.longest_main_m)
        worst = np.maximum(far, depth_m / design.deepest_m)
        if worst.max() <= 1.0:
            return tree
        roots = np.union1d(roots, _channels(ground, worst, cost, design))
    return tree


def _ways(ground: Ground, design: DrainageDesign) -> csr_array:
    """Return the graph from lower to upper corners with the cost of draining down each street."""
    kept = np.array([kind != "bridge" for kind in ground.road_kind])
    ends, length_m = ground.ends[kept], ground.length_m[kept]
    low = np.concatenate((ends[:, 0], ends[:, 1]))
    high = np.concatenate((ends[:, 1], ends[:, 0]))
    long_m = np.tile(length_m, 2)
    dig_m = ground.elevation_m[low] - ground.elevation_m[high] + design.least_slope * long_m
    weight = long_m + _RISE_M * np.maximum(dig_m, 0.0)
    corners = len(ground.x_m)
    return csr_array((weight, (low, high)), shape=(corners, corners))


def _nearest(graph: csr_array, roots: Ints) -> tuple[Floats, Ints]:
    cost, before, _ = dijkstra(graph, indices=roots, return_predecessors=True, min_only=True)
    down = np.where(before < 0, -1, before).astype(np.int64)
    return np.asarray(cost), down


def _bank_roots(ground: Ground, design: DrainageDesign) -> Ints:
    """Return corners near the river, low ones first, a spacing apart along each bank."""
    places = np.column_stack((ground.x_m, ground.y_m))
    away_m = _river_distance(places, ground.river_m)
    near = np.flatnonzero(away_m <= max(_BANK_M, away_m.min() + 1.0))
    chosen: list[int] = []
    for corner in near[np.argsort(ground.elevation_m[near], kind="stable")].tolist():
        gaps = np.hypot(*(places[chosen] - places[corner]).T) if chosen else np.array([np.inf])
        if gaps.min() >= design.outfall_spacing_m:
            chosen.append(corner)
    return np.array(sorted(chosen), dtype=np.int64)


def _river_distance(places: Floats, river_m: Floats) -> Floats:
    """Return the distance of each place from the river's middle line, m."""
    best = np.full(len(places), np.inf)
    for start, end in pairwise(river_m):
        along = end - start
        share = (places - start) @ along / max(float(along @ along), 1e-9)
        foot = start + np.clip(share, 0.0, 1.0)[:, None] * along
        best = np.minimum(best, np.hypot(*(places - foot).T))
    return best


def _channels(ground: Ground, worst: Floats, cost: Floats, design: DrainageDesign) -> Ints:
    """Return new outfalls: low corners among the worst served, well apart from each other."""
    bad = np.flatnonzero(worst > 1.0)
    places = np.column_stack((ground.x_m, ground.y_m))
    chosen: list[int] = []
    score = np.where(np.isinf(cost), -np.inf, 0.0) + ground.elevation_m
    for corner in bad[np.argsort(score[bad], kind="stable")].tolist():
        gaps = np.hypot(*(places[chosen] - places[corner]).T) if chosen else np.array([np.inf])
        if gaps.min() >= design.longest_main_m:
            chosen.append(corner)
    return np.array(chosen, dtype=np.int64)


def _lay(
    ground: Ground, design: DrainageDesign, down: Ints, cost: Floats, narrow: Ints
) -> DrainTree:
    """Return sizes and levels along the tree, from its tips to its outfalls."""
    corners = len(down)
    order = np.argsort(-cost, kind="stable").astype(np.int64)
    street = _streets(ground, down)
    length_m = np.where(street < 0, _OUTLET_M, ground.length_m[np.maximum(street, 0)])
    area_m2 = collected_m2(ground)
    is_narrow = np.zeros(corners, dtype=bool)
    is_narrow[narrow] = True
    z = ground.elevation_m
    invert, end = z - design.cover_m - SIZES_M[0], np.zeros(corners)
    above_m2, minutes = area_m2.copy(), np.full(corners, design.inlet_time_min)
    size, barrels = np.full(corners, SIZES_M[0]), np.ones(corners, dtype=np.int64)
    storm = formula(design.storm_formula)
    for corner in order.tolist():
        lower = int(down[corner])
        long_m = float(length_m[corner])
        mm_h = storm.mean_mm_h(design.return_years, float(minutes[corner]))
        flow = design.runoff_share * mm_h / 3.6e6 * above_m2[corner]
        flow *= design.spot_capacity if is_narrow[corner] else 1.0
        floor = float(z[lower]) if lower >= 0 else float(z[corner]) - 0.2
        natural = (invert[corner] - (floor - design.cover_m - size[corner])) / long_m
        slope = min(max(natural, design.least_slope), design.greatest_slope)
        least_m = SIZES_M[0] if is_narrow[corner] else float(size[corner])
        chosen, count = _size(flow, slope, design.roughness, least_m)
        size[corner], barrels[corner] = chosen, count
        invert[corner] = min(invert[corner], z[corner] - design.cover_m - chosen)
        end[corner] = invert[corner] - slope * long_m
        if lower < 0:
            continue
        end[corner] = min(end[corner], floor - design.cover_m - chosen)
        invert[lower] = min(invert[lower], end[corner])
        if not is_narrow[corner]:
            size[lower] = max(size[lower], chosen)
        above_m2[lower] += above_m2[corner]
        speed = max(flow / (count * np.pi * chosen**2 / 4), 0.6)
        minutes[lower] = max(minutes[lower], minutes[corner] + long_m / speed / 60)
    return DrainTree(
        down, street, order, np.flatnonzero(down < 0), area_m2, length_m, size, barrels, invert, end
    )


def _size(flow: float, slope: float, roughness: float, least_m: float) -> tuple[float, int]:
    """Return diameter and number of barrels that carry a flow (m3/s) full, by Manning."""
    unit = np.sqrt(slope) / roughness * np.pi / 4 ** (5 / 3)
    for count in (1, 2, 3, 4, 6, 8):
        wanted = (flow / count / unit) ** 0.375
        if wanted <= SIZES_M[-1]:
            break
    for size in SIZES_M:
        if size >= max(min(wanted, SIZES_M[-1]), least_m):
            return size, count
    return SIZES_M[-1], count


def _streets(ground: Ground, down: Ints) -> Ints:
    found = {(int(a), int(b)): street for street, (a, b) in enumerate(ground.ends)}
    pairs = enumerate(down.tolist())
    lanes = [found[min(a, b), max(a, b)] if b >= 0 else -1 for a, b in pairs]
    return np.array(lanes, dtype=np.int64)


def collected_m2(ground: Ground) -> Floats:
    """Return the ground each corner collects from: the square of its mean street length."""
    corners = len(ground.x_m)
    ends, length_m = ground.ends, np.minimum(ground.length_m, 250.0)
    total = np.bincount(ends.ravel(), np.repeat(length_m, 2), corners)
    count = np.bincount(ends.ravel(), minlength=corners)
    return np.asarray((total / np.maximum(count, 1)) ** 2)
