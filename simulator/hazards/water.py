"""Water as a hazard: the network, its undisturbed twin, and who lost the service pressure."""

from collections.abc import Sequence

import numpy as np

from sensors.city import City
from sensors.field import Act
from sensors.levels import Level
from simulator.hazards.base import NOWHERE, LeakyNetwork, Places, States, TwinNetwork
from simulator.incidents import water as incidents
from simulator.incidents.course import Schedule
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import LEAKS, IncidentPlan
from simulator.incidents.truth import TruthKeeper
from simulator.physics.base import Disturbance, PhysicsFrame

_ACTS = {
    Act.ISOLATE: "close",
    Act.REPAIR: "repair",
    Act.RESTORE: "open",
    Act.RESTART_PUMP: "pump_on",
    Act.OPEN_VALVE: "open",
}


class WaterHazard:
    """Drinking water.

    The network stands for its own undisturbed state until something disturbs it. The twin takes
    on that state then and is solved every tick from there on: its tanks remember what
    happened before.
    """

    domain = "water"
    is_apart = False

    def __init__(self, city: City, network: TwinNetwork, twin: TwinNetwork, start_ms: int) -> None:
        self.network, self.twin = network, twin
        self._is_disturbed = False
        self._served, self._at = _customers(city, network)
        self._leaks: set[str] = set()
        frame = network.step(start_ms)
        self.states = States(frame, frame)

    def begin(self, until_ms: int) -> None:
        """Do nothing: EPANET computes in `finish`."""

    def finish(self, until_ms: int) -> States:
        """Advance the network, and its twin once something has disturbed the network."""
        frame = self.network.step(until_ms)
        self.states = States(frame, self.twin.step(until_ms) if self._is_disturbed else frame)
        return self.states

    def apply(self, disturbance: Disturbance) -> None:
        """Disturb the network, not the twin."""
        if not self._is_disturbed:
            self.twin.take_state(self.network)
            self._is_disturbed = True
        self.network.apply(disturbance)
        if disturbance.kind == "leak":
            self._leaks.add(disturbance.element)

    def outflows(self) -> dict[str, float]:
        """Return pipe → what its leak discharges now, m3/h, of all pipes that ever leaked."""
        return {pipe: self.network.leak_outflow(pipe) for pipe in sorted(self._leaks)}

    def schedule(self, plan: IncidentPlan) -> Schedule:
        """Return what a water incident does, and when."""
        return incidents.schedule(plan)

    def severity(self, plan: IncidentPlan) -> Level:
        """Return the level by the outflow now."""
        is_leak = plan.kind in LEAKS
        return incidents.severity(plan, self.network.leak_outflow(plan.element) if is_leak else 0.0)

    def disturbances(self, act: Act, element: str) -> Sequence[Disturbance] | None:
        """Return what a crew's act does to a link."""
        if act in (Act.CORDON, Act.CLOSE_ROAD):
            return ()
        kind = _ACTS.get(act)
        return None if kind is None else [Disturbance(kind, element)]

    def undo(self, act: Act, element: str) -> Sequence[Disturbance]:
        """Return nothing: all acts on water last."""
        return ()

    def harm(self) -> Places:
        """Return where customers lack the service pressure they have in the twin."""
        if self.states.is_calm:
            return NOWHERE
        return harmed(self.states.world, self.states.undisturbed, self._served, self._at)

    def observe(self, time_ms: int, truth: TruthKeeper) -> None:
        """Do nothing: no water incident comes by itself."""

    def blocked(self) -> Places:
        """Return no place."""
        return NOWHERE

    def is_dry(self, element: str) -> bool:
        """Return that no water stands there."""
        return True

    def close(self) -> None:
        """Free both engines."""
        self.network.close()
        self.twin.close()


def harmed(world: PhysicsFrame, twin: PhysicsFrame, served: np.ndarray, at: np.ndarray) -> Places:
    """Return where (x, y a row) served nodes lack the service pressure they have in the twin.

    No supply counts as no pressure.
    """
    limit = truth_limits().service_mpa
    actual, normal = np.nan_to_num(world.node["pressure"]), np.nan_to_num(twin.node["pressure"])
    places: Places = at[served & (actual < limit) & (normal >= limit)]
    return places


def _customers(city: City, network: LeakyNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Return which nodes of the network serve customers, and where all are."""
    table = city.tables["nodes"]
    names = ("id", "base_demand_m3_h", "x_m", "y_m")
    columns = [table.column(name).to_pylist() for name in names]
    demand = {name: base or 0.0 for name, base in zip(columns[0], columns[1], strict=True)}
    at = dict(zip(columns[0], zip(columns[2], columns[3], strict=True), strict=True))
    served = np.array([demand.get(node, 0.0) > 0 for node in network.node_ids])
    return served, np.array([at.get(node, (np.nan, np.nan)) for node in network.node_ids])
