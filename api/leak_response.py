"""How a whole network answers a leak, to first order: one factorisation instead of many solutions.

Solving 10,000 junctions once takes about 35 ms, and a search asks for hundreds of leaks. Around
one solution, small changes of head follow a linear system: each link passes `conductance` times
the change of its head difference. A valve that holds the head behind it adds the flow through it
as an unknown and that head as a condition.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

from simulator.physics.water.engine import EpanetEngine

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_EXPONENT = 1.852
"""Hazen-Williams: the head lost in a pipe goes with the flow to this power."""
_PUMP_SLOPE = 1.5
"""Flow over head, times this, is the slope of EPANET's one-point pump curve at its design point."""
_PASSED_SHARE = 0.1
"""Share of a leak each pipe is taken to carry at least (proposed): idle pipes do not stay idle."""
_MOST = 1e6
"""Largest conductance, m3/h a metre: a pipe without loss."""
_LEAST = 1e-6
"""Tie of every node to its own head, m3/h a metre: parts cut off stay solvable."""
_HOLDS_M = 0.5
"""A valve that takes away more head than this is held to be regulating (proposed)."""
_NAMED_HEAD_M = 30.0


@dataclass(frozen=True, slots=True)
class Solution:
    """One solution of a network; arrays of nodes or links.

    Attributes:
        from_node, to_node: Ends of the links.
        is_pump, is_prv, is_open: What the links are and whether they let water through.
        is_fixed: Nodes whose head is given (reservoirs and tanks).
        head_m: Heads of the nodes.
        pressure_m: Heads of the nodes above their elevation.
        flow_m3_h: Flows of the links.
    """

    from_node: Ints
    to_node: Ints
    is_pump: Bools
    is_prv: Bools
    is_open: Bools
    is_fixed: Bools
    head_m: Floats
    pressure_m: Floats
    flow_m3_h: Floats


def solution_of(engine: EpanetEngine) -> Solution:
    """Return the engine's last solution as columns."""
    head_m = engine.head_m()
    kinds = np.array(engine.link_kinds)
    return Solution(
        from_node=engine.from_node,
        to_node=engine.to_node,
        is_pump=engine.is_pump,
        is_prv=kinds == "prv",
        is_open=engine.is_open(),
        is_fixed=~engine.is_junction,
        head_m=head_m,
        pressure_m=head_m - engine.elevation_m,
        flow_m3_h=engine.flow_m3_h(),
    )


class LeakResponse:
    """The answer of one solved state to leaks about as large as `leak_m3_h`."""

    def __init__(self, solved: Solution, leak_m3_h: float) -> None:
        """Factorise the network around a solution; leaks are named by discharge at 30 m head."""
        self._solved, self._leak_m3_h = solved, leak_m3_h
        lost_m = solved.head_m[solved.from_node] - solved.head_m[solved.to_node]
        self._holds = solved.is_prv & solved.is_open & (lost_m > _HOLDS_M)
        self._conductance = _conductance(solved, lost_m, _PASSED_SHARE * leak_m3_h)
        self._conductance[self._holds] = 0.0
        self._valves = np.flatnonzero(self._holds)
        self._lu = splu(self._matrix(), permc_spec="MMD_AT_PLUS_A")

    def changes(self, links: Ints, nodes_at: Ints, links_at: Ints) -> tuple[Floats, Floats]:
        """Return what a leak in each of `links` changes; half of it leaves at either end.

        Args:
            links: Where the leaks are.
            nodes_at: Nodes whose heads are asked for.
            links_at: Links whose flows are asked for.

        Returns:
            Heads (leaks, nodes_at), metres, and flows (leaks, links_at), m3/h.
        """
        solved = self._solved
        nodes, valves = len(solved.head_m), len(self._valves)
        at_30_m = np.sqrt(np.maximum(solved.pressure_m, 0.0) / _NAMED_HEAD_M)
        outflow = np.zeros((nodes + valves, len(links)))
        columns = np.arange(len(links))
        for end in (solved.from_node[links], solved.to_node[links]):
            outflow[end, columns] -= 0.5 * self._leak_m3_h * at_30_m[end]
        outflow[:nodes][solved.is_fixed] = 0.0
        found = self._lu.solve(outflow)
        ends = solved.from_node[links_at], solved.to_node[links_at]
        flow = (found[ends[0]] - found[ends[1]]) * self._conductance[links_at, None]
        place = np.full(len(self._holds), -1)
        place[self._valves] = nodes + np.arange(valves)
        at_valve = np.flatnonzero(place[links_at] >= 0)
        flow[at_valve] = found[place[links_at[at_valve]]]
        return found[nodes_at].T, flow.T

    def _matrix(self) -> csc_array:
        """Return balances of the nodes, then the condition of each regulating valve."""
        solved, nodes = self._solved, len(self._solved.head_m)
        first, second, passed = solved.from_node, solved.to_node, self._conductance
        is_free = ~solved.is_fixed
        rows = [first, second, first, second, np.arange(nodes)]
        columns = [first, second, second, first, np.arange(nodes)]
        values = [passed, passed, -passed, -passed, np.full(nodes, _LEAST)]
        for part in range(4):  # the head of a fixed node is its own condition
            values[part] = np.where(is_free[rows[part]], values[part], 0.0)
        values[4] = np.where(is_free, values[4], 1.0)
        unknown = nodes + np.arange(len(self._valves))
        before, behind = first[self._valves], second[self._valves]
        rows += [before, behind, unknown]
        columns += [unknown, unknown, behind]
        values += [
            np.where(is_free[before], 1.0, 0.0),
            np.where(is_free[behind], -1.0, 0.0),
            np.ones(len(self._valves)),
        ]
        size = nodes + len(self._valves)
        places = (np.concatenate(rows), np.concatenate(columns))
        return coo_array((np.concatenate(values), places), shape=(size, size)).tocsc()


def _conductance(solved: Solution, lost_m: Floats, least_m3_h: float) -> Floats:
    """Return what one metre more of head difference drives through each link, m3/h."""
    flow, loss = np.abs(solved.flow_m3_h), np.maximum(np.abs(lost_m), 1e-9)
    resistance = loss / np.maximum(flow, 1e-6) ** _EXPONENT
    carried = np.maximum(flow, least_m3_h)
    pipe = 1.0 / (_EXPONENT * resistance * carried ** (_EXPONENT - 1.0))
    found = np.where(solved.is_pump, _PUMP_SLOPE * flow / loss, pipe)
    return np.where(solved.is_open, np.minimum(found, _MOST), 0.0)
