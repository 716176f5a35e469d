"""The gas network the world steps: disturbances in, frames of pressure and methane out."""

from dataclasses import dataclass

import numpy as np

from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.gas.disturbances import Disturbances
from simulator.physics.gas.laws import Floats
from simulator.physics.gas.model import parse
from simulator.physics.gas.solver import GasSolver
from simulator.physics.gas.spaces import Spaces

_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
_AIR_STEP_MS = 60_000
_YEAR_DAYS = 365.2425
_SAME_DEMAND = 0.01
"""Demand that changed by less than this share since the last solve is not solved again."""
_LEL_PER_VOL = 20.0
"""%LEL in one %VOL: methane explodes from 5 %VOL (domain reference 2.4)."""


@dataclass(frozen=True)
class _Knot:
    """The pipes at one moment; between two knots everything runs straight.

    Attributes:
        time_ms: Event time.
        factor: Factor of the hour on demand it was solved for.
        pressure_kpa: Gauge pressure of each node.
        flow_nm3_h: Flow of each link.
        outflow_nm3_h: What leaves the network at each node.
        leak_nm3_h: Outflow of each pipe's hole.
        well_nm3_h: Outflow of the valve at each node.
        totals_nm3_h: Inflow, demand and leakage of the whole network.
        imbalance: Worst error of a node's balance, as a share of the inflow.
    """

    time_ms: int
    factor: float
    pressure_kpa: Floats
    flow_nm3_h: Floats
    outflow_nm3_h: Floats
    leak_nm3_h: Floats
    well_nm3_h: Floats
    totals_nm3_h: Floats
    imbalance: float


