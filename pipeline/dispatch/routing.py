"""How far a team has to drive: places of elements and distances over the city's roads."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from sensors.city import City

Place = tuple[float, float]
"""Easting and northing in the city's plane, metres."""

DETOUR = 1.3
"""Road metres per straight metre where no road is known (proposed; 1.2 to 1.4 in grid towns)."""

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
    """Driving distances; the shortest ways to a place are kept, so a second ask is free."""

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
        self._graph = csr_array(
            (np.array(list(metres.values())), (ends[:, 0], ends[:, 1])),
            shape=(len(nodes), len(nodes)),
        )
        self._ways: OrderedDict[int, NDArray[np.float64]] = OrderedDict()

    def distance_m(self, start: Place, end: Place) -> float:
        """Return the driving distance: to the nearest crossing, by road, and from it.

        It is the straight line times `DETOUR` where there are no roads, where no road leads
        there, and between places at the same crossing.
        """
        direct = _straight_m(start, end) * DETOUR
        if not len(self._xy):
            return direct
        first, to_first_m = self._nearest(start)
        last, from_last_m = self._nearest(end)
        if first == last:
            return direct
        by_road_m = float(self._ways_to(last)[first])
        if not np.isfinite(by_road_m):
            return direct
        return (to_first_m + from_last_m) * DETOUR + by_road_m

    def _nearest(self, place: Place) -> tuple[int, float]:
        metres = np.hypot(*(self._xy - np.asarray(place)).T)
        row = int(np.argmin(metres))
        return row, float(metres[row])

    def _ways_to(self, node: int) -> NDArray[np.float64]:
        """Return the way from every crossing to `node`, metres; infinite where there is none."""
        if node not in self._ways:
            self._ways[node] = dijkstra(self._graph, directed=False, indices=[node])[0]
            if len(self._ways) > _MOST_WAYS:
                self._ways.popitem(last=False)
        self._ways.move_to_end(node)
        return self._ways[node]


def _places(city: City, table: str) -> dict[str, Place]:
    return {row["id"]: (row["x_m"], row["y_m"]) for row in city.rows(table)}


def _straight_m(start: Place, end: Place) -> float:
    return float(np.hypot(end[0] - start[0], end[1] - start[1]))


def _middle(places: list[Place]) -> Place:
    return (
        sum(place[0] for place in places) / len(places),
        sum(place[1] for place in places) / len(places),
    )
