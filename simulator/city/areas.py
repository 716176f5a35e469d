"""Division of a network into areas (DMAs): compact, connected, about fifty nodes each."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from simulator.city.drawing import Drawing

NODES_PER_AREA = 50
"""Size of a DMA in this simulator (proposed)."""
WHOLE_BELOW = 40
"""A network with fewer nodes stays one area."""
_ROUNDS = 3
_LONGEST_MEDIANS = 4.0
"""Longer pipes count as this many median ones, or one transmission main would make an area."""

Labels = NDArray[np.int64]


def area_name(label: int) -> str:
    """Return the id of an area: `D01`, `D02` and so on."""
    return f"D{label + 1:02d}"


def divide(drawing: Drawing) -> Labels:
    """Return the area of each node, counted from 0 in the order of each area's first node.

    Seeds lie as far apart as the pipes allow, every node belongs to the seed nearest along the
    pipes, and seeds then move to the middle of their areas. Every area is connected, except
    that parts of the network which nothing connects are areas of their own.
    """
    graph = _graph(drawing)
    nodes = graph.shape[0]
    count = 1 if nodes < WHOLE_BELOW else max(2, round(nodes / NODES_PER_AREA))
    seeds = _spread(graph, count)
    labels = _nearest(graph, seeds)
    for _ in range(_ROUNDS):
        seeds = _middles(graph, labels)
        labels = _nearest(graph, seeds)
    return _renumbered(labels)


def _graph(drawing: Drawing) -> csr_array:
    ends = np.sort(np.column_stack((drawing.from_node, drawing.to_node)), axis=1)
    order = np.lexsort((drawing.length_m, ends[:, 1], ends[:, 0]))
    pairs, first = np.unique(ends[order], axis=0, return_index=True)
    nodes = len(drawing.node_ids)
    lengths = drawing.length_m[order][first]
    lengths = np.minimum(lengths, _LONGEST_MEDIANS * np.median(lengths))
    return csr_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(nodes, nodes))


def _distances(graph: csr_array, node: int) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = dijkstra(graph, directed=False, indices=[node])[0]
    return distances


def _spread(graph: csr_array, count: int) -> list[int]:
    """Return farthest-point seeds; more than `count` when the network falls apart."""
    start = _distances(graph, 0)
    first = int(np.argmax(np.where(np.isinf(start), -1.0, start)))
    seeds = [first]
    nearest = _distances(graph, first)
    while len(seeds) < count or np.isinf(nearest).any():
        seeds.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _distances(graph, seeds[-1]))
    return seeds


def _nearest(graph: csr_array, seeds: list[int]) -> Labels:
    # Sources follow the shortest-path trees, which is what keeps every area connected.
    _, _, sources = dijkstra(
        graph, directed=False, indices=sorted(seeds), return_predecessors=True, min_only=True
    )
    labels: Labels = np.searchsorted(np.sort(seeds), sources).astype(np.int64)
    return labels


def _middles(graph: csr_array, labels: Labels) -> list[int]:
    middles = []
    for label in range(int(labels.max()) + 1):
        nodes = np.flatnonzero(labels == label)
        inside = dijkstra(graph[nodes][:, nodes], directed=False)
        middles.append(int(nodes[np.argmin(inside.sum(axis=1))]))
    return middles


def _renumbered(labels: Labels) -> Labels:
    _, first = np.unique(labels, return_index=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[labels]