class GasNetwork:
    """A gas network as a `simulator.physics.base.Network`.

    Nodes are those of the pipes, then the spaces; links are pipes, then regulators. Frames
    carry, by node, `gas_pressure` (kPa gauge, NaN at spaces; 0 where nothing supplies it),
    `methane` (%VOL in manholes and valve wells, else NaN), `methane_lel` (%LEL in stations and
    tunnels, else NaN), `outflow` (Nm3/h that leaves the network there, 0 at spaces); by link,
    `flow` (Nm3/h) and `status` (1 open, 0 shut). `balance` holds Nm3 of the step: `inflow`,
    `demand`, `leakage`, and `imbalance`, the worst error of the balance at a node as a share of
    the inflow.

    Pressures are solved every few minutes when demand has changed by 1 % or more, and at every
    change; between solutions they run straight. Gas stored in the pipes is neglected, so a part
    that is cut off stands without pressure at once. Methane is stepped every minute or less.
    For the disturbances it knows see `Disturbances`.
    """

    def __init__(
        self, text: str, start_ms: int, utc_offset_ms: int = 0, *, solve_every_s: int = 300
    ) -> None:
        """Open the network in its steady state at `start_ms`.

        Args:
            text: The whole file (`simulator.physics.gas.model.GasModel` as JSON).
            start_ms: Event time of the first state.
            utc_offset_ms: Local time minus UTC; demand follows local time.
            solve_every_s: Time between two solutions, seconds.

        Raises:
            PhysicsError: the file is wrong or no pressures are found.
        """
        model = parse(text)
        self._model_hourly: Floats = np.array(model.hourly, dtype=np.float64)
        self._demand: Floats = np.array(model.nodes.demand_nm3_h, dtype=np.float64)
        self._node_ids = (*model.nodes.id, *model.spaces.id)
        self._link_ids = (*model.pipes.id, *model.regulators.id)
        self._solver, self._spaces = GasSolver(model), Spaces(model)
        self._disturbances = Disturbances(model, self._solver, self._spaces)
        self._space_place = {name: place for place, name in enumerate(model.spaces.id)}
        self._by_volume = np.isin(model.spaces.kind, ("manhole_space", "valve_well"))
        self._now_ms, self._offset_ms = start_ms, utc_offset_ms
        self._every_ms = solve_every_s * 1000
        self._left = self._right = self._solve(start_ms)
        self._spaces.settle(self._day(start_ms))

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Ids of the nodes, in the order of `PhysicsFrame.node` columns."""
        return self._node_ids

    @property
    def link_ids(self) -> tuple[str, ...]:
        """Ids of the links, in the order of `PhysicsFrame.link` columns."""
        return self._link_ids

    def step(self, until_ms: int) -> PhysicsFrame:
        """Advance to `until_ms` and return the state there.

        What was applied since the last step acts from the present moment on.

        Raises:
            ValueError: `until_ms` lies in the past.
            PhysicsError: no pressures are found.
        """
        if until_ms < self._now_ms:
            raise ValueError(f"step to {until_ms} ms: the network is already beyond it")
        self._refresh()
        volumes, imbalance = np.zeros(3), 0.0
        while self._now_ms < until_ms:
            if self._now_ms >= self._right.time_ms:
                self._next_knot()
            next_air_ms = (self._now_ms // _AIR_STEP_MS + 1) * _AIR_STEP_MS
            end_ms = min(until_ms, self._right.time_ms, next_air_ms)
            middle = self._share((self._now_ms + end_ms) / 2)
            left, right = self._left, self._right
            hours = (end_ms - self._now_ms) / _HOUR_MS
            volumes += hours * _between(left.totals_nm3_h, right.totals_nm3_h, middle)
            imbalance = max(imbalance, left.imbalance, right.imbalance)
            self._spaces.step(
                (end_ms - self._now_ms) / 1000,
                _between(left.leak_nm3_h, right.leak_nm3_h, middle),
                self._well_outflow(middle),
                self._day(end_ms),
            )
            self._now_ms = end_ms
        return self._frame(volumes, imbalance)

    def apply(self, disturbance: Disturbance) -> None:
        """Change the physics from the next step on; see `Disturbances` for the kinds.

        Raises:
            InjectionError: the kind, element or amount is unknown, or they do not fit.
        """
        self._disturbances.apply(disturbance)

    def leak_outflow(self, element: str) -> float:
        """Return what a pipe or valve well leaks now, Nm3/h; 0 when it does not."""
        self._refresh()
        share = self._share(self._now_ms)
        pipe = self._disturbances.place_of_pipe(element)
        if pipe is not None:
            left, right = self._left.leak_nm3_h[pipe], self._right.leak_nm3_h[pipe]
            return float(left + (right - left) * share)
        if self._disturbances.node_of_well(element) is not None:
            return float(self._well_outflow(share)[self._space_place[element]])
        return 0.0

    def close(self) -> None:
        """Do nothing: there is no engine to free."""

    def _refresh(self) -> None:
        """Solve for the present moment when something has changed."""
        if self._disturbances.is_changed:
            self._disturbances.is_changed = False
            self._left = self._right = self._solve(self._now_ms)

    def _next_knot(self) -> None:
        """Put the next stretch between two knots before us."""
        end_ms = (self._now_ms // self._every_ms + 1) * self._every_ms
        self._left = self._right
        change = abs(self._factor(end_ms) - self._left.factor)
        if change > _SAME_DEMAND * self._left.factor:
            self._right = self._solve(end_ms)
        else:
            self._right = _Knot(end_ms, *list(vars(self._left).values())[1:])

    def _solve(self, time_ms: int) -> _Knot:
        factor = self._factor(time_ms)
        solved = self._solver.solve(self._demand * self._disturbances.surge * factor)
        outflow = solved.demand_nm3_h + solved.well_nm3_h + solved.hole_nm3_h
        leakage = float(solved.leak_nm3_h.sum() + solved.well_nm3_h.sum())
        totals = np.array([solved.inflow_nm3_h, solved.demand_nm3_h.sum(), leakage])
        return _Knot(
            time_ms,
            factor,
            solved.pressure_kpa,
            solved.flow_nm3_h,
            outflow,
            solved.leak_nm3_h,
            solved.well_nm3_h,
            totals,
            solved.imbalance,
        )

    def _share(self, time_ms: float) -> float:
        """Return how far a moment lies from the left knot to the right one, 0 to 1."""
        left, right = self._left.time_ms, self._right.time_ms
        return (time_ms - left) / (right - left) if right > left else 0.0

    def _factor(self, time_ms: int) -> float:
        """Return the factor of the hour on demand."""
        hour = (time_ms + self._offset_ms) % _DAY_MS / _HOUR_MS
        return float(np.interp(hour, np.arange(24) + 0.5, self._model_hourly, period=24))

    def _day(self, time_ms: int) -> float:
        """Return the day of the year, to within a day."""
        return 1 + (time_ms + self._offset_ms) / _DAY_MS % _YEAR_DAYS

    def _well_outflow(self, share: float) -> Floats:
        """Return what valves leak into each space, Nm3/h."""
        outflow = np.zeros(len(self._space_place))
        disturbances = self._disturbances
        for well in disturbances.leaking_wells():
            node = disturbances.node_of_well(well)
            left, right = self._left.well_nm3_h[node], self._right.well_nm3_h[node]
            leak = left + (right - left) * share
            outflow[self._space_place[well]] = leak * disturbances.well_share(well)
        return outflow

    def _frame(self, volumes: Floats, imbalance: float) -> PhysicsFrame:
        share = self._share(self._now_ms)
        left, right = self._left, self._right
        spaces = np.full(len(self._space_place), np.nan)
        nodes = np.full(len(self._demand), np.nan)
        vol = self._spaces.share * 100
        pressure = _between(left.pressure_kpa, right.pressure_kpa, share)
        outflow = _between(left.outflow_nm3_h, right.outflow_nm3_h, share)
        is_open = (self._solver.is_open, self._solver.is_passing)
        return PhysicsFrame(
            self._now_ms,
            node={
                "gas_pressure": np.concatenate((pressure, spaces)),
                "methane": np.concatenate((nodes, np.where(self._by_volume, vol, np.nan))),
                "methane_lel": np.concatenate(
                    (nodes, np.where(self._by_volume, np.nan, vol * _LEL_PER_VOL))
                ),
                "outflow": np.concatenate((outflow, np.zeros(len(spaces)))),
            },
            link={
                "flow": _between(left.flow_nm3_h, right.flow_nm3_h, share),
                "status": np.concatenate(is_open).astype(np.float64),
            },
            balance={
                "inflow": float(volumes[0]),
                "demand": float(volumes[1]),
                "leakage": float(volumes[2]),
                "imbalance": imbalance,
            },
        )


def _between(left: Floats, right: Floats, share: float) -> Floats:
    between: Floats = left + (right - left) * share
    return between
