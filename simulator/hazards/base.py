"""What a hazard is to the world: one domain's network, its undisturbed state and its acts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sensors.field import Act
from sensors.levels import Level
from simulator.incidents.course import Schedule
from simulator.incidents.plan import IncidentPlan
from simulator.incidents.truth import TruthKeeper
from simulator.physics.base import Disturbance, Network, PhysicsFrame

Places = NDArray[np.float64]
"""(places, 2): eastings and northings, metres."""

NOWHERE: Places = np.empty((0, 2))
"""No place at all."""


@dataclass(frozen=True, slots=True)
class States:
    """A network at one moment: as it is and as it would be with nothing happening.

    The same frame twice when nothing has disturbed it.
    """

    world: PhysicsFrame
    undisturbed: PhysicsFrame

    @property
    def is_calm(self) -> bool:
        """Whether nothing can differ between the two."""
        return self.world is self.undisturbed


class LeakyNetwork(Network, Protocol):
    """A network whose pipes can leak."""

    def leak_outflow(self, element: str, /) -> float:
        """Return what the leak of an element discharges now, m3/h; 0 when it has none."""
        ...


class TwinNetwork(LeakyNetwork, Protocol):
    """A network that can come to the state of another one like it."""

    def take_state(self, other: Self, /) -> PhysicsFrame:
        """Come to the present state of another network that nothing has disturbed yet."""
        ...


class SplitNetwork(Network, Protocol):
    """A network that computes in a process of its own between two calls."""

    def begin(self, until_ms: int) -> None:
        """Start to advance to `until_ms`."""
        ...

    def finish(self) -> PhysicsFrame:
        """Wait for the state there and return it."""
        ...


class Hazard(Protocol):
    """One domain of the city under simulation.

    Each tick the world calls `begin` of all hazards, then `finish` of each: a hazard that
    computes in a process of its own does so between the two.
    """

    @property
    def domain(self) -> str:
        """`water`, `gas`, `flood` or `fire`."""
        ...

    @property
    def is_apart(self) -> bool:
        """Whether it computes in a process of its own, so that it is waited for last."""
        ...

    @property
    def network(self) -> Network:
        """The network as it is."""
        ...

    @property
    def states(self) -> States:
        """The newest states."""
        ...

    def begin(self, until_ms: int) -> None:
        """Start to advance to `until_ms`."""
        ...

    def finish(self, until_ms: int) -> States:
        """Be at `until_ms` and return the states there."""
        ...

    def apply(self, disturbance: Disturbance) -> None:
        """Disturb the network; InjectionError for what it does not know."""
        ...

    def schedule(self, plan: IncidentPlan) -> Schedule:
        """Return what an incident of this domain does, and when."""
        ...

    def severity(self, plan: IncidentPlan) -> Level:
        """Return how bad an incident is now."""
        ...

    def disturbances(self, act: Act, element: str) -> Sequence[Disturbance] | None:
        """Return what a crew's act on an element does; None when it cannot be done to it.

        An act without effect on the physics, such as a cordon, returns an empty sequence.
        """
        ...

    def undo(self, act: Act, element: str) -> Sequence[Disturbance]:
        """Return what ends with a crew's leaving, such as its ventilation."""
        ...

    def harm(self) -> Places:
        """Return where there is harm now that there would not be undisturbed."""
        ...

    def observe(self, time_ms: int, truth: TruthKeeper) -> None:
        """Tell the truth about what emerges by itself, such as ponding."""
        ...

    def blocked(self) -> Places:
        """Return where nobody can drive now."""
        ...

    def is_dry(self, element: str) -> bool:
        """Return whether no water stands at an element now."""
        ...

    def close(self) -> None:
        """Free the engines."""
        ...


Hazards = Mapping[str, Hazard]
"""Domain → hazard, of the domains the city has."""
