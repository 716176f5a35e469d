"""Where water gathers and is measured: ponding spots, underpasses, gauges, gates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from simulator.city.drainage_design import DrainageDesign
from simulator.city.drainage_tree import DrainTree
from simulator.city.drawing import Floats
from simulator.city.ground import Ground
from simulator.city.placement import spread_points

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Spill:
    """A way for water over the street.

    Attributes:
        corner: Spot it leaves.
        to: Position of the spot or underpass it reaches.
        to_underpass: Whether `to` counts the underpasses instead of the corners.
    """

    corner: int
    to: int
    to_underpass: bool


def road_spots(ground: Ground, design: DrainageDesign) -> Ints:
    """Return the corners where water stands first, ascending: street lows, spread over the city.

    The corners of underpasses are among them: what stands there is about to run down the ramp.
    """
    corners = len(ground.x_m)
    wanted = max(1, round(corners / design.corners_per_spot))
    a, b = ground.ends.T
    beside = np.bincount(a, ground.elevation_m[b], corners)
    beside += np.bincount(b, ground.elevation_m[a], corners)
    degree = np.maximum(np.bincount(ground.ends.ravel(), minlength=corners), 1)
    hollow_m = beside / degree - ground.elevation_m
    is_apart = np.ones(corners, dtype=bool)
    places = np.column_stack((ground.x_m, ground.y_m))
    tree = cKDTree(places)
    apart_m = float(np.sqrt(np.ptp(ground.x_m) * np.ptp(ground.y_m) / wanted)) * 0.5
    chosen = [int(corner) for corner in ground.underpasses]
    for corner in chosen:
        is_apart[tree.query_ball_point(places[corner], apart_m)] = False
    for corner in np.argsort(-hollow_m, kind="stable").tolist():
        if len(chosen) >= wanted + len(ground.underpasses):
            break
        if is_apart[corner]:
            chosen.append(corner)
            is_apart[tree.query_ball_point(places[corner], apart_m)] = False
    return np.array(sorted(chosen), dtype=np.int64)


def drains_into_spots(ground: Ground, tree: DrainTree, spots: Ints) -> Ints:
    """Return the node whose street each corner's rain runs to: itself, or the spot below it.

    The highest corner that drains to a spot overshoots its inlets: its rain runs to the spot.
    """
    target = np.arange(len(ground.x_m))
    is_spot = np.zeros(len(target), dtype=bool)
    is_spot[spots] = True
    upper = np.flatnonzero((tree.down >= 0) & is_spot[tree.down] & ~is_spot)
    order = upper[np.argsort(-ground.elevation_m[upper], kind="stable")]
    _, first = np.unique(tree.down[order], return_index=True)
    target[order[first]] = tree.down[order[first]]
    return target.astype(np.int64)


def spills(ground: Ground, design: DrainageDesign, spots: Ints) -> list[Spill]:
    """Return the ways over the street: into each underpass, and to the next lower spot."""
    found = [Spill(int(corner), n, True) for n, corner in enumerate(ground.underpasses)]
    places = np.column_stack((ground.x_m, ground.y_m))[spots]
    level_m = ground.elevation_m[spots]
    tree = cKDTree(places)
    under = set(ground.underpasses.tolist())
    for place, corner in enumerate(spots.tolist()):
        if corner in under:
            continue
        near = sorted(tree.query_ball_point(places[place], design.spill_reach_m))
        lower = [other for other in near if level_m[other] < level_m[place] - 0.1]
        if lower:
            gaps = np.hypot(*(places[lower] - places[place]).T)
            found.append(Spill(corner, int(spots[lower[int(np.argmin(gaps))]]), False))
    return found


def spread(x_m: Floats, y_m: Floats, count: int) -> Ints:
    """Return `count` places far from one another, ascending; one is nearest the middle."""
    middle = int(np.argmin(np.hypot(x_m - x_m.mean(), y_m - y_m.mean())))
    return np.array(sorted(spread_points(x_m, y_m, middle, count)), dtype=np.int64)
