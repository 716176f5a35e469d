"""How far a team has to drive: places of elements and distances over the city's roads."""

from collections.abc import Mapping

import networkx as nx
import numpy as np

from sensors.city import City

Place = tuple[float, float]
"""Easting and northing in the city's plane, metres."""

DETOUR = 1.3
"""Road metres per straight metre where no road is known (proposed; 1.2 to 1.4 in grid towns)."""


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
        self._graph: nx.Graph = nx.Graph()
        for road in city.rows("roads"):
            ends = road["from_node"], road["to_node"]
            if ends[0] not in places or ends[1] not in places:
                continue
            straight = _straight_m(places[ends[0]], places[ends[1]])
            metres = float(road["length_m"] or straight)
            if metres < self._graph.get_edge_data(*ends, default={"m": np.inf})["m"]:
                self._graph.add_edge(*ends, m=metres)
        self._nodes = sorted(self._graph)
        self._xy = np.array([places[node] for node in self._nodes], dtype=np.float64).reshape(-1, 2)
        self._ways: dict[str, Mapping[str, float]] = {}

    def distance_m(self, start: Place, end: Place) -> float:
        """Return the driving distance: to the nearest crossing, by road, and from it.

        It is the straight line times `DETOUR` where there are no roads, where no road leads
        there, and between places at the same crossing.
        """
        direct = _straight_m(start, end) * DETOUR
        if not self._nodes:
            return direct
        first, to_first_m = self._nearest(start)
        last, from_last_m = self._nearest(end)
        if first == last:
            return direct
        by_road_m = self._ways_to(last).get(first)
        if by_road_m is None:
            return direct
        return (to_first_m + from_last_m) * DETOUR + by_road_m

    def _nearest(self, place: Place) -> tuple[str, float]:
        metres = np.hypot(*(self._xy - np.asarray(place)).T)
        row = int(np.argmin(metres))
        return self._nodes[row], float(metres[row])

    def _ways_to(self, node: str) -> Mapping[str, float]:
        if node not in self._ways:
            self._ways[node] = nx.single_source_dijkstra_path_length(self._graph, node, weight="m")
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
