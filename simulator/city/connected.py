"""Whether what a city's tables say hangs together: roads, sources, outfalls, areas, teams."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sensors.city import City, Row

_ENDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "water": frozenset({"reservoir", "tank"}),
        "gas": frozenset({"source"}),
        "flood": frozenset({"outfall"}),
    }
)
"""Domain → kinds of nodes that each of its other nodes must reach."""
_APART: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "gas": frozenset({"manhole_space", "valve_well", "station", "tunnel"}),
        "flood": frozenset({"rain_gauge", "river_gauge"}),
    }
)
"""Domain → kinds of nodes that no link needs to reach."""
_SHOWN = 3


def loose_ends(city: City) -> list[str]:
    """Return what does not hang together in a city, one sentence each; empty when all does."""
    nodes, links, roads = city.rows("nodes"), city.rows("links"), city.rows("roads")
    problems = []
    corners = [row for row in nodes if row["domain"] == "road"]
    if corners and len(set(_parts(corners, roads).tolist())) > 1:
        problems.append("roads: some corners cannot be reached")
    for domain in sorted(city.networks):
        own = [row for row in nodes if row["domain"] == domain]
        if domain in _ENDS:
            problems += _unreached(domain, own, [row for row in links if row["domain"] == domain])
    areas = {row["id"] for row in city.rows("areas")}
    districts = {row["id"] for row in city.rows("districts")}
    teams = {row["id"] for row in city.rows("teams")}
    known = {"": areas, "district": districts, "team": teams}
    for table, column, among in (
        ("nodes", "area", ""),
        ("links", "area", ""),
        ("areas", "district", "district"),
        ("risk_points", "team", "team"),
    ):
        lost = [row["id"] for row in city.rows(table) if row[column] not in known[among]]
        if lost:
            problems.append(f"{table}: {column} unknown at {_few(lost)}")
    return problems


def _unreached(domain: str, nodes: list[Row], links: list[Row]) -> list[str]:
    apart = _APART.get(domain, frozenset())
    part = _parts(nodes, links)
    fed = {int(part[n]) for n, row in enumerate(nodes) if row["kind"] in _ENDS[domain]}
    lost = [
        row["id"]
        for n, row in enumerate(nodes)
        if row["kind"] not in apart and int(part[n]) not in fed
    ]
    what = " or ".join(sorted(_ENDS[domain]))
    return [f"{domain}: no way to a {what} from {_few(lost)}"] if lost else []


def _parts(nodes: list[Row], links: list[Row]) -> NDArray[np.int32]:
    place = {row["id"]: n for n, row in enumerate(nodes)}
    ends = np.array(
        [
            (place[row["from_node"]], place[row["to_node"]])
            for row in links
            if row["from_node"] in place and row["to_node"] in place
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), ends.T), shape=(len(nodes), len(nodes)))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


def _few(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
