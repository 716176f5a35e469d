"""The drinking water network the world steps: disturbances in, frames out."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.water.disturbances import Disturbances
from simulator.physics.water.engine import EpanetEngine

DemandFactor = Callable[[NDArray[np.int64], int], NDArray[np.float64]]
"""(positions in `node_ids`, whole hours since 1970 UTC) → one demand factor a position."""
DemandModel = Literal["pda", "dda"]

SERVICE_HEAD_M = 14.0
"""Head above which demand is met in full: 0.14 MPa, the end-of-network minimum pressure
(domain reference §2.5, W1)."""

_DISCONNECTED_MPA = 10.0
_EMPTY_MPA = 1e-4
"""One centimetre of water: below it a tap gives nothing."""
_NOISE_STEP_S = 300
_HOUR_S = 3600
_DAY_S = 86_400


class WaterNetwork:
    """An EPANET network as a `simulator.physics.base.Network`.

    Frames carry, by node, `pressure` (MPa), `water_level` (m, tanks only), `demand` (m3/h
    delivered); by link, `flow` (m3/h), `pump_state` (1 running, 0 not, NaN for other links),
    `status` (1 open, 0 shut). `balance` holds the water of the step in m3: `inflow` from
    reservoirs and supply nodes, `consumption`, `leakage`, `storage` (gain of the tanks).

    No supply is NaN pressure: a junction cut off from every source (EPANET leaves its head
    near -1.8e6 m, or far above ground at a supply node), or one that asks for water at less than
    1 cm of head. A junction without demand keeps a negative pressure, because a pump's
    suction side may have one.

    For the disturbances it knows see `Disturbances`.
    """

    def __init__(
        self,
        inp_text: str,
        start_ms: int,
        utc_offset_ms: int = 0,
        *,
        step_s: int = 60,
        demand_model: DemandModel = "pda",
        demand_factor: DemandFactor | None = None,
    ) -> None:
        """Open the network and bring it to its state at `start_ms`.

        Args:
            inp_text: The whole EPANET file.
            start_ms: Event time of the first state.
            utc_offset_ms: Local time minus UTC; patterns and clock controls follow local time.
                The day of the start is the first day of the file.
            step_s: Longest hydraulic time step, seconds.
            demand_model: `pda` delivers by pressure, `dda` keeps what the file says.
            demand_factor: Random variation of demand by node and hour, blended in between.

        Raises:
            PhysicsError: EPANET refuses the file.
        """
        self.engine = EpanetEngine(inp_text)
        engine = self.engine
        self._disturbances = Disturbances(engine)
        self._demand_factor = demand_factor
        self._consumers = np.flatnonzero(engine.base_demand_m3_h > 0)
        if demand_model == "pda":
            engine.use_pressure_dependent_demand(SERVICE_HEAD_M)
        self._start_ms = start_ms
        self._factors = np.ones(len(engine.node_ids))
        day_s = (start_ms + utc_offset_ms) // 1000 % _DAY_S
        self._origin_s = (day_s - engine.clock_start_s) % _DAY_S
        engine.start(self._origin_s, step_s)
        self._demand_m3_h = engine.demand_m3_h()
        self._rates = self._read_rates()
        if demand_factor is not None:
            self._vary_demand()
            self._solve()

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Ids of the nodes, in the order of `PhysicsFrame.node` columns."""
        return self.engine.node_ids

    @property
    def link_ids(self) -> tuple[str, ...]:
        """Ids of the links, in the order of `PhysicsFrame.link` columns."""
        return self.engine.link_ids

    def step(self, until_ms: int) -> PhysicsFrame:
        """Advance to `until_ms` and return the state there.

        What was applied since the last step is part of that state. Asked for the present
        moment again, it returns the last solution.
        """
        target_s = self._origin_s + (until_ms - self._start_ms) // 1000
        if target_s < self.engine.time_s:
            raise ValueError(f"step to {until_ms} ms: the network is already beyond it")
        before_m3 = self.engine.tank_volume_m3().sum()
        volumes = np.zeros(3)
        while self.engine.time_s < target_s:
            seconds = self.engine.sub_step(min(target_s, self._next_variation_s()))
            volumes += self._rates * (seconds / _HOUR_S)
            if self._demand_factor is not None and self.engine.time_s % _NOISE_STEP_S == 0:
                self._vary_demand()
            self._solve()
        gain_m3 = float(self.engine.tank_volume_m3().sum() - before_m3)
        return self._frame(until_ms, volumes, gain_m3)

    def take_state(self, other: "WaterNetwork") -> PhysicsFrame:
        """Come to the present state of another network that nothing has disturbed yet.

        Both must be of the same file and start, and this one not beyond the other. The way there
        is made in steps of an hour; the tanks, pumps and valves are then set as they stand
        in the other, so that the states differ by no more than the solver's tolerance.
        """
        engine = self.engine
        engine.rush_to(other.engine.time_s, _HOUR_S)
        engine.take_state(other.engine)
        engine.set_demand_factors(other._factors)  # noqa: SLF001
        self._factors = other._factors.copy()  # noqa: SLF001
        return self.solve_now()

    def solve_now(self) -> PhysicsFrame:
        """Solve again at the present moment, so what was applied shows without time passing."""
        self._solve()
        now_ms = self._start_ms + (self.engine.time_s - self._origin_s) * 1000
        return self._frame(now_ms, np.zeros(3), 0.0)

    def apply(self, disturbance: Disturbance) -> None:
        """Change the physics from the next solved step on; see `Disturbances` for the kinds.

        Raises:
            InjectionError: the kind or the element is unknown, or they do not fit.
        """
        self._disturbances.apply(disturbance)

    def leak_outflow(self, pipe: str) -> float:
        """Return what the injected leak of a pipe discharges now, m3/h; 0 when it has none."""
        return self._disturbances.leak_outflow_m3_h(pipe)

    def close(self) -> None:
        """Free the engine; the network is unusable afterwards."""
        self.engine.close()

    def _next_variation_s(self) -> int:
        if self._demand_factor is None:
            return self.engine.time_s + _DAY_S
        return (self.engine.time_s // _NOISE_STEP_S + 1) * _NOISE_STEP_S

    def _solve(self) -> None:
        if self._disturbances.is_demand_changed:
            self._vary_demand()
        self._disturbances.overrides.enforce()
        self.engine.solve()
        self._demand_m3_h = self.engine.demand_m3_h()
        self._rates = self._read_rates()

    def _vary_demand(self) -> None:
        """Set the demand of every node: surge times the variation blended between hours."""
        factors = self._disturbances.surge.copy()
        if self._demand_factor is not None:
            now_s = self._start_ms // 1000 + self.engine.time_s - self._origin_s
            hour, share = now_s // _HOUR_S, now_s % _HOUR_S / _HOUR_S
            now = self._demand_factor(self._consumers, hour)
            later = self._demand_factor(self._consumers, hour + 1)
            factors[self._consumers] *= now + (later - now) * share
        self.engine.set_demand_factors(factors)
        self._factors = factors
        self._disturbances.is_demand_changed = False

    def _read_rates(self) -> NDArray[np.float64]:
        """Return inflow, consumption and leakage of the present solution, m3/h."""
        engine = self.engine
        demand = np.where(engine.is_junction, self._demand_m3_h, 0.0)
        inflow = -engine.reservoir_inflow_m3_h().sum() - demand[demand < 0].sum()
        leakage = engine.leakage_m3_h()[engine.is_junction].sum()
        return np.array([inflow, demand[demand > 0].sum(), leakage])

    def _frame(self, time_ms: int, volumes: NDArray[np.float64], gain_m3: float) -> PhysicsFrame:
        engine = self.engine
        pressure = engine.pressure_mpa()
        cut_off = np.abs(pressure) > _DISCONNECTED_MPA
        thirsty = (engine.full_demand_m3_h() > 0) & (pressure < _EMPTY_MPA)
        is_dry = engine.is_junction & (cut_off | thirsty)
        is_open = engine.is_open()
        is_open[self._disturbances.overrides.held_shut()] = False
        return PhysicsFrame(
            time_ms,
            node={
                "pressure": np.where(is_dry, np.nan, pressure),
                "water_level": engine.level_m(),
                "demand": np.where(engine.is_junction, self._demand_m3_h, 0.0),
            },
            link={
                "flow": engine.flow_m3_h(),
                "pump_state": np.where(engine.is_pump, is_open, np.nan),
                "status": is_open.astype(np.float64),
            },
            balance={
                "inflow": float(volumes[0]),
                "consumption": float(volumes[1]),
                "leakage": float(volumes[2]),
                "storage": gain_m3,
            },
        )
