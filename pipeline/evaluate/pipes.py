"""How many pipes lie between two elements of a network."""

from collections import defaultdict

import networkx as nx

from sensors.city import City


class PipeSteps:
    """Distance in pipes: 0 for the same one, 1 for pipes that share a node, and so on."""

    def __init__(self, city: City) -> None:
        self._ends: dict[str, tuple[str, str]] = {}
        self._graphs: dict[str, nx.Graph] = defaultdict(nx.Graph)
        self._domain: dict[str, str] = {}
        for link in city.rows("links"):
            ends = link["from_node"], link["to_node"]
            self._ends[link["id"]] = ends
            self._domain[link["id"]] = link["domain"]
            self._graphs[link["domain"]].add_edge(*ends)

    def between(self, first: str, second: str) -> int | None:
        """Return the number of steps, None when one is no link or no way leads there."""
        if first not in self._ends or second not in self._ends:
            return None
        if first == second:
            return 0
        graph = self._graphs[self._domain[first]]
        hops = nx.single_source_shortest_path_length
        found = [
            reached[end]
            for start in sorted(set(self._ends[first]))
            for reached in [hops(graph, start)]
            for end in self._ends[second]
            if end in reached
        ]
        return min(found) + 1 if found else None
