"""A network as drawn: its nodes and links as columns, in metres, and how it runs normally."""

from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from simulator.physics.water.engine import PIPE_KINDS, EpanetEngine

Floats = NDArray[np.float64]

_SHORTEST_M = 1.0
_LAYOUT_SEED = 1
_DAY_S = 86_400
_DAY_STEP_S = 900


@dataclass(frozen=True)
class Drawing:
    """Nodes and links of a network, columns in the order of the engine's ids.

    Attributes:
        node_ids: Node ids.
        node_kinds: `junction`, `reservoir` or `tank`.
        x_m: Easting, metres, from 0 at the western end.
        y_m: Northing, metres, from 0 at the southern end.
        elevation_m: Elevation; the bottom of a tank, the surface of a reservoir.
        demand_m3_h: Base demand.
        link_ids: Link ids.
        link_kinds: `pipe`, `pump` or `valve`.
        from_node: Position of the first node.
        to_node: Position of the second node.
        length_m: Length; the straight distance, at least 1 m, for pumps and valves.
        diameter_mm: Diameter; 0 for pumps.
    """

    node_ids: tuple[str, ...]
    node_kinds: tuple[str, ...]
    x_m: Floats
    y_m: Floats
    elevation_m: Floats
    demand_m3_h: Floats
    link_ids: tuple[str, ...]
    link_kinds: tuple[str, ...]
    from_node: NDArray[np.int64]
    to_node: NDArray[np.int64]
    length_m: Floats
    diameter_mm: Floats

    def is_node(self, kind: str) -> NDArray[np.bool_]:
        """Return which nodes are of a kind."""
        return np.array([its_kind == kind for its_kind in self.node_kinds])

    def is_link(self, kind: str) -> NDArray[np.bool_]:
        """Return which links are of a kind."""
        return np.array([its_kind == kind for its_kind in self.link_kinds])

    def middle_m(self) -> tuple[Floats, Floats]:
        """Return the middles of the links, easting and northing."""
        ends = self.from_node, self.to_node
        return (
            (self.x_m[ends[0]] + self.x_m[ends[1]]) / 2,
            (self.y_m[ends[0]] + self.y_m[ends[1]]) / 2,
        )


@dataclass(frozen=True, slots=True)
class NormalDay:
    """What an undisturbed first day looks like: what owners set limits and ranges by.

    Attributes:
        lowest_mpa: Lowest pressure of each node.
        largest_m3_h: Largest flow of each link, without sign.
    """

    lowest_mpa: Floats
    largest_m3_h: Floats


def draw(engine: EpanetEngine) -> Drawing:
    """Return an open model as a drawing in metres."""
    x_m, y_m = _plane(engine)
    ends = engine.from_node, engine.to_node
    straight_m = np.hypot(x_m[ends[0]] - x_m[ends[1]], y_m[ends[0]] - y_m[ends[1]])
    is_pipe = np.isin(engine.link_kinds, PIPE_KINDS)
    length_m = np.where(is_pipe, engine.length_m, straight_m)
    kinds = [
        "pipe" if kind in PIPE_KINDS else "pump" if kind == "pump" else "valve"
        for kind in engine.link_kinds
    ]
    return Drawing(
        node_ids=engine.node_ids,
        node_kinds=engine.node_kinds,
        x_m=x_m,
        y_m=y_m,
        elevation_m=engine.elevation_m,
        demand_m3_h=engine.base_demand_m3_h,
        link_ids=engine.link_ids,
        link_kinds=tuple(kinds),
        from_node=engine.from_node,
        to_node=engine.to_node,
        length_m=np.maximum(length_m, _SHORTEST_M),
        diameter_mm=np.where(engine.is_pump, 0.0, engine.diameter_mm),
    )


def normal_day(engine: EpanetEngine) -> NormalDay:
    """Run the file's first day as it is and return its extremes."""
    engine.start(0, _DAY_STEP_S)
    lowest, largest = engine.pressure_mpa(), np.abs(engine.flow_m3_h())
    for t_s in range(_DAY_STEP_S, _DAY_S + 1, _DAY_STEP_S):
        engine.run_to(t_s)
        lowest = np.minimum(lowest, engine.pressure_mpa())
        largest = np.maximum(largest, np.abs(engine.flow_m3_h()))
    return NormalDay(lowest, largest)


def _plane(engine: EpanetEngine) -> tuple[Floats, Floats]:
    """Return coordinates scaled so that the median pipe is as long as it is drawn."""
    places = engine.coordinates()
    known = np.isfinite(places[:, 0]) & np.isfinite(places[:, 1])
    if not known.all() or np.ptp(places, axis=0).max() == 0:
        places = _spring_layout(engine, places, known)
    is_pipe = np.isin(engine.link_kinds, PIPE_KINDS)
    ends = engine.from_node[is_pipe], engine.to_node[is_pipe]
    drawn = np.hypot(*(places[ends[0]] - places[ends[1]]).T)
    seen = drawn > 0
    if seen.any():
        places = places * np.median(engine.length_m[is_pipe][seen] / drawn[seen])
    places = places - places.min(axis=0)
    return places[:, 0], places[:, 1]


def _spring_layout(engine: EpanetEngine, places: Floats, known: NDArray[np.bool_]) -> Floats:
    """Lay out the nodes without coordinates; the others stay when they tell anything."""
    graph = nx.Graph()
    graph.add_nodes_from(range(len(places)))
    graph.add_edges_from(zip(engine.from_node.tolist(), engine.to_node.tolist(), strict=True))
    is_telling = bool(known.any()) and np.ptp(places[known], axis=0).max() > 0
    fixed = np.flatnonzero(known).tolist() if is_telling else []
    laid = nx.spring_layout(
        graph,
        pos={node: tuple(places[node]) for node in fixed} or None,
        fixed=fixed or None,
        seed=_LAYOUT_SEED,
    )
    return np.array([laid[node] for node in range(len(places))], dtype=np.float64)
