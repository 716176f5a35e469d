"""The keeper of the truth: onset, first detectable moments, harm and end of each incident.

What an incident does is known by comparing the world with a *twin*: the same network and the
same demand without incidents and without crews. A device can tell from the first moment its
true value differs from the twin's by more than twice its noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensors.ground_truth import TrueIncident
from sensors.levels import Level
from sensors.registry import Registry
from simulator.incidents.plan import IncidentPlan

DETECTABLE_SIGMAS = 2.0
"""A change counts as detectable beyond this many standard deviations of the device's noise."""

SERVICE_MPA = 0.14
"""Service pressure at the end of the network; below it there is harm (domain/README §2.5)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """World against twin at one moment.

    Attributes:
        time_ms: Event time.
        device_true: True value at each device in the world.
        device_twin: The same in the twin.
        has_harm: Whether customers are below service pressure in the world and not in the twin.
    """

    time_ms: int
    device_true: NDArray[np.float64]
    device_twin: NDArray[np.float64]
    has_harm: bool


class TruthKeeper:
    """Keeps the newest version of every `TrueIncident` and hands out what changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._limit = DETECTABLE_SIGMAS * registry.numbers("accuracy")
        self._x_m, self._y_m = registry.numbers("x_m"), registry.numbers("y_m")
        self._seen: dict[str, NDArray[np.bool_]] = {}
        self._active: dict[str, TrueIncident] = {}
        self._changed: dict[str, TrueIncident] = {}
        self.incidents: dict[str, TrueIncident] = {}

    def begin(
        self, plan: IncidentPlan, domain: str, area: str, x_m: float, y_m: float, detail: str = ""
    ) -> None:
        """Record the onset of an incident."""
        truth = TrueIncident(
            id=plan.id,
            kind=plan.kind,
            is_hazard=plan.is_hazard,
            domain=domain,
            area=area,
            element=plan.element,
            x_m=x_m,
            y_m=y_m,
            level=Level.BLUE,
            onset_ms=plan.onset_ms,
            detectable_ms={},
            detail=detail,
        )
        self._seen[truth.id] = np.zeros(len(self._registry), dtype=bool)
        self._active[truth.id] = truth
        self._put(truth)

    def add(self, truth: TrueIncident) -> None:
        """Record something that is known whole, such as a device fault."""
        self._put(truth)

    def grade(self, incident: str, level: Level) -> None:
        """Set the true level; it is only ever raised."""
        truth = self.incidents[incident]
        if level.is_worse_than(truth.level):
            self._put(replace(truth, level=level))

    def compare(self, comparison: Comparison) -> None:
        """Find devices that became able to tell, and the beginning of harm.

        With several incidents at once a device is credited to the nearest one that is acting.
        """
        if not self._active:
            return
        actual = np.nan_to_num(comparison.device_true)
        moved = np.abs(actual - np.nan_to_num(comparison.device_twin)) > self._limit
        owner = self._nearest(list(self._active.values()))
        for place, truth in enumerate(list(self._active.values())):
            fresh = moved & (owner == place) & ~self._seen[truth.id]
            newest = truth
            if fresh.any():
                self._seen[truth.id] |= fresh
                found = {self._registry.ids[int(n)]: comparison.time_ms for n in fresh.nonzero()[0]}
                newest = replace(newest, detectable_ms={**newest.detectable_ms, **found})
            if comparison.has_harm and newest.harm_ms is None and newest.is_hazard:
                newest = replace(newest, harm_ms=comparison.time_ms)
            if newest is not truth:
                self._put(newest)

    def end(self, incident: str, time_ms: int) -> None:
        """Record that an incident no longer acts (isolated, or over by itself)."""
        truth = self.incidents[incident]
        if truth.end_ms is None:
            self._put(replace(truth, end_ms=time_ms))

    def repaired(self, incident: str, time_ms: int) -> None:
        """Record that all is as before; the incident no longer explains differences."""
        truth = self.incidents[incident]
        end_ms = time_ms if truth.end_ms is None else truth.end_ms
        self._put(replace(truth, end_ms=end_ms, repaired_ms=time_ms))
        self._active.pop(incident, None)

    def acting_on(self, elements: Sequence[str]) -> str | None:
        """Return the id of an incident that is not yet repaired on one of `elements`."""
        for element in elements:
            for truth in self._active.values():
                if truth.element == element:
                    return truth.id
        return None

    def take_changed(self) -> tuple[TrueIncident, ...]:
        """Return the newest version of each incident changed since the last call, by id."""
        changed = tuple(self._changed[key] for key in sorted(self._changed))
        self._changed.clear()
        return changed

    def _put(self, truth: TrueIncident) -> None:
        self.incidents[truth.id] = truth
        self._changed[truth.id] = truth
        if truth.id in self._active:
            self._active[truth.id] = truth

    def _nearest(self, truths: Sequence[TrueIncident]) -> NDArray[np.intp]:
        distances = np.array(
            [np.hypot(self._x_m - truth.x_m, self._y_m - truth.y_m) for truth in truths]
        )
        nearest: NDArray[np.intp] = np.argmin(distances, axis=0)
        return nearest
