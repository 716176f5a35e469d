"""Drains and streets as a hazard: ponding emerges, the undisturbed state is the dry one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.field import Act
from sensors.levels import Level
from simulator.hazards.base import NOWHERE, Places, SplitNetwork, States
from simulator.hazards.elements import Elements
from simulator.hazards.figures import figures
from simulator.hazards.ponding import PondingWatch
from simulator.incidents import flood as incidents
from simulator.incidents.course import Schedule
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import IncidentPlan
from simulator.incidents.truth import TruthKeeper
from simulator.physics.base import Disturbance

_SPOTS = ("underpass", "road")
_INLETS = (*_SPOTS, "manhole", "conduit")


class FloodHazard:
    """Drains, pumps, gates, the river and the spots where water stands.

    There is no twin: undisturbed, the drains are as at the start, which is dry.
    """

    domain = "flood"
    is_apart = True

    def __init__(self, elements: Elements, network: SplitNetwork, start_ms: int) -> None:
        self._elements, self.network = elements, network
        dry = network.step(start_ms)
        self.states = States(dry, dry)
        spots = elements.of_kind("flood", *_SPOTS)
        self._index = {name: place for place, name in enumerate(network.node_ids)}
        self._spots = np.array([self._index[spot.id] for spot in spots], dtype=np.intp)
        self._at = np.array([(spot.x_m, spot.y_m) for spot in spots]).reshape(-1, 2)
        self._ponding = PondingWatch(spots)
        self._spot = {spot.id: place for place, spot in enumerate(spots)}

    def begin(self, until_ms: int) -> None:
        """Let the engine's own process start on its way to `until_ms`."""
        self.network.begin(until_ms)

    def finish(self, until_ms: int) -> States:
        """Wait for the engine."""
        self.states = States(self.network.finish(), self.states.undisturbed)
        return self.states

    def apply(self, disturbance: Disturbance) -> None:
        """Disturb the drains."""
        self.network.apply(disturbance)

    def schedule(self, plan: IncidentPlan) -> Schedule:
        """Return what a cause of flooding does, and when."""
        return incidents.schedule(plan)

    def severity(self, plan: IncidentPlan) -> Level:
        """Return blue: causes are no hazards, the ponding they bring about is."""
        return Level.BLUE

    def disturbances(self, act: Act, element: str) -> Sequence[Disturbance] | None:
        """Return what a crew's act does to a pump, a gate, a conduit or a spot."""
        found = self._elements.get(element)
        kind = "" if found is None else found.kind
        if act is Act.CORDON or (act is Act.CLOSE_ROAD and kind in _SPOTS):
            return ()
        step = _ON_LINKS.get((act, kind))
        if step is not None:
            return [Disturbance(step, element)]
        if act is Act.CLEAR_INLET and kind in _INLETS:
            return [Disturbance("clear", element)]
        if act is Act.START_PUMP and kind in (*_SPOTS, "pump_station"):
            return [Disturbance("mobile_pump", element, figures().mobile_pump_m3_h)]
        if kind not in _SPOTS:
            return None
        match act:
            case Act.PLACE_BARRIER:
                return [Disturbance("barrier", element, 1.0)]
            case Act.REOPEN:
                return [Disturbance("barrier", element), Disturbance("mobile_pump", element)]
            case _:
                return None

    def undo(self, act: Act, element: str) -> Sequence[Disturbance]:
        """Return nothing: pumps and barriers stay until the spot is reopened."""
        return ()

    def harm(self) -> Places:
        """Return no place: the harm of ponding is told where it emerges."""
        return NOWHERE

    def observe(self, time_ms: int, truth: TruthKeeper) -> None:
        """Tell what stands where."""
        self._ponding.observe(time_ms, self.depth_cm(), truth)

    def blocked(self) -> Places:
        """Return the spots that are too deep to drive through."""
        return self._at[self.depth_cm() > truth_limits().road_closed_cm]

    def depth_cm(self) -> NDArray[np.float64]:
        """Return the depth at each spot now, by the order of their ids."""
        return np.nan_to_num(self.states.world.node["ponding_depth"][self._spots])

    def is_dry(self, element: str) -> bool:
        """Return whether no water stands at a node, but for a puddle."""
        place, spot = self._index.get(element), self._spot.get(element)
        if place is None or spot is None:
            return True
        return not self._ponding.stands(spot, self.states.world.node["ponding_depth"][place])

    def close(self) -> None:
        """End the engine's process."""
        self.network.close()


_ON_LINKS = {
    (Act.START_PUMP, "pump"): "pump_on",
    (Act.RESTART_PUMP, "pump"): "pump_on",
    (Act.OPEN_VALVE, "gate"): "gate_open",
    (Act.RESTORE, "gate"): "gate_open",
    (Act.REPAIR, "conduit"): "clear",
}
"""(act, kind of link) → disturbance."""
