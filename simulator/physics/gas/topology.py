"""What hangs together in a gas network: zones, which regulator feeds which, what is cut off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simulator.physics.gas.block import Block, Ends, Loops, Places

CLOSED, HOLDING, OPEN = 0, 1, 2
"""What a regulator does: lets nothing through, holds its set-point, or stands wide open because
the pressure before it is below the set-point."""

LONGEST_CHAIN = 10
"""Most regulators gas passes on its way."""


@dataclass(frozen=True)
class Topology:
    """The network for one set of open pipes and states of regulators.

    Attributes:
        merged: For each node, the node whose pressure it shares (wide open regulators).
        is_alive: Which nodes are supplied.
        is_looped: Which regulators have both ends in one zone; its block knows what they draw.
        blocks: Zones to solve, in order: those fed by others first; with the positions of
            their pipes.
    """

    merged: Places
    is_alive: NDArray[np.bool_]
    is_looped: NDArray[np.bool_]
    blocks: tuple[tuple[Block, Places], ...]


@dataclass(frozen=True)
class Wiring:
    """Which nodes pipes and regulators join, as positions.

    Attributes:
        nodes: Number of nodes.
        is_source: Which nodes are sources.
        start: First node of each pipe.
        end: Second node of each pipe.
        inlet: Node each regulator takes gas from.
        outlet: Node each regulator feeds.
    """

    nodes: int
    is_source: NDArray[np.bool_]
    start: Places
    end: Places
    inlet: Places
    outlet: Places

    def topology(self, is_open: NDArray[np.bool_], state: Places) -> Topology:
        """Return what hangs together when these pipes are open and regulators do this."""
        wide = state == OPEN
        merged = np.arange(self.nodes)
        merged[self.outlet[wide]] = self.inlet[wide]
        while not np.array_equal(merged, merged[merged]):
            merged = merged[merged]
        zone = self._zones(is_open, wide)
        holding = state == HOLDING
        up, down = zone[self.inlet[holding]], zone[self.outlet[holding]]
        is_fed = np.zeros(int(zone.max()) + 1, dtype=bool)
        is_fed[zone[self.is_source]] = True
        rank = np.zeros(len(is_fed), dtype=np.int64)
        for _ in range(LONGEST_CHAIN):
            is_fed[down[is_fed[up]]] = True
            np.maximum.at(rank, up, np.where(up == down, rank[up], rank[down] + 1))
        rank = np.minimum(rank, LONGEST_CHAIN)
        is_alive = is_fed[zone]
        is_given = self.is_source.copy()
        is_given[self.outlet[holding]] |= is_fed[up]
        piped = is_open & is_alive[self.start]
        is_looped = holding & ~is_given[merged[self.inlet]]
        is_looped &= zone[self.inlet] == zone[self.outlet]
        blocks = []
        for number in np.unique(rank[zone[is_alive]]):
            inside = is_alive & (rank[zone] == number)
            pipes = np.flatnonzero(piped & inside[self.start])
            ends = Ends(pipes, merged[self.start[pipes]], merged[self.end[pipes]])
            sought = np.flatnonzero(inside & ~is_given & (merged == np.arange(self.nodes)))
            loops = np.flatnonzero(is_looped & inside[self.inlet])
            loop = Loops(merged[self.inlet[loops]], self.outlet[loops])
            blocks.append((Block(self.nodes, ends, sought, loop), pipes))
        return Topology(merged, is_alive, is_looped, tuple(blocks))

    def _zones(self, is_open: NDArray[np.bool_], wide: NDArray[np.bool_]) -> Places:
        rows = np.concatenate((self.start[is_open], self.inlet[wide]))
        columns = np.concatenate((self.end[is_open], self.outlet[wide]))
        graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(self.nodes, self.nodes))
        _, zone = connected_components(graph, directed=False)
        return np.asarray(zone, dtype=np.int64)
