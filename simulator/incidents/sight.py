"""Which devices can tell of which incident: the nearest acting one within reach owns a device."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.ground_truth import TrueIncident
from sensors.registry import Registry
from simulator.incidents.limits import Sight
from simulator.incidents.plan import CAUSES

_NOBODY = -1
_FAR_M = 1e9
"""Added to distances of incidents without a limit, so that one with a limit goes first."""
_CAUSE_M = 1e12
"""Added to distances of causes, so that the hazard they bring about goes first."""
_DECOY_M = 25.0
"""Added to distances of decoys, so that a hazard at the same place goes first: of two pumps of one
house the one that tripped, not the one that is out for service."""


@dataclass(slots=True)
class View:
    """What one incident has shown so far, columns over the devices that may tell of it.

    Attributes:
        number: Registry numbers of those devices.
        distance_m: How far away they are, plus `_FAR_M` for kinds without a limit, `_CAUSE_M`
            for causes and `_DECOY_M` for decoys.
        before: Gap between the world and the undisturbed state when the incident began.
        is_seen: Whether the device has been able to tell.
    """

    number: NDArray[np.intp]
    distance_m: NDArray[np.float64]
    before: NDArray[np.float64]
    is_seen: NDArray[np.bool_]


class Watch:
    """The views of all acting incidents, and which incident owns each device.

    With several incidents at once a device is credited to the nearest one that is acting, the
    earliest of equals. Costs nothing while nothing acts; a beginning or end costs one pass
    over the devices, a tick one pass over those that may tell.
    """

    def __init__(self, registry: Registry, sights: Mapping[str, Sight], sigmas: float) -> None:
        self._sights = sights
        self._limit = sigmas * registry.numbers("accuracy")
        self._x_m, self._y_m = registry.numbers("x_m"), registry.numbers("y_m")
        domains = np.array(registry.texts("domain"))
        self._of_domain = {name: np.flatnonzero(domains == name) for name in set(domains.tolist())}
        self._owner = np.full(len(registry), _NOBODY, dtype=np.int64)
        self._owner_m = np.full(len(registry), np.inf)
        self._views: dict[int, View] = {}
        self._serial: dict[str, int] = {}
        self._next = 0

    def begin(self, truth: TrueIncident, gap: NDArray[np.float64] | None) -> None:
        """Watch for an incident; `gap` (one a device) is what was there before it, None: 0."""
        sight = self._sights[truth.kind]
        none = np.empty(0, dtype=np.intp)
        number = np.sort(
            np.concatenate([self._of_domain.get(d, none) for d in sight.domains] or [none])
        )
        distance_m = np.hypot(self._x_m[number] - truth.x_m, self._y_m[number] - truth.y_m)
        if np.isfinite(sight.limit_m):
            is_near = distance_m <= sight.limit_m
            number, distance_m = number[is_near], distance_m[is_near]
        else:
            distance_m = distance_m + _FAR_M
        if truth.kind in CAUSES:
            distance_m = distance_m + _CAUSE_M
        elif not truth.is_hazard:
            distance_m = distance_m + _DECOY_M
        before = np.zeros(len(number)) if gap is None else gap[number]
        view = View(number, distance_m, before, np.zeros(len(number), dtype=bool))
        self._serial[truth.id], self._views[self._next] = self._next, view
        self._claim(self._next, view)
        self._next += 1

    def end(self, incident: str) -> None:
        """Watch for an incident no more; its devices go to the next nearest."""
        serial = self._serial.pop(incident, None)
        if serial is None:
            return
        number = self._views.pop(serial).number
        mine = number[self._owner[number] == serial]
        self._owner[mine], self._owner_m[mine] = _NOBODY, np.inf
        for other, view in self._views.items():
            self._claim(other, view)

    def fresh(self, incident: str, gap: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the devices that can tell of an incident from now on, ascending numbers."""
        serial = self._serial[incident]
        view = self._views[serial]
        here, limit = gap[view.number], self._limit[view.number]
        is_fresh = (np.abs(here) > limit) & (np.abs(here - view.before) > limit) & ~view.is_seen
        is_fresh &= self._owner[view.number] == serial
        view.is_seen |= is_fresh
        return view.number[is_fresh]

    def _claim(self, serial: int, view: View) -> None:
        is_closer = view.distance_m < self._owner_m[view.number]
        mine = view.number[is_closer]
        self._owner[mine], self._owner_m[mine] = serial, view.distance_m[is_closer]
