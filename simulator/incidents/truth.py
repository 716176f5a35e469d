"""The keeper of the truth: onset, first detectable moments, harm and end of each incident.

What an incident does is known by comparing the world with a *twin*: the same network and the
same demand without incidents and without crews. A device can tell from the first moment its
true value differs from the twin's by more than twice its noise. What lingers of an earlier
incident, such as tanks still filling, is not put down to a later one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensors.field import Act
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.registry import Registry
from simulator.incidents.plan import LEAKS, IncidentPlan

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
        harm_x_m: Eastings of the nodes below service pressure in the world and not in the twin.
        harm_y_m: Their northings.
    """

    time_ms: int
    device_true: NDArray[np.float64]
    device_twin: NDArray[np.float64]
    harm_x_m: NDArray[np.float64]
    harm_y_m: NDArray[np.float64]


class TruthKeeper:
    """Keeps the newest version of every `TrueIncident` and hands out what changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._limit = DETECTABLE_SIGMAS * registry.numbers("accuracy")
        self._x_m, self._y_m = registry.numbers("x_m"), registry.numbers("y_m")
        self._gap = np.zeros(len(registry))
        self._gap_before: dict[str, NDArray[np.float64]] = {}
        self._seen: dict[str, NDArray[np.bool_]] = {}
        self._shut: set[str] = set()
        self._mended: set[str] = set()
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
        self._gap_before[truth.id] = self._gap
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

        With several incidents at once a device is credited to the nearest one that is acting,
        and harm to the nearest hazard.
        """
        actual = np.nan_to_num(comparison.device_true)
        self._gap = actual - np.nan_to_num(comparison.device_twin)
        truths = list(self._active.values())
        if not truths:
            return
        moved = np.abs(self._gap) > self._limit
        owner = _nearest(truths, self._x_m, self._y_m)
        for place, truth in enumerate(truths):
            by_itself = np.abs(self._gap - self._gap_before[truth.id]) > self._limit
            fresh = moved & by_itself & (owner == place) & ~self._seen[truth.id]
            if fresh.any():
                self._seen[truth.id] |= fresh
                found = {self._registry.ids[int(n)]: comparison.time_ms for n in fresh.nonzero()[0]}
                self._put(replace(truth, detectable_ms={**truth.detectable_ms, **found}))
        self._note_harm(comparison)

    def _note_harm(self, comparison: Comparison) -> None:
        hazards = [truth for truth in self._active.values() if truth.is_hazard]
        if not hazards or len(comparison.harm_x_m) == 0:
            return
        owners = np.unique(_nearest(hazards, comparison.harm_x_m, comparison.harm_y_m))
        for place in owners.tolist():
            if hazards[place].harm_ms is None:
                self._put(replace(hazards[place], harm_ms=comparison.time_ms))

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

    def crew_did(self, act: Act, link: str, time_ms: int) -> None:
        """Record what a crew's act on a link means for the incidents on it.

        A leak ends when its pipe is shut or mended, and all is as before once both is undone
        and done; opened without being mended it runs again. A shut valve or a standing pump is
        as before once it is opened or restarted.
        """
        for truth in list(self._on_link(link)):
            if truth.kind in LEAKS:
                self._leak_changed(truth, act, time_ms)
            elif act is Act.RESTART_PUMP or (
                truth.kind is TrueKind.VALVE_CLOSURE and act in (Act.RESTORE, Act.OPEN_VALVE)
            ):
                self.repaired(truth.id, time_ms)

    def _leak_changed(self, truth: TrueIncident, act: Act, time_ms: int) -> None:
        if act is Act.ISOLATE:
            self._shut.add(truth.id)
        elif act is Act.REPAIR:
            self._mended.add(truth.id)
        elif act in (Act.RESTORE, Act.OPEN_VALVE):
            self._shut.discard(truth.id)
        is_shut, is_mended = truth.id in self._shut, truth.id in self._mended
        if is_mended and not is_shut:
            self.repaired(truth.id, time_ms)
        elif is_mended or is_shut:
            self.end(truth.id, time_ms)
        elif truth.end_ms is not None:
            self._put(replace(truth, end_ms=None))

    def damage_on(self, links: Sequence[str]) -> TrueIncident | None:
        """Return the first hazard that is not yet repaired on one of `links`, in their order."""
        found = (truth for link in links for truth in self._on_link(link) if truth.is_hazard)
        return next(found, None)

    def _on_link(self, link: str) -> Iterator[TrueIncident]:
        # A demand surge strikes a node, and a node may have the id of a link.
        for truth in self._active.values():
            if truth.element == link and truth.kind is not TrueKind.DEMAND_SURGE:
                yield truth

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


def _nearest(
    truths: Sequence[TrueIncident], x_m: NDArray[np.float64], y_m: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return for each place the position in `truths` of the nearest one, the first of equals."""
    distances = np.array([np.hypot(x_m - truth.x_m, y_m - truth.y_m) for truth in truths])
    nearest: NDArray[np.intp] = np.argmin(distances, axis=0)
    return nearest
