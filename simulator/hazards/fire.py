"""Fire water as a hazard: roof tanks of high-rises that run empty, fed by the water mains."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.field import Act
from sensors.levels import Level
from simulator.hazards.base import NOWHERE, Places, States
from simulator.hazards.elements import Elements
from simulator.incidents import fire as incidents
from simulator.incidents.course import Schedule
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import IncidentPlan
from simulator.incidents.truth import TruthKeeper
from simulator.physics.base import Disturbance
from simulator.physics.fire.network import BuildingNetwork


class FireHazard:
    """The fire water of the high-rises; undisturbed, all tanks are full."""

    domain = "fire"
    is_apart = False

    def __init__(self, elements: Elements, network: BuildingNetwork, start_ms: int) -> None:
        self.network = network
        full = network.step(start_ms)
        self.states = States(full, full)
        self._index = {name: place for place, name in enumerate(network.node_ids)}
        self._at = np.array(
            [elements.place_of(node) or (np.nan, np.nan) for node in network.node_ids]
        ).reshape(-1, 2)

    def begin(self, until_ms: int) -> None:
        """Do nothing: the closed form is worked out in `finish`."""

    def finish(self, until_ms: int) -> States:
        """Advance the tanks."""
        self.states = States(self.network.step(until_ms), self.states.undisturbed)
        return self.states

    def feed(self, pressure_mpa: NDArray[np.float64]) -> None:
        """Set the pressure of the mains at each building."""
        self.network.feed(pressure_mpa)

    def apply(self, disturbance: Disturbance) -> None:
        """Drain or fill a tank."""
        self.network.apply(disturbance)

    def schedule(self, plan: IncidentPlan) -> Schedule:
        """Return what an incident does, and when."""
        return incidents.schedule(plan)

    def severity(self, plan: IncidentPlan) -> Level:
        """Return the level by the pressure at the worst hydrant now."""
        pressure = self.states.world.node["pressure"][self._index[plan.element]]
        return incidents.severity(float(pressure))

    def disturbances(self, act: Act, element: str) -> Sequence[Disturbance] | None:
        """Return what a crew's act does: a repair stops the loss, a restoration fills the tank."""
        if element not in self._index:
            return None
        match act:
            case Act.REPAIR | Act.ISOLATE:
                return [Disturbance("drain", element)]
            case Act.RESTORE:
                return [Disturbance("fill", element)]
            case Act.CORDON | Act.CLOSE_ROAD:
                return ()
            case _:
                return None

    def undo(self, act: Act, element: str) -> Sequence[Disturbance]:
        """Return nothing: all acts last."""
        return ()

    def harm(self) -> Places:
        """Return the buildings whose worst hydrant is below the limit for dwellings."""
        if self.states.is_calm:
            return NOWHERE
        limit = truth_limits().fire_pressure_mpa.yellow
        is_low = np.nan_to_num(self.states.world.node["pressure"]) < limit
        return self._at[is_low & (self.states.undisturbed.node["pressure"] >= limit)]

    def observe(self, time_ms: int, truth: TruthKeeper) -> None:
        """Do nothing: no fire water incident comes by itself."""

    def blocked(self) -> Places:
        """Return no place."""
        return NOWHERE

    def is_dry(self, element: str) -> bool:
        """Return that no water stands there."""
        return True

    def close(self) -> None:
        """Free the network."""
        self.network.close()
