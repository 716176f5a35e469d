"""Parts of a gas network solved together: Newton on flows and squared pressures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import SuperLU, splu

from simulator.errors import PhysicsError
from simulator.physics.gas.laws import Floats, PipeLaw

Places = NDArray[np.int64]
NodalLaw = Callable[[Places, Floats], tuple[Floats, Floats]]
"""(nodes, squared absolute pressure kPa²) → outflow Nm3/h and its slope, one value a node."""

_FALL_TOLERANCE = 1e-4
"""Largest error of the pressure equation, kPa²: 0.5 Pa·1e-3 in low pressure."""
_FLOW_TOLERANCE = 1e-8
"""Largest error of the nodal laws as a share of the block's throughput."""
_STALE_ROUNDS = 10
_ROUNDS = 120
_WORSE = 2.0
"""A step that makes the error so many times as large, or more, is halved."""
_LEAST_STEP = 0.02
_FAR = 1e5
"""Errors beyond this multiple of the tolerated one always renew the matrix."""
_SLOW = 0.35
"""With an old matrix the error must fall to this share in each round, or it is renewed."""


@dataclass(frozen=True)
class Ends:
    """Pipes of a block and what they join.

    Attributes:
        pipes: Positions of the pipes.
        start: Position of the first node of each pipe.
        end: Position of the second node of each pipe.
    """

    pipes: Places
    start: Places
    end: Places


@dataclass(frozen=True)
class Loops:
    """Regulators with both ends in one block, as another one in it stands wide open.

    Attributes:
        inlet: Node each takes gas from; a node whose pressure is sought.
        outlet: Node each feeds and holds the pressure of.
    """

    inlet: Places
    outlet: Places


@dataclass(frozen=True)
class _State:
    """A guess and what the laws say of it.

    Attributes:
        flow: Flow of each pipe.
        square: Squared pressure of each unknown node.
        fall: Fall of squared pressure that the flow needs.
        slope: Its slope.
        sink: What leaves the network at each unknown node.
        sink_slope: Its slope by squared pressure.
        carried: The sink that the flows balance with.
        error: Largest error as a multiple of what is tolerated.
    """

    flow: Floats
    square: Floats
    fall: Floats
    slope: Floats
    sink: Floats
    sink_slope: Floats
    carried: Floats
    error: float


