"""The drains the world steps: rain and disturbances in, frames out, a process only when wet."""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.flood.columns import Columns
from simulator.physics.flood.disturbances import Disturbances
from simulator.physics.flood.inp import option, read_model, running_text
from simulator.physics.flood.orders import LEAST_M, Advance, Save, Start
from simulator.physics.flood.process import SwmmProcess
from simulator.physics.flood.rain_field import RainField

Floats = NDArray[np.float64]

REST_MS = 30 * 60_000
"""The worker ends when no depth changed by more than `REST_M` over so long (proposed)."""
REST_M = 0.01
"""Depths stay where they are when the worker ends, so this is no jump but an end of settling."""
REST_CM = 0.2
"""The same for what stands on a street, less than a ponding device shows (±1 cm, domain
reference 2.7)."""

_STRETCH_S = 60
_LONGEST = timedelta(days=3650)
_TOTALS = 7


class FloodNetwork:
    """A SWMM network as a `simulator.physics.base.Network`.

    Frames carry, by node, `freeboard` (m from the water up to the street, manholes; below 0:
    water stands on it), `ponding_depth` (cm, underpasses and ponding spots), `water_level`
    (m over the bottom, river gauges and pump stations), `rainfall` (mm since the start, rain
    gauges); by link, `flow` (m3/h), `pump_state` (1 running, 0 not, NaN for other links),
    `status` (1 open or running, 0 shut or not). Rain gauges follow the file's nodes in
    `node_ids`. Rain falls on each catchment as at its gauge, in stretches of a minute.

    `balance` holds the water of the step in m3: `rainfall` on the catchments, `runoff` into the
    drains, `inflow` from outside (a high river included), `outflow`, `loss` (seeped away,
    evaporated, or run off for good), `storage` (gain in drains, streets and catchments), and
    `error`, what is missing: rainfall + inflow - outflow - loss - storage. `continuity_error`
    is the sum of the errors over the sum of what came in.

    While nothing flows there is no process and a step costs nothing. It starts when rain is due
    or something else brings water; it ends when all is at rest, leaving its state, with the
    water that stands, to the next start. While it is away depths stay as they were, so
    that no level jumps, and flows are 0.

    Steps need not be multiples of the routing step: the state is of the last one before.

    For the disturbances it knows see `Disturbances`.
    """

    def __init__(
        self,
        inp_text: str,
        rain: RainField,
        start_ms: int,
        *,
        routing_step_s: int = 15,
        hotstart: bytes | None = None,
    ) -> None:
        """Read the network; no process is started.

        Args:
            inp_text: The whole SWMM file.
            rain: What rains; storms may be added while time passes.
            start_ms: Event time of the first state.
            routing_step_s: Longest routing step, seconds; the file may ask for a shorter one.
            hotstart: State to begin with, from `save_state` of the same network.

        Raises:
            PhysicsError: the file cannot be read.
        """
        model = read_model(inp_text)
        self.model = model
        self.rain = rain
        self._columns = Columns(model)
        self._disturbances = Disturbances(model)
        self._step_s = _routing_step_s(option(model.sections, "ROUTING_STEP", "15"), routing_step_s)
        self._start_ms = self._now_ms = start_ms
        self._rain_mm = np.zeros(len(model.gauge_ids))
        self._depth_m = self._columns.dry_depth_m()
        self._flow_m3_s = np.zeros(len(model.link_ids))
        self._setting = np.ones(len(model.link_ids))
        self._state = hotstart
        self._process: SwmmProcess | None = None
        self._solved_ms = start_ms
        self._totals = np.zeros(_TOTALS)
        self._before = np.zeros(_TOTALS)
        self._still: tuple[int, Floats] = (start_ms, self._depth_m)
        self._asked: int | None = None
        self._came_m3 = self._error_m3 = 0.0
        self.starts = 0

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Ids of the file's nodes, then of the rain gauges, in the order of the columns."""
        return self.model.node_ids + self.model.gauge_ids

    @property
    def link_ids(self) -> tuple[str, ...]:
        """Ids of the links, in the order of `PhysicsFrame.link` columns."""
        return self.model.link_ids

    @property
    def is_running(self) -> bool:
        """Whether there is a worker process."""
        return self._process is not None

    @property
    def continuity_error(self) -> float:
        """Water lost (above 0) or made since the start, as a share of what came in."""
        return self._error_m3 / self._came_m3 if self._came_m3 > 0 else 0.0

    def step(self, until_ms: int) -> PhysicsFrame:
        """Advance to `until_ms` and return the state there: `begin`, then `finish`.

        Raises:
            PhysicsError: the engine failed or its process died.
            ValueError: the network is beyond that time.
        """
        self.begin(until_ms)
        return self.finish()

    def begin(self, until_ms: int) -> None:
        """Start to advance to `until_ms`; the worker computes while the caller does other things.

        Raises:
            PhysicsError: the worker cannot start or has died.
            ValueError: the network is beyond that time, or `finish` was not called.
        """
        if until_ms < self._now_ms or self._asked is not None:
            raise ValueError(f"step to {until_ms} ms: the network is beyond it, or not finished")
        if self._process is None and self._must_wake(until_ms):
            self._wake()
        if self._process is not None:
            self._process.send(self._order(until_ms))
        self._asked = until_ms

    def finish(self) -> PhysicsFrame:
        """Wait for what `begin` started and return the state.

        Raises:
            PhysicsError: the engine failed or its process died.
            ValueError: `begin` was not called.
        """
        if self._asked is None:
            raise ValueError("finish: call begin first")
        until_ms, self._asked = self._asked, None
        self._fall(until_ms)
        volumes = np.zeros(_TOTALS)
        if self._process is not None:
            self._totals = self._process.receive().totals
            self._depth_m, self._flow_m3_s, self._setting = self._process.columns()
            volumes = self._totals - self._before
            self._before = self._totals
        frame = self._frame(until_ms, self._balance(volumes))
        if self._process is not None and self._is_at_rest(until_ms):
            self._sleep()
        return frame

    def apply(self, disturbance: Disturbance) -> None:
        """Change the physics from the next step on; see `Disturbances` for the kinds.

        Raises:
            InjectionError: the kind or the element is unknown, or they do not fit.
        """
        self._disturbances.apply(disturbance)

    def save_state(self) -> bytes | None:
        """Return the state for the `hotstart` of another network; None: it was always dry."""
        if self._process is None:
            return self._state
        self._process.send(Save())
        return self._process.receive().state

    def close(self) -> None:
        """End the worker; the network is unusable afterwards."""
        if self._process is not None:
            self._process.close()
            self._process = None

    # --- the worker ---

    def _must_wake(self, until_ms: int) -> bool:
        due = self.rain.next_rain_ms(self._now_ms)
        if (due is not None and due < until_ms) or self.model.has_inflows:
            return until_ms > self._now_ms
        changed, wet = self._disturbances.is_changed, self._state is not None
        return (self._disturbances.is_filling or (changed and wet)) and until_ms > self._now_ms

    def _wake(self) -> None:
        first = datetime.fromtimestamp(self._now_ms / 1000, UTC)
        shown = [f"{moment:%m/%d/%Y %H:%M:%S}" for moment in (first, first + _LONGEST)]
        text = running_text(self.model, shown[0], shown[1], self._step_s)
        ids = self.model.node_ids, self.model.link_ids
        start = Start(text, *ids, self.model.pumps, self._step_s, self._state)
        self._process = SwmmProcess(start)
        self._before = self._totals = self._process.totals
        self._disturbances.is_changed = True
        self._solved_ms = self._now_ms
        self._still = (self._now_ms, self._depth_m)
        self.starts += 1

    def _sleep(self) -> None:
        self._state = self.save_state()
        self.close()
        self._flow_m3_s = np.zeros(len(self._flow_m3_s))

    def _is_at_rest(self, now_ms: int) -> bool:
        """Whether nothing comes and no depth has changed for a while."""
        due = self.rain.next_rain_ms(now_ms)
        orders = self._disturbances.orders
        comes = due is not None and due < now_ms + REST_MS
        draws = any(self._depth_m[node] > LEAST_M for node in orders.mobile_m3_s)
        if comes or draws or orders.inflow_m3_s or self.model.has_inflows:
            self._still = (now_ms, self._depth_m)
            return False
        since_ms, depth_m = self._still
        if now_ms - since_ms < REST_MS:
            return False
        self._still = (now_ms, self._depth_m)
        stood, stands = map(self._columns.ponding_cm, (depth_m, self._depth_m))
        moved_cm = np.nan_to_num(np.abs(stands - stood)).max()
        return bool(np.abs(self._depth_m - depth_m).max() <= REST_M and moved_cm <= REST_CM)

    def _order(self, until_ms: int) -> Advance:
        step_ms = self._step_s * 1000
        left = max((until_ms - self._solved_ms) // step_ms, 0)
        whole = max(_STRETCH_S // self._step_s, 1)
        steps = [whole] * (left // whole) + ([left % whole] if left % whole else [])
        edges = self._solved_ms + np.cumsum([0, *steps]) * step_ms
        rain = np.zeros((len(steps), len(self.model.gauge_ids)))
        for n, (start, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
            fallen = self.rain.fallen_mm(start, end, self.model.gauge_x_m, self.model.gauge_y_m)
            rain[n] = fallen * 3.6e6 / (end - start)
        self._solved_ms = int(edges[-1])
        orders = self._disturbances.orders if self._disturbances.is_changed else None
        self._disturbances.is_changed = False
        return Advance(rain, tuple(steps), orders)

    # --- the frame ---

    def _fall(self, until_ms: int) -> None:
        gauges = self.model.gauge_x_m, self.model.gauge_y_m
        self._rain_mm = self._rain_mm + self.rain.fallen_mm(self._now_ms, until_ms, *gauges)
        self._now_ms = until_ms

    def _balance(self, totals: Floats) -> dict[str, float]:
        rain_mm, infiltrated_mm, runoff, inflow, outflow, flooded, stored = totals.tolist()
        rainfall, seeped = (mm * self.model.area_m2 / 1000 for mm in (rain_mm, infiltrated_mm))
        error = runoff + inflow - outflow - flooded - stored
        self._came_m3 += rainfall + inflow
        self._error_m3 += error
        return {
            "rainfall": rainfall,
            "runoff": runoff,
            "inflow": inflow,
            "outflow": outflow,
            "loss": seeped + flooded,
            "storage": stored + rainfall - seeped - runoff,
            "error": error,
        }

    def _frame(self, time_ms: int, balance: dict[str, float]) -> PhysicsFrame:
        found = self._disturbances
        node = self._columns.node(self._depth_m, found.river_m, self._rain_mm)
        link = self._columns.link(self._flow_m3_s, self._setting, found.orders)
        return PhysicsFrame(time_ms, node, link, balance)


def _routing_step_s(asked: str, longest_s: int) -> int:
    """Return the routing step of a file, as seconds or h:mm:ss, cut to the longest one allowed."""
    seconds = 0.0
    for part in asked.split(":"):
        seconds = seconds * 60 + float(part)
    return max(1, min(int(seconds), longest_s))
