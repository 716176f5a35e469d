"""How far a team has to drive: places of elements and distances over the city's roads."""

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from sensors.city import City

Place = tuple[float, float]
"""Easting and northing in the city's plane, metres."""

DETOUR = 1.3
"""Road metres per straight metre where no road is known (proposed; 1.2 to 1.4 in grid towns)."""

ON_ROAD_M = 30.0
"""Water this near to a road's line stands on it (proposed: the width of a large crossing)."""

_MOST_WAYS = 512
"""Places to which the ways are kept; a city of 50,000 crossings has 0.4 MB of them each."""
_ENDS = ("from_node", "to_node")


class Places:
    """Where the elements of the city's networks are.

    A link, a node, an asset and an area may share an id (EPANET's own examples have node `10`
    and link `10`); a name then means the first of these, for orders go to links.
    """

    def __init__(self, city: City) -> None:
        nodes = _places(city, "nodes")
        links: dict[str, Place] = {
            row["id"]: _middle(known)
            for row in city.rows("links")
            if (known := [nodes[row[end]] for end in _ENDS if row[end] in nodes])
        }
        self._places = _places(city, "areas") | _places(city, "assets") | nodes | links

    def of(self, element: str, otherwise: Place) -> Place:
        """Return where an element is, `otherwise` when the city has none of that name."""
        return self._places.get(element, otherwise)


class Roads:
    """Driving distances; the shortest ways to a place are kept, so a second ask is free.

    Roads on which water is known to stand are gone round where there is a way round.
    """

    def __init__(self, city: City) -> None:
        places = _places(city, "nodes")
        metres: dict[tuple[str, str], float] = {}
        for road in city.rows("roads"):
            first, last = sorted((road["from_node"], road["to_node"]))
            if first not in places or last not in places:
                continue
            length_m = float(road["length_m"] or _straight_m(places[first], places[last]))
            metres[first, last] = min(length_m, metres.get((first, last), np.inf))
        nodes = sorted({node for ends in metres for node in ends})
        number = {node: index for index, node in enumerate(nodes)}
        ends = np.array([(number[a], number[b]) for a, b in metres], np.int64).reshape(-1, 2)
        self._xy = np.array([places[node] for node in nodes], dtype=np.float64).reshape(-1, 2)
        self._ends, self._metres = ends, np.array(list(metres.values()))
        self._avoided: tuple[Place, ...] = ()
        self._whole = _Ways(self._graph(np.ones(len(ends), np.bool_)))
        self._open = self._whole

    def _graph(self, is_open: NDArray[np.bool_]) -> csr_array:
        ends, nodes = self._ends[is_open], len(self._xy)
        return csr_array((self._metres[is_open], (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))

    def avoid(self, places: Iterable[Place]) -> None:
        """From now on go round the roads within `ON_ROAD_M` of these places, and only those."""
        avoided = tuple(sorted(set(places)))
        if avoided == self._avoided or not len(self._xy):
            return
        self._avoided, self._open = avoided, self._whole
        if avoided:
            first, last = self._xy[self._ends[:, 0]], self._xy[self._ends[:, 1]]
            away = [_to_segments_m(np.asarray(place), first, last) for place in avoided]
            self._open = _Ways(self._graph(np.min(away, axis=0) > ON_ROAD_M))

    def distance_m(self, start: Place, end: Place) -> float:
        """Return the driving distance: to the nearest crossing, by road, and from it.

        It is the straight line times `DETOUR` where there are no roads, where no road leads
        there, and between places at the same crossing. Where every way round is cut off, the
        way through is taken.
        """
        direct = _straight_m(start, end) * DETOUR
        if not len(self._xy):
            return direct
        first, to_first_m = self._nearest(start)
        last, from_last_m = self._nearest(end)
        if first == last:
            return direct
        by_road_m = float(self._open.to(last)[first])
        if not np.isfinite(by_road_m):  # no way round: somebody has to get through
            by_road_m = float(self._whole.to(last)[first])
        if not np.isfinite(by_road_m):
            return direct
        return (to_first_m + from_last_m) * DETOUR + by_road_m

    def _nearest(self, place: Place) -> tuple[int, float]:
        metres = np.hypot(*(self._xy - np.asarray(place)).T)
        row = int(np.argmin(metres))
        return row, float(metres[row])


class _Ways:
    """The shortest ways over one state of the roads; those asked for last are kept."""

    def __init__(self, graph: csr_array) -> None:
        self._graph = graph
        self._kept: OrderedDict[int, NDArray[np.float64]] = OrderedDict()

    def to(self, node: int) -> NDArray[np.float64]:
        """Return the way from every crossing to `node`, metres; infinite where there is none."""
        if node not in self._kept:
            self._kept[node] = dijkstra(self._graph, directed=False, indices=[node])[0]
            if len(self._kept) > _MOST_WAYS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(node)
        return self._kept[node]


def _to_segments_m(
    place: NDArray[np.float64], first: NDArray[np.float64], last: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far a place is from each segment between rows of `first` and `last`, metres."""
    along, to_place = last - first, place - first
    length2 = np.maximum((along**2).sum(axis=1), 1e-9)
    share = np.clip((along * to_place).sum(axis=1) / length2, 0.0, 1.0)
    metres: NDArray[np.float64] = np.hypot(*(to_place - along * share[:, None]).T)
    return metres


def _places(city: City, table: str) -> dict[str, Place]:
    return {row["id"]: (row["x_m"], row["y_m"]) for row in city.rows(table)}


def _straight_m(start: Place, end: Place) -> float:
    return float(np.hypot(end[0] - start[0], end[1] - start[1]))


def _middle(places: list[Place]) -> Place:
    return (
        sum(place[0] for place in places) / len(places),
        sum(place[1] for place in places) / len(places),
    )
