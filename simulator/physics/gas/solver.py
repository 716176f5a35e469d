"""Pressures and flows of a gas network: regulators, leaks, closures and parts without supply."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.physics.gas.block import NodalLaw, Places
from simulator.physics.gas.laws import ATMOSPHERE_KPA, Floats, HoleLaw, PipeLaw, gauge_kpa
from simulator.physics.gas.model import GasModel
from simulator.physics.gas.topology import CLOSED, HOLDING, LONGEST_CHAIN, OPEN, Topology, Wiring

_AIR = ATMOSPHERE_KPA**2
_STEP_KPA2 = 1e-3
_ALL_AT_ONCE = 6
"""Rounds in which all regulators that should do something else switch together."""
_ONE_BY_ONE = 20
"""Rounds until a regulator that still switches is shut; the rounds between switch one each."""
_BACKWARD_NM3_H = 1e-6
_BELOW_KPA2 = 1e-3
_GUESS_M_S = 0.5


@dataclass(frozen=True)
class Solution:
    """Steady state of a network.

    Attributes:
        pressure_kpa: Gauge pressure of each node; 0 where there is no supply.
        is_alive: Which nodes are supplied.
        flow_nm3_h: Flow of each pipe, then of each regulator.
        demand_nm3_h: What consumers get at each node.
        leak_nm3_h: Outflow through the hole of each pipe.
        hole_nm3_h: The same outflow at each node.
        well_nm3_h: Outflow of the valve at each node.
        inflow_nm3_h: What sources give, all together.
        imbalance: Worst error of the balance at a node, as a share of the inflow, or of 1 Nm3/h
            when there is less.
    """

    pressure_kpa: Floats
    is_alive: NDArray[np.bool_]
    flow_nm3_h: Floats
    demand_nm3_h: Floats
    leak_nm3_h: Floats
    hole_nm3_h: Floats
    well_nm3_h: Floats
    inflow_nm3_h: float
    imbalance: float


class GasSolver:
    """Solves a network again and again, each time starting from the last solution.

    Change `is_open`, `set_kpa`, `hole_mm2` and `well_nm3_h` freely between solves.

    Attributes:
        is_open: Which pipes are open.
        set_kpa: Set-point of each regulator; 0 or less shuts it.
        hole_mm2: Area of the hole in each pipe; it leaks half at each end, while it is open.
        well_nm3_h: What the valve at each node loses in full supply.
    """

    def __init__(self, model: GasModel) -> None:
        place = {name: number for number, name in enumerate(model.nodes.id)}
        pipes, regulators = model.pipes, model.regulators
        nodes, count = len(model.nodes.id), len(pipes.id)

        def places(ids: list[str]) -> Places:
            return np.array([place[name] for name in ids], dtype=np.int64)

        is_source = np.array([kind == "source" for kind in model.nodes.kind])
        self._wiring = Wiring(
            nodes,
            is_source,
            places(pipes.start),
            places(pipes.end),
            places(regulators.start),
            places(regulators.end),
        )
        self._diameter_mm = np.array(pipes.diameter_mm, dtype=np.float64)
        self._columns = (
            np.array(pipes.length_m, dtype=np.float64),
            self._diameter_mm,
            np.array(pipes.roughness_mm, dtype=np.float64),
        )
        self._gas, self._holes = model.gas, HoleLaw(model.gas)
        self.is_open = np.ones(count, dtype=bool)
        self.set_kpa = np.array(regulators.set_kpa, dtype=np.float64)
        self.hole_mm2 = np.zeros(count)
        self.well_nm3_h = np.zeros(nodes)
        source_kpa = ATMOSPHERE_KPA + np.array(model.nodes.pressure_kpa, dtype=np.float64)
        self._square = np.where(is_source, source_kpa**2, _AIR)
        self._state = np.where(self.set_kpa > 0, HOLDING, CLOSED)
        self._flow = np.pi * (self._diameter_mm / 2000) ** 2 * _GUESS_M_S * 3600
        self._key: tuple[bytes, bytes] = (b"", b"")
        self._topology: Topology | None = None
        self._laws: list[PipeLaw] = []

    @property
    def is_passing(self) -> NDArray[np.bool_]:
        """Which regulators let gas through, as of the last solution."""
        passing: NDArray[np.bool_] = self._state != CLOSED
        return passing

    def solve(self, demand_nm3_h: Floats) -> Solution:
        """Return the steady state in which nodes ask for so much.

        Raises:
            PhysicsError: no solution was found.
        """
        is_tripped = np.zeros(len(self._state), dtype=bool)
        number = 0
        while True:
            topology = self._current()
            through, net = self._solve_blocks(topology, demand_nm3_h)
            switching, wanted = self._switching(topology, through)
            switching = switching[~is_tripped[switching]]
            if not len(switching):
                return self._solution(topology, demand_nm3_h, through, net)
            number += 1
            if number < _ALL_AT_ONCE:
                self._state[switching] = wanted[switching]
            elif number < _ONE_BY_ONE:
                self._state[switching[0]] = wanted[switching[0]]
            else:
                # Neither held nor open nor shut does it rest: its safety valve trips.
                self._state[switching[0]] = CLOSED
                is_tripped[switching[0]] = True

    def _current(self) -> Topology:
        self._state[self.set_kpa <= 0] = CLOSED
        key = self.is_open.tobytes(), self._state.tobytes()
        if self._topology is None or key != self._key:
            self._topology = self._wiring.topology(self.is_open, self._state)
            columns = self._columns
            self._laws = [
                PipeLaw(self._gas, *(column[pipes] for column in columns))
                for _, pipes in self._topology.blocks
            ]
            self._key = key
        return self._topology

    def _solve_blocks(self, topology: Topology, demand: Floats) -> tuple[Floats, Floats]:
        """Solve zone after zone; return the flow of each regulator and what each node gives."""
        wiring, square = self._wiring, self._square
        square[~topology.is_alive] = _AIR
        holding = np.flatnonzero(self._state == HOLDING)
        holding = holding[topology.is_alive[wiring.inlet[holding]]]
        square[wiring.outlet[holding]] = (ATMOSPHERE_KPA + self.set_kpa[holding]) ** 2
        self._flow[~(self.is_open & topology.is_alive[wiring.start])] = 0.0
        drawn = np.zeros(wiring.nodes)
        through = np.zeros(len(self._state))
        for (block, _), law in zip(topology.blocks, self._laws, strict=True):
            block.solve(law, self._nodal_law(topology, demand, drawn), self._flow, square)
            square[:] = square[topology.merged]
            net = self._net(demand)
            through[holding] = net[wiring.outlet[holding]]
            drawn = _summed(wiring.inlet, np.where(topology.is_looped, 0.0, through), wiring.nodes)
        net = self._net(demand)
        wide = np.flatnonzero(self._state == OPEN)
        for _ in range(min(len(wide), LONGEST_CHAIN)):
            drawn = _summed(wiring.inlet, through, wiring.nodes)
            through[wide] = (net + drawn)[wiring.outlet[wide]]
        return through, net

    def _nodal_law(self, topology: Topology, demand: Floats, drawn: Floats) -> NodalLaw:
        nodes = self._wiring.nodes
        asked = _summed(topology.merged, demand + self.well_nm3_h, nodes)
        area = _summed(topology.merged, self._node_area(), nodes)
        fixed = _summed(topology.merged, drawn, nodes)
        full = self._gas.full_supply_kpa

        def law(places: Places, square: Floats) -> tuple[Floats, Floats]:
            gauge = gauge_kpa(square)
            share = gauge / full
            sink = asked[places] * np.clip(share, 0.0, 1.0) + fixed[places]
            is_partly = (share > 0) & (share < 1)
            slope = asked[places] * is_partly / (2 * full * (gauge + ATMOSPHERE_KPA))
            holed = np.flatnonzero(area[places])
            if len(holed):
                mm2, at = area[places[holed]], square[holed]
                leak = self._holes.outflow(mm2, gauge[holed])
                sink[holed] += leak
                more = self._holes.outflow(mm2, gauge_kpa(at + _STEP_KPA2))
                slope[holed] += (more - leak) / _STEP_KPA2
            return sink, slope

        return law

    def _node_area(self) -> Floats:
        holed = np.flatnonzero((self.hole_mm2 > 0) & self.is_open)
        half = self.hole_mm2[holed] / 2
        wiring = self._wiring
        area = _summed(wiring.start[holed], half, wiring.nodes)
        return area + _summed(wiring.end[holed], half, wiring.nodes)

    def _taken(self, asked: Floats, gauge: Floats) -> Floats:
        taken: Floats = asked * np.clip(gauge / self._gas.full_supply_kpa, 0.0, 1.0)
        return taken

    def _leaked(self, gauge: Floats) -> Floats:
        """Return what leaves the holes at each node."""
        area, leaked = self._node_area(), np.zeros(self._wiring.nodes)
        holed = np.flatnonzero(area)
        if len(holed):
            leaked[holed] = self._holes.outflow(area[holed], gauge[holed])
        return leaked

    def _net(self, demand: Floats) -> Floats:
        """Return what each node gives to pipes, consumers and leaks together."""
        wiring, gauge = self._wiring, gauge_kpa(self._square)
        net = _summed(wiring.start, self._flow, wiring.nodes)
        net -= _summed(wiring.end, self._flow, wiring.nodes)
        net += self._taken(demand + self.well_nm3_h, gauge)
        return net + self._leaked(gauge)

    def _switching(self, topology: Topology, through: Floats) -> tuple[Places, Places]:
        """Return the regulators the solution asks to do something else, and what all shall do."""
        wiring, old = self._wiring, self._state
        before, after = self._square[wiring.inlet], self._square[wiring.outlet]
        wanted = np.where(self.set_kpa > 0, (ATMOSPHERE_KPA + self.set_kpa) ** 2, -np.inf)
        is_short = before < wanted - _BELOW_KPA2
        backward = (old != CLOSED) & (through < -_BACKWARD_NM3_H)
        lifts = (old == CLOSED) & (after < np.minimum(before, wanted) - _BELOW_KPA2)
        new = np.where((old != CLOSED) | lifts, np.where(is_short, OPEN, HOLDING), CLOSED)
        new[backward | (self.set_kpa <= 0)] = CLOSED
        new[~topology.is_alive[wiring.inlet] & (self.set_kpa > 0)] = HOLDING
        return np.flatnonzero(new != old), new

    def _solution(
        self, topology: Topology, demand: Floats, through: Floats, net: Floats
    ) -> Solution:
        wiring, gauge = self._wiring, gauge_kpa(self._square)
        alive = topology.is_alive
        given = net + _summed(wiring.inlet, through, wiring.nodes)
        given -= _summed(wiring.outlet, through, wiring.nodes)
        inflow = float(given[wiring.is_source].sum())
        error = np.abs(given[~wiring.is_source & alive]).max(initial=0.0)
        holed = np.flatnonzero((self.hole_mm2 > 0) & self.is_open)
        leak = np.zeros(len(self.hole_mm2))
        for ends in (wiring.start[holed], wiring.end[holed]):
            leak[holed] += self._holes.outflow(self.hole_mm2[holed] / 2, gauge[ends])
        return Solution(
            pressure_kpa=np.where(alive, gauge, 0.0),
            is_alive=alive,
            flow_nm3_h=np.concatenate((self._flow, through)),
            demand_nm3_h=self._taken(demand, gauge),
            leak_nm3_h=leak,
            hole_nm3_h=self._leaked(gauge),
            well_nm3_h=self._taken(self.well_nm3_h, gauge),
            inflow_nm3_h=inflow,
            imbalance=float(error) / max(abs(inflow), 1.0),
        )


def _summed(places: Places, amounts: Floats, nodes: int) -> Floats:
    """Return the sum of the amounts at each node."""
    return np.bincount(places, amounts, nodes).astype(np.float64, copy=False)
