"""River, corners, streets, arterials and bridges of a city, on a jittered grid."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree

from simulator.city.drawing import Floats
from simulator.randomness import stream

Ints = NDArray[np.int64]

BLOCK_M = 170.0
"""Distance between corners before jitter (proposed)."""
ARTERIAL_BLOCKS = 6
"""An arterial every so many streets: about one kilometre (proposed)."""
LEAST_BRIDGES = 2

_JITTER = 0.22
_DROPPED = 0.20
_BANK_M = 22.0
_RIVER_SHARE = 0.009
_RIVER_WIDTH_M = (30.0, 220.0)
_RIVER_POINTS = 120
_TURN = 0.4
_LONGER = 1.06
_LONGEST_BRIDGE_BLOCKS = 4.0


@dataclass(frozen=True)
class River:
    """A river that meanders along the first axis of the grid.

    Attributes:
        length_m: Size of the grid along the river.
        middle_m: Mean place of the river on the second axis.
        swing_m: Amplitude of the long and the short meander.
        wave_m: Length of either.
        phase: Phase of either, radians.
        width_m: Width of the water.
    """

    length_m: float
    middle_m: float
    swing_m: tuple[float, float]
    wave_m: tuple[float, float]
    phase: tuple[float, float]
    width_m: float

    def place_m(self, along_m: Floats) -> Floats:
        """Return where the middle line lies on the second axis."""
        waves = zip(self.swing_m, self.wave_m, self.phase, strict=True)
        meander = sum(swing * np.sin(2 * np.pi * along_m / wave + at) for swing, wave, at in waves)
        return np.asarray(self.middle_m + meander, dtype=np.float64)

    def offset_m(self, along_m: Floats, across_m: Floats) -> Floats:
        """Return the distance from the middle line, positive beyond it, negative before it."""
        step_m = 1.0
        slope = (self.place_m(along_m + step_m) - self.place_m(along_m)) / step_m
        return np.asarray((across_m - self.place_m(along_m)) / np.hypot(1.0, slope))


@dataclass(frozen=True)
class Streets:
    """Streets as laid, before terrain and people.

    Attributes:
        x_m: Easting of each corner.
        y_m: Northing of each corner.
        bank_m: Distance of each corner from the middle of the river, signed by its side.
        along_m: Way down the river of the point next to each corner.
        ends: Corners at the ends of each street, (streets, 2), ascending in a row and by rows.
        length_m: Length of each street.
        kind: `arterial`, `street` or `bridge` of each street.
        river_m: Middle line of the river, (points, 2), downstream.
        river_width_m: Its width.
    """

    x_m: Floats
    y_m: Floats
    bank_m: Floats
    along_m: Floats
    ends: Ints
    length_m: Floats
    kind: tuple[str, ...]
    river_m: Floats
    river_width_m: float


def lay_streets(seed: int, corners: int) -> Streets:
    """Return the streets of a city of so many corners; every corner reaches every other."""
    columns = math.ceil(math.sqrt(corners * 1.15))
    river = _river(seed, corners, columns)
    column, row, x_m, y_m = _corners(seed, corners, columns, river)
    bank_m = river.offset_m(x_m, y_m)
    ends, kind = _streets(seed, columns, column, row, x_m, y_m, river)
    random = stream(seed, "ground", "shape")
    straight_m = np.hypot(np.ptp(x_m[ends], axis=1), np.ptp(y_m[ends], axis=1))
    length_m = straight_m * random.uniform(1.0, _LONGER, len(ends))
    line_m = np.linspace(-BLOCK_M, columns * BLOCK_M, _RIVER_POINTS)
    line = np.column_stack((line_m, river.place_m(line_m)))
    along_m = x_m.copy()
    if random.uniform() < 0.5:
        line, along_m = line[::-1], river.length_m - along_m
    points, line = _turned(np.column_stack((x_m, y_m)), line, random.uniform(-_TURN, _TURN))
    return Streets(
        x_m=points[:, 0],
        y_m=points[:, 1],
        bank_m=bank_m,
        along_m=along_m,
        ends=ends,
        length_m=length_m,
        kind=kind,
        river_m=line,
        river_width_m=river.width_m,
    )


def graph_of(corners: int, ends: Ints, weights: Floats) -> csr_array:
    """Return streets as a symmetric sparse matrix of weights."""
    both = np.concatenate((ends, ends[:, ::-1]))
    return csr_array(
        coo_array((np.tile(weights, 2), (both[:, 0], both[:, 1])), shape=(corners, corners))
    )


def _river(seed: int, corners: int, columns: int) -> River:
    random = stream(seed, "ground", "river")
    length_m = columns * BLOCK_M
    across_m = corners / columns * BLOCK_M
    low_m, high_m = _RIVER_WIDTH_M
    return River(
        length_m=length_m,
        middle_m=across_m * random.uniform(0.4, 0.6),
        swing_m=(across_m * random.uniform(0.05, 0.11), across_m * random.uniform(0.01, 0.03)),
        wave_m=(length_m * random.uniform(0.8, 1.4), length_m * random.uniform(0.3, 0.45)),
        phase=(random.uniform(0, 2 * np.pi), random.uniform(0, 2 * np.pi)),
        width_m=float(np.clip(length_m * _RIVER_SHARE, low_m, high_m)),
    )


def _corners(
    seed: int, corners: int, columns: int, river: River
) -> tuple[Ints, Ints, Floats, Floats]:
    """Return column, row and place of the first corners of the grid that are dry."""
    random = stream(seed, "ground", "corners")
    wet_rows = math.ceil((river.width_m + 2 * _BANK_M) * 1.3 / BLOCK_M) + 2
    cells = np.arange(columns * (math.ceil(corners / columns) + wet_rows))
    column, row = cells % columns, cells // columns
    jitter = random.uniform(-_JITTER, _JITTER, (2, len(cells)))
    x_m, y_m = (column + jitter[0]) * BLOCK_M, (row + jitter[1]) * BLOCK_M
    is_dry = np.abs(river.offset_m(x_m, y_m)) > river.width_m / 2 + _BANK_M
    kept = np.flatnonzero(is_dry)[:corners]
    return column[kept], row[kept], x_m[kept], y_m[kept]


def _streets(
    seed: int, columns: int, column: Ints, row: Ints, x_m: Floats, y_m: Floats, river: River
) -> tuple[Ints, tuple[str, ...]]:
    random = stream(seed, "ground", "streets")
    corners = len(column)
    corner_at = np.full((int(row.max()) + 2, columns + 1), -1)
    corner_at[row, column] = np.arange(corners)
    east, north = corner_at[row, column + 1], corner_at[row + 1, column]
    here = np.arange(corners)
    ends = np.concatenate(
        (np.column_stack((here, east))[east >= 0], np.column_stack((here, north))[north >= 0])
    )
    ends = ends[_is_one_side(ends, x_m, y_m, river)]
    step = max(2, min(ARTERIAL_BLOCKS, columns // 3))
    first = random.integers(0, step, 2)
    is_avenue, is_cross = column % step == first[0], row % step == first[1]
    is_arterial = (is_avenue[ends] & (column[ends[:, :1]] == column[ends])).all(axis=1)
    is_arterial |= (is_cross[ends] & (row[ends[:, :1]] == row[ends])).all(axis=1)
    # A spanning tree that prefers arterials always stays, so no corner is cut off.
    draws = random.uniform(0.5, 1.0, len(ends)) * np.where(is_arterial, 0.1, 1.0)
    tree = minimum_spanning_tree(
        csr_array((draws, (ends[:, 0], ends[:, 1])), shape=(corners, corners))
    ).tocoo()
    keys = tree.row.astype(np.int64) * corners + tree.col
    in_tree = np.isin(ends[:, 0] * corners + ends[:, 1], keys)
    is_kept = in_tree | is_arterial | (random.uniform(size=len(ends)) >= _DROPPED)
    ends, is_arterial = ends[is_kept], is_arterial[is_kept]
    kind = np.where(is_arterial, "arterial", "street")
    bridges = _bridges(column, row, is_avenue, y_m, river.offset_m(x_m, y_m))
    ends = np.concatenate((ends, bridges))
    kind = np.concatenate((kind, np.full(len(bridges), "bridge")))
    ends, kind = _joined(ends, kind, x_m, y_m, river)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    return ends[order], tuple(kind[order].tolist())


def _is_one_side(ends: Ints, x_m: Floats, y_m: Floats, river: River) -> NDArray[np.bool_]:
    """Return which streets keep to one bank, ends and middle alike."""
    bank = np.sign(river.offset_m(x_m, y_m))[ends]
    middle = np.sign(river.offset_m(x_m[ends].mean(axis=1), y_m[ends].mean(axis=1)))
    return np.asarray((bank[:, 0] == bank[:, 1]) & (middle == bank[:, 0]))


def _bridges(
    column: Ints, row: Ints, is_avenue: NDArray[np.bool_], y_m: Floats, bank_m: Floats
) -> Ints:
    """Return bridges as corner pairs: on every avenue, and at least two in all."""
    pairs, avenues = [], []
    for place in range(int(column.max()) + 1):
        here = np.flatnonzero(column == place)
        before, beyond = here[bank_m[here] < 0], here[bank_m[here] > 0]
        if not len(before) or not len(beyond):
            continue
        ends = before[np.argmax(row[before])], beyond[np.argmin(row[beyond])]
        gap_m = y_m[ends[1]] - y_m[ends[0]]
        longest_m = _LONGEST_BRIDGE_BLOCKS * BLOCK_M + np.abs(bank_m[list(ends)]).sum()
        if 0 < gap_m < longest_m:
            pairs.append(ends)
            avenues.append(bool(is_avenue[here[0]]))
    chosen = [number for number, avenue in enumerate(avenues) if avenue]
    if len(chosen) < LEAST_BRIDGES:
        chosen = sorted({len(pairs) // 4, (3 * len(pairs)) // 4} & set(range(len(pairs))))
    return np.array([sorted(pairs[number]) for number in chosen], dtype=np.int64).reshape(-1, 2)


def _joined(
    ends: Ints, kind: NDArray[np.str_], x_m: Floats, y_m: Floats, river: River
) -> tuple[Ints, NDArray[np.str_]]:
    """Tie parts that nothing connects to the largest one by their shortest link."""
    places = np.column_stack((x_m, y_m))
    while True:
        graph = graph_of(len(x_m), ends, np.ones(len(ends)))
        parts, part = connected_components(graph, directed=False)
        if parts == 1:
            return ends, kind
        sizes = np.bincount(part)
        inside = np.flatnonzero(part == int(np.argmin(sizes)))
        outside = np.flatnonzero(part != int(np.argmin(sizes)))
        away_m, nearest = cKDTree(places[outside]).query(places[inside])
        closest = int(np.argmin(away_m))
        pair = int(inside[closest]), int(outside[int(np.asarray(nearest)[closest])])
        link = np.array([sorted(pair)], dtype=np.int64)
        is_dry = bool(_is_one_side(link, x_m, y_m, river)[0])
        ends = np.concatenate((ends, link))
        kind = np.append(kind, "street" if is_dry else "bridge")


def _turned(points: Floats, line: Floats, angle: float) -> tuple[Floats, Floats]:
    """Turn corners and river, and move both so that the corners begin at 0, 0."""
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points, line = points @ turn, line @ turn
    corner = points.min(axis=0)
    return points - corner, line - corner
