"""What all crew jobs share: the clock, the field, the roads and where each team stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy
from numpy.typing import NDArray

from sensors.city import Team
from sensors.field import Act, Actuation, Feedback, WorkOrder
from simulator.crews.roads import Roads


@dataclass(frozen=True, slots=True)
class CrewTimes:
    """How long the steps of a job take: medians in minutes, spread as 1 sigma lognormal.

    All are proposed. A blower stays at least `ventilate_min`; who is cut off by water, or waits
    for it to go, looks again after `wait_min`.
    """

    accept_min: float = 2.0
    inspect_min: float = 6.0
    isolate_min: float = 10.0
    repair_min: float = 120.0
    restore_min: float = 10.0
    spread: float = 0.15
    detour: float = 1.3
    cordon_min: float = 8.0
    ventilate_min: float = 30.0
    set_up_min: float = 10.0
    close_road_min: float = 5.0
    clear_min: float = 20.0
    wait_min: float = 10.0


class Site(Protocol):
    """What a crew can see and do in the field; the world implements it."""

    def place_of(self, element: str) -> tuple[float, float] | None:
        """Return where an element or a device is, metres; None when there is none."""
        ...

    def find(self, element: str) -> str | None:
        """Return the damaged element seen when looking at `element`: itself or a neighbour."""
        ...

    def subjects(self, act: Act, order: WorkOrder) -> Sequence[str]:
        """Return those of an order's targets on which an act can be done, in their order."""
        ...

    def act(self, actuation: Actuation) -> None:
        """Change the network; InjectionError when the element cannot be acted on so."""
        ...

    def leave(self, actuation: Actuation) -> None:
        """End what a crew takes away with it, such as its blower."""
        ...

    def mend(self, device: str, time_ms: int) -> int:
        """Mend a device or gateway; return how many faults were ended."""
        ...

    def is_dry(self, element: str) -> bool:
        """Return whether no water stands at an element, so that it can be reopened."""
        ...

    def blocked(self) -> NDArray[np.float64]:
        """Return where nobody can drive now, (places, 2), metres."""
        ...

    def report(self, feedback: Feedback) -> None:
        """Send feedback to the platform."""
        ...


@dataclass(frozen=True, slots=True)
class Yard:
    """What all jobs share."""

    env: simpy.Environment
    site: Site
    times: CrewTimes
    seed: int
    teams: Mapping[str, Team]
    roads: Roads | None
    """Streets to drive on; None: straight lines, longer by `CrewTimes.detour`."""
    place: dict[str, tuple[float, float]]
    turns: Mapping[str, simpy.Resource]
    newest: dict[tuple[str, str], str]
    """(incident, team) → newest order; an older one stops when it is not there yet."""
    replaced: dict[str, simpy.Event]
    """Order → what happens when a newer one comes."""