class Block:
    """Zones of one rank: every node joined by open pipes to one whose pressure is given.

    The unknowns are flows and squared pressures together (Todini and Pilati's gradient method):
    after each linear solve the flows balance at every node exactly, and the rounds only repair
    the pressure equation. A matrix of an earlier solve serves as long as that goes fast.
    """

    def __init__(self, nodes: int, ends: Ends, unknown: Places, loops: Loops) -> None:
        """Prepare the pattern of the matrix.

        Args:
            nodes: Nodes of the whole network.
            ends: The block's pipes.
            unknown: Nodes whose pressure is sought.
            loops: Regulators that feed the block from the block itself.
        """
        self._ends, self.unknown = ends, unknown
        count = len(unknown)
        place = np.full(nodes, count, dtype=np.int64)
        place[unknown] = np.arange(count)
        self._a, self._b = place[ends.start], place[ends.end]
        self._inner = np.flatnonzero((self._a < count) & (self._b < count))
        a, b = self._a[self._inner], self._b[self._inner]
        self._loops, self._loop_row = loops, place[loops.inlet]
        self._touching, row, column = self._loop_pattern(count)
        diagonal = np.arange(count)
        keys = np.concatenate(
            (diagonal * count + diagonal, b * count + a, a * count + b, column * count + row)
        )
        unique, self._slot = np.unique(keys, return_inverse=True)
        self._indices = (unique % max(count, 1)).astype(np.int32)
        columns = unique // max(count, 1)
        self._indptr = np.searchsorted(columns, np.arange(count + 1)).astype(np.int32)
        self._factor: SuperLU | None = None
        self._slope: Floats = np.zeros(0)
        self._sink_slope: Floats = np.zeros(0)

    def _loop_pattern(self, count: int) -> tuple[Places, Places, Places]:
        """Return pipes from the outlets of loops to unknown nodes, with rows and columns.

        What such a pipe takes from the outlet is drawn at the regulator's inlet.
        """
        pipes, rows, columns = [], [], []
        for row, outlet in zip(self._loop_row, self._loops.outlet, strict=True):
            for near, far in ((self._ends.start, self._b), (self._ends.end, self._a)):
                found = np.flatnonzero((near == outlet) & (far < count))
                pipes.append(found)
                rows.append(np.full(len(found), row))
                columns.append(far[found])
        empty = np.zeros(0, dtype=np.int64)
        return (
            np.concatenate((empty, *pipes)),
            np.concatenate((empty, *rows)),
            np.concatenate((empty, *columns)),
        )

    def solve(self, law: PipeLaw, nodal: NodalLaw, flow: Floats, square: Floats) -> None:
        """Solve for the present nodal laws, changing `flow` and `square` in place.

        Args:
            law: The block's pipes, in the order of `Ends.pipes`.
            nodal: What leaves the network at nodes.
            flow: Flow of every pipe of the network, a first guess in the block's.
            square: Squared pressure of every node, given at fixed ones, a guess elsewhere.

        Raises:
            PhysicsError: no solution was found.
        """
        ends, unknown = self._ends, self.unknown
        taken, _ = nodal(self._loops.outlet, square[self._loops.outlet])
        now = self._state(law, nodal, flow[ends.pipes], square, square[unknown], None)
        is_stale = self._factor is None
        for number in range(_ROUNDS):
            if is_stale:
                self._renew(now.slope, now.sink_slope)
            own, found = self._round(now, square, taken)
            carried = now.sink + self._sink_slope * (found - now.square)
            then = self._state(law, nodal, own, square, found, carried)
            # Half a step now and then, so that no two states alternate for ever.
            step, is_cautious = 1.0, number > _STALE_ROUNDS and number % 3 <= number // 40
            while number and step > _LEAST_STEP:
                if then.error <= _WORSE * now.error and not (is_cautious and step == 1.0):
                    break
                step /= 2
                own, found, carried = (
                    old + step * (new - old)
                    for old, new in ((now.flow, own), (now.square, found), (now.carried, carried))
                )
                then = self._state(law, nodal, own, square, found, carried)
            last, now = now.error, then
            if now.error <= 1.0:
                flow[ends.pipes] = now.flow
                square[unknown] = now.square
                return
            is_stale = now.error > _SLOW * last or number >= _STALE_ROUNDS or now.error > _FAR
        raise PhysicsError(f"gas network: no pressures found for {len(unknown)} nodes")

    def _state(
        self, law: PipeLaw, nodal: NodalLaw, flow: Floats, square: Floats, found: Floats,
        carried: Floats | None,
    ) -> "_State":  # fmt: skip
        """Evaluate both laws; sets `square` at the unknown nodes."""
        ends = self._ends
        square[self.unknown] = found
        fall, slope = law.fall(flow)
        sink, sink_slope = nodal(self.unknown, found)
        off = np.abs(square[ends.start] - square[ends.end] - fall) / (1.0 + np.abs(fall) * 1e-4)
        error = float(off.max(initial=0.0)) / _FALL_TOLERANCE
        if carried is None:
            return _State(flow, found, fall, slope, sink, sink_slope, sink, np.inf)
        missed = np.abs(sink - carried).max(initial=0.0) / max(float(np.abs(sink).sum()), 1e-9)
        error = max(error, float(missed) / _FLOW_TOLERANCE)
        return _State(flow, found, fall, slope, sink, sink_slope, carried, error)

    def _renew(self, slope: Floats, sink_slope: Floats) -> None:
        count = len(self.unknown)
        self._slope, self._sink_slope = slope, sink_slope
        if not count:
            return
        conductance = 1 / slope
        diagonal = np.bincount(self._a, conductance, count + 1)[:count] + sink_slope
        diagonal += np.bincount(self._b, conductance, count + 1)[:count]
        across = -conductance[self._inner]
        drawn = -conductance[self._touching]
        data = np.bincount(self._slot, np.concatenate((diagonal, across, across, drawn)))
        matrix = csc_matrix((data, self._indices, self._indptr), shape=(count, count))
        # With loops the matrix is not symmetric: pivots must be looked for.
        self._factor = splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=1.0 if len(self._touching) else 0.0,
            options={"SymmetricMode": not len(self._touching)},
        )

    def _round(self, now: "_State", square: Floats, taken: Floats) -> tuple[Floats, Floats]:
        """Solve the linear system and return new flows and squared pressures."""
        ends, unknown, count = self._ends, self.unknown, len(self.unknown)
        kept = now.flow - now.fall / self._slope
        known = square.copy()
        known[unknown] = 0.0
        driven = kept + (known[ends.start] - known[ends.end]) / self._slope
        right: Floats = np.bincount(self._b, driven, count + 1)[:count].astype(np.float64)
        right -= np.bincount(self._a, driven, count + 1)[:count]
        right += self._sink_slope * now.square - now.sink
        for row, outlet, sink in zip(self._loop_row, self._loops.outlet, taken, strict=True):
            right[row] -= driven[ends.start == outlet].sum() - driven[ends.end == outlet].sum()
            right[row] -= sink
        if self._factor is not None:
            known[unknown] = self._factor.solve(right)
        own: Floats = kept + (known[ends.start] - known[ends.end]) / self._slope
        return own, known[unknown]
