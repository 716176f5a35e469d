"""Streets that crews drive on: shortest ways by the road graph, around what is under water."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from sensors.city import City

Floats = NDArray[np.float64]

AT_CORNER_M = 60.0
"""A place that is closed shuts the streets at the nearest corner within this; proposed."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way as a line of points (n, 2), metres."""

    points: Floats

    @property
    def length_m(self) -> float:
        """Length along the line."""
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())

    def at(self, share: float) -> tuple[float, float]:
        """Return the place after a share, 0 to 1, of the length."""
        if len(self.points) == 2:
            x_m, y_m = self.points[0] + (self.points[1] - self.points[0]) * share
            return float(x_m), float(y_m)
        steps = np.hypot(*np.diff(self.points, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        here = min(max(share, 0.0), 1.0) * along[-1]
        x_m = np.interp(here, along, self.points[:, 0])
        y_m = np.interp(here, along, self.points[:, 1])
        return float(x_m), float(y_m)


class Roads:
    """The street graph of a city: corners are nodes of domain `road`, streets rows of `roads`."""

    def __init__(self, at: Floats, ends: NDArray[np.intp], length_m: Floats) -> None:
        """Take the streets.

        Args:
            at: Corners, (corners, 2), metres; at least one.
            ends: Corners at the ends of each street, (streets, 2).
            length_m: Length of each street.
        """
        self._at, self._ends = at, ends
        self._length_m = np.maximum(length_m, 1e-3)
        self._tree = cKDTree(at)

    @classmethod
    def of_city(cls, city: City) -> "Roads | None":
        """Return the streets of a city, None when it has no road graph."""
        nodes, roads = city.tables["nodes"], city.tables["roads"]
        domains = np.array(nodes.column("domain").to_pylist(), dtype=object)
        corners = np.flatnonzero(domains == "road")
        if len(corners) == 0 or len(roads) == 0:
            return None
        ids = np.array(nodes.column("id").to_pylist(), dtype=object)[corners]
        at = np.column_stack([nodes.column(axis).to_numpy()[corners] for axis in ("x_m", "y_m")])
        index = {name: place for place, name in enumerate(ids.tolist())}
        columns = [roads.column(name).to_pylist() for name in ("from_node", "to_node", "length_m")]
        rows = [row for row in zip(*columns, strict=True) if row[0] in index and row[1] in index]
        ends = np.array([(index[one], index[two]) for one, two, _ in rows], dtype=np.intp)
        return cls(at, ends.reshape(-1, 2), np.array([length_m for *_, length_m in rows]))

    def way(
        self, start: tuple[float, float], goal: tuple[float, float], closed: Floats
    ) -> Way | None:
        """Return the shortest way, None when every way is closed.

        Where one stands and where one goes to count as open: a crew comes to the water's edge.

        Args:
            start: Where one is, metres.
            goal: Where one wants to be.
            closed: Places nobody passes, (places, 2).
        """
        first, last = (int(self._tree.query(place)[1]) for place in (start, goal))
        ends, length_m = self._ends, self._length_m
        if len(closed):
            distance_m, corner = self._tree.query(closed)
            shut = set(np.atleast_1d(corner)[np.atleast_1d(distance_m) <= AT_CORNER_M].tolist())
            shut -= {first, last}
            is_open = ~np.isin(ends, list(shut)).any(axis=1) if shut else np.ones(len(ends), bool)
            ends, length_m = ends[is_open], length_m[is_open]
        size = len(self._at)
        graph = csr_array((length_m, (ends[:, 0], ends[:, 1])), shape=(size, size))
        found, previous = dijkstra(
            graph, directed=False, indices=np.array([first]), return_predecessors=True
        )
        reached_m, before = found[0], previous[0]
        if not np.isfinite(reached_m[last]):
            return None
        corners = [last]
        while corners[-1] != first:
            corners.append(int(before[corners[-1]]))
        return Way(np.array([start, *self._at[corners[::-1]].tolist(), goal]))
