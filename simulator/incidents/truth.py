"""The keeper of the truth: onset, first detectable moments, harm and end of each incident.

What an incident does is known by comparing the world with the *undisturbed* state: the same
networks without incidents and without crews. A device can tell from the first moment its true
value differs by more than twice its noise. What lingers of an earlier incident, such as tanks
still filling, is not put down to a later one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sensors.field import Act
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.registry import Registry
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import CAUSES, GAS_LEAKS, LEAKS, IncidentPlan
from simulator.incidents.sight import Watch
from simulator.incidents.strikes import STRIKES

_ENDING: Mapping[TrueKind, frozenset[Act]] = {
    TrueKind.PUMP_TRIP: frozenset({Act.RESTART_PUMP}),
    TrueKind.PUMP_SWITCH: frozenset({Act.RESTART_PUMP}),
    TrueKind.VALVE_CLOSURE: frozenset({Act.RESTORE, Act.OPEN_VALVE}),
    TrueKind.DRAIN_PUMP_FAILURE: frozenset({Act.RESTART_PUMP, Act.START_PUMP}),
    TrueKind.DRAIN_BLOCKAGE: frozenset({Act.CLEAR_INLET, Act.REPAIR}),
    TrueKind.GATE_CLOSURE: frozenset({Act.OPEN_VALVE, Act.RESTORE}),
    TrueKind.FIRE_TANK_EMPTY: frozenset({Act.REPAIR}),
}
"""Kind → acts on its element after which all is as before; leaks have a course of their own."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """World against the undisturbed state at one moment.

    Attributes:
        time_ms: Event time.
        gap: Difference of the true value at each device, no value counting as 0.
        harm: Domain → places (n, 2), metres, where there is harm only in the world.
    """

    time_ms: int
    gap: NDArray[np.float64]
    harm: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


class TruthKeeper:
    """Keeps the newest version of every `TrueIncident` and hands out what changed."""

    def __init__(self, registry: Registry) -> None:
        limits = truth_limits()
        self._registry = registry
        self._watch = Watch(
            registry,
            {str(kind): sight for kind, sight in limits.sight.items()},
            limits.detectable_sigmas,
        )
        self._gap = np.zeros(len(registry))
        self._shut: set[str] = set()
        self._mended: set[str] = set()
        self._hidden: set[str] = set()
        self._active: dict[str, TrueIncident] = {}
        self._changed: dict[str, TrueIncident] = {}
        self.incidents: dict[str, TrueIncident] = {}

    @property
    def is_watching(self) -> bool:
        """Whether anything acts or lingers, so that comparing can find something."""
        return bool(self._active)

    def active(self) -> Sequence[TrueIncident]:
        """Return what is not yet repaired, in the order of its beginning, hidden ones left out."""
        return [item for item in self._active.values() if item.id not in self._hidden]

    def remember(self, gap: NDArray[np.float64]) -> None:
        """Take the gap before something begins, when the tick before was not compared."""
        self._gap = gap

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
        self._watch.begin(truth, self._gap)
        self._active[truth.id] = truth
        self._put(truth)

    def emerge(self, truth: TrueIncident) -> None:
        """Watch something that began by itself; it is not told before `reveal`."""
        self._hidden.add(truth.id)
        self._watch.begin(truth, None)
        self._active[truth.id] = truth

    def reveal(self, incident: str, detail: str = "") -> None:
        """Tell of something that emerged: it has become a hazard."""
        self._hidden.discard(incident)
        self._put(replace(self._active[incident], detail=detail))

    def drop(self, incident: str) -> None:
        """Forget something that emerged and never became a hazard."""
        self._hidden.discard(incident)
        self._active.pop(incident, None)
        self._watch.end(incident)

    def add(self, truth: TrueIncident) -> None:
        """Record something that is known whole, such as a device fault."""
        self._put(truth)

    def grade(self, incident: str, level: Level) -> None:
        """Set the true level; it is only ever raised."""
        truth = self.incidents[incident]
        if level.is_worse_than(truth.level):
            self._put(replace(truth, level=level))

    def harmed(self, incident: str, time_ms: int) -> None:
        """Record the beginning of harm; a later one is ignored."""
        truth = self.incidents[incident]
        if truth.harm_ms is None:
            self._put(replace(truth, harm_ms=time_ms))

    def note(self, incident: str, words: str) -> None:
        """Add words to the detail of an incident; a decoy or one not told of yet has none."""
        truth = self.incidents.get(incident)
        if truth is None:
            return
        self._put(replace(truth, detail=f"{truth.detail}; {words}" if truth.detail else words))

    def compare(self, comparison: Comparison) -> None:
        """Find devices that became able to tell, and the beginning of harm.

        With several incidents at once a device is credited to the nearest one that is acting,
        and harm to the nearest hazard of its domain.
        """
        self._gap = comparison.gap
        for truth in list(self._active.values()):
            fresh = self._watch.fresh(truth.id, self._gap)
            if len(fresh):
                found = {self._registry.ids[n]: comparison.time_ms for n in fresh.tolist()}
                self._put(replace(truth, detectable_ms={**truth.detectable_ms, **found}))
        for domain, places in comparison.harm.items():
            if len(places):
                self._note_harm(comparison.time_ms, domain, places)

    def _note_harm(self, time_ms: int, domain: str, places: NDArray[np.float64]) -> None:
        hazards = [item for item in self.active() if item.is_hazard and item.domain == domain]
        if not hazards:
            return
        for place in np.unique(_nearest(hazards, places[:, 0], places[:, 1])).tolist():
            self.harmed(hazards[place].id, time_ms)

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
        self._watch.end(incident)

    def crew_did(self, act: Act, element: str, time_ms: int) -> None:
        """Record what a crew's act on an element means for the incidents on it.

        A leak ends when its pipe is shut or mended, and all is as before once both is undone
        and done; opened without being mended it runs again. A shut valve or a standing pump is
        as before once it is opened or restarted.
        """
        for truth in list(self._on_element(element)):
            if truth.kind in LEAKS or truth.kind in GAS_LEAKS:
                self._leak_changed(truth, act, time_ms)
            elif act in _ENDING.get(truth.kind, frozenset()):
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

    def damage_on(self, elements: Iterable[str]) -> TrueIncident | None:
        """Return the first damage that is not yet repaired on one of `elements`, in their order."""
        found = (truth for item in elements for truth in self._on_element(item) if _is_seen(truth))
        return next(found, None)

    def damage_near(
        self, domain: str, x_m: float, y_m: float, within_m: float
    ) -> TrueIncident | None:
        """Return the nearest damage of a domain that is not yet repaired, None beyond a limit.

        What emerges is no damage: water on a road is seen, but nothing there is broken.
        """
        found = [
            (float(np.hypot(truth.x_m - x_m, truth.y_m - y_m)), truth)
            for truth in self.active()
            if truth.domain == domain and truth.kind in STRIKES and _is_seen(truth)
        ]
        distance_m, truth = min(found, key=lambda item: item[0], default=(np.inf, None))
        return truth if distance_m <= within_m else None

    def _on_element(self, element: str) -> Iterator[TrueIncident]:
        # A demand surge strikes a node, and a node may have the id of a link.
        for truth in self._active.values():
            if truth.element == element and truth.kind is not TrueKind.DEMAND_SURGE:
                yield truth

    def take_changed(self) -> tuple[TrueIncident, ...]:
        """Return the newest version of each incident changed since the last call, by id."""
        changed = tuple(self._changed[key] for key in sorted(self._changed))
        self._changed.clear()
        return changed

    def _put(self, truth: TrueIncident) -> None:
        if truth.id in self._active:
            self._active[truth.id] = truth
        if truth.id not in self._hidden:
            self.incidents[truth.id] = truth
            self._changed[truth.id] = truth


def _is_seen(truth: TrueIncident) -> bool:
    return truth.is_hazard or truth.kind in CAUSES


def _nearest(
    truths: Sequence[TrueIncident], x_m: NDArray[np.float64], y_m: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return for each place the position in `truths` of the nearest one, the first of equals."""
    distances = np.array([np.hypot(x_m - truth.x_m, y_m - truth.y_m) for truth in truths])
    nearest: NDArray[np.intp] = np.argmin(distances, axis=0)
    return nearest
