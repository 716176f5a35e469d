"""Gas as a hazard: leaks and methane; the undisturbed state costs nothing before the first leak."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.field import Act
from sensors.levels import Level
from simulator.hazards.base import NOWHERE, LeakyNetwork, Places, States
from simulator.hazards.elements import Elements
from simulator.hazards.figures import figures
from simulator.incidents import gas as incidents
from simulator.incidents.course import Schedule
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import GAS_LEAKS, IncidentPlan
from simulator.incidents.truth import TruthKeeper
from simulator.physics.base import Disturbance

_VOL_PER_LEL = 0.05
"""%VOL in one %LEL of methane (domain reference 2.4)."""

_SPACES = ("manhole_space", "valve_well", "station", "tunnel")


class GasHazard:
    """Gas pipes and the spaces beside them.

    The network stands for its own undisturbed state until something disturbs it; from then on
    a second network, made at that moment, is stepped beside it. Its pressures depend on the
    hour alone and its air is clean, so it needs no history.
    """

    domain = "gas"
    is_apart = False

    def __init__(
        self, elements: Elements, make: Callable[[int], LeakyNetwork], start_ms: int
    ) -> None:
        """Make the network.

        Args:
            elements: Where things are.
            make: Returns a network that begins at an event time.
            start_ms: Event time of the start.
        """
        self._elements, self._make = elements, make
        self.network = make(start_ms)
        self._twin: LeakyNetwork | None = None
        frame = self.network.step(start_ms)
        self.states = States(frame, frame)
        self._at = np.array(
            [elements.place_of(node) or (np.nan, np.nan) for node in self.network.node_ids]
        ).reshape(-1, 2)
        self._wells: dict[str, float] = {}
        self._wind_m_s = 0.0

    def begin(self, until_ms: int) -> None:
        """Do nothing: the solver works in `finish`."""

    def finish(self, until_ms: int) -> States:
        """Advance the network, and its twin when there is one."""
        frame = self.network.step(until_ms)
        self.states = States(frame, frame if self._twin is None else self._twin.step(until_ms))
        return self.states

    def apply(self, disturbance: Disturbance) -> None:
        """Disturb the network; wind blows over the twin as well."""
        if disturbance.kind == "wind":
            self._wind_m_s = disturbance.amount
            if self._twin is not None:
                self._twin.apply(disturbance)
        elif self._twin is None:
            self._twin = self._make(self.states.world.time_ms)
            self._twin.step(self.states.world.time_ms)
            self._twin.apply(Disturbance("wind", "", self._wind_m_s))
        if disturbance.kind == "well_leak":
            self._wells[disturbance.element] = disturbance.amount
        self.network.apply(disturbance)

    def schedule(self, plan: IncidentPlan) -> Schedule:
        """Return what a gas incident does, and when."""
        return incidents.schedule(plan)

    def severity(self, plan: IncidentPlan) -> Level:
        """Return the level by the outflow now and by the methane in the spaces near it."""
        if plan.kind not in GAS_LEAKS:
            return incidents.severity(plan, 0.0, 0.0, 0.0)
        element = self._elements.of_plan(plan)
        near = np.hypot(self._at[:, 0] - element.x_m, self._at[:, 1] - element.y_m)
        is_near = near <= truth_limits().methane_near_m
        node = self.states.world.node
        vol = float(np.max(np.nan_to_num(node["methane"][is_near]), initial=0.0))
        lel = float(np.max(np.nan_to_num(node["methane_lel"][is_near]), initial=0.0))
        return incidents.severity(plan, self.network.leak_outflow(plan.element), vol, lel)

    def disturbances(self, act: Act, element: str) -> Sequence[Disturbance] | None:
        """Return what a crew's act does to a pipe, a valve well or a space.

        A leaking valve in a well is isolated by the valves next to it, which stops its leak.
        """
        found = self._elements.get(element)
        kind = "" if found is None else found.kind
        if act in (Act.CORDON, Act.CLOSE_ROAD):
            return ()
        if act is Act.VENTILATE and kind in _SPACES:
            return [Disturbance("ventilate", element, figures().ventilation_per_h)]
        if kind == "pipe" and act in _PIPE_ACTS:
            return [Disturbance(_PIPE_ACTS[act], element)]
        if kind == "valve_well" and act in _PIPE_ACTS:
            return self._on_well(act, element)
        return None

    def undo(self, act: Act, element: str) -> Sequence[Disturbance]:
        """Return the end of a ventilation."""
        return [Disturbance("ventilate", element)] if act is Act.VENTILATE else ()

    def harm(self) -> Places:
        """Return the spaces in which the air can explode."""
        if self.states.is_calm:
            return NOWHERE
        return self._at[self._vol(self.states) >= truth_limits().methane_harm_vol]

    def observe(self, time_ms: int, truth: TruthKeeper) -> None:
        """Do nothing: no gas incident comes by itself."""

    def blocked(self) -> Places:
        """Return no place."""
        return NOWHERE

    def is_dry(self, element: str) -> bool:
        """Return that no water stands there."""
        return True

    def close(self) -> None:
        """Free both networks."""
        self.network.close()
        if self._twin is not None:
            self._twin.close()

    def _on_well(self, act: Act, well: str) -> Sequence[Disturbance]:
        if act is Act.REPAIR:
            self._wells.pop(well, None)
            return [Disturbance("repair", well)]
        amount = self._wells.get(well)
        if amount is None:
            return ()
        # Straight to the network: the size of the leak must be remembered for its reopening.
        self.network.apply(Disturbance("well_leak", well, 0.0 if act is Act.ISOLATE else amount))
        return ()

    @staticmethod
    def _vol(states: States) -> NDArray[np.float64]:
        node = states.world.node
        lel = np.nan_to_num(node["methane_lel"]) * _VOL_PER_LEL
        return np.maximum(np.nan_to_num(node["methane"]), lel)


_PIPE_ACTS = {Act.ISOLATE: "close", Act.REPAIR: "repair", Act.RESTORE: "open"}
