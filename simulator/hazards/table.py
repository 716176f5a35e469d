"""All hazards of a city as one: stepped together, struck by incidents, mended by crews."""

from collections.abc import Mapping, Sequence

import numpy as np

from sensors.field import Act
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from simulator.errors import InjectionError
from simulator.hazards.base import NOWHERE, Hazards, Places, States
from simulator.hazards.couplings import COUPLINGS, Coupling
from simulator.hazards.elements import Element, Elements
from simulator.incidents.plan import GAS_LEAKS, LEAKS, IncidentPlan
from simulator.incidents.strikes import STRIKES
from simulator.incidents.truth import TruthKeeper
from simulator.physics.base import Disturbance, PhysicsFrame

DomainSchedule = list[tuple[int, str, Disturbance]]
"""(milliseconds after the onset, domain, disturbance), in order."""

_STARTS_PUMPS = frozenset({Act.RESTART_PUMP, Act.START_PUMP})


class HazardTable:
    """The hazards of a city by domain.

    The table knows what several domains share: power, couplings and whose an element is. All
    else it asks the domain.
    """

    def __init__(self, hazards: Hazards, elements: Elements, wind_m_s: float = 0.0) -> None:
        self.elements = elements
        self._hazards = dict(sorted(hazards.items(), key=lambda item: (item[1].is_apart, item[0])))
        self._stopped: dict[str, set[str]] = {}
        self._powerless: dict[str, set[str]] = {}
        if wind_m_s and "gas" in hazards:
            hazards["gas"].apply(Disturbance("wind", "", wind_m_s))
        self._couplings: list[Coupling] = [
            carrier(hazards[source], hazards[target], elements, wind_m_s)
            for source, target, carrier in COUPLINGS
            if source in hazards and target in hazards
        ]

    @property
    def states(self) -> Mapping[str, States]:
        """Domain → its newest states."""
        return {domain: hazard.states for domain, hazard in self._hazards.items()}

    @property
    def networks(self) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Domain → node ids and link ids, in the order of the columns of its frames."""
        return {
            domain: (hazard.network.node_ids, hazard.network.link_ids)
            for domain, hazard in self._hazards.items()
        }

    def step(self, until_ms: int) -> Mapping[str, PhysicsFrame]:
        """Advance all to `until_ms` and return the frames of the world there."""
        for coupling in self._couplings:
            coupling.carry()
        for hazard in self._hazards.values():
            hazard.begin(until_ms)
        return {name: item.finish(until_ms).world for name, item in self._hazards.items()}

    def check(self, plan: IncidentPlan) -> None:
        """Raise InjectionError when an incident cannot be in this city."""
        strike = STRIKES.get(plan.kind)
        if strike is not None and strike.domain not in self._hazards:
            has = ", ".join(self._hazards) or "nothing"
            raise InjectionError(
                f"incident {plan.id}: {plan.kind.value} needs a {strike.domain} network, and this "
                f"city has {has}; choose another kind or a city with one"
            )
        self.elements.check(plan)

    def domain_of(self, plan: IncidentPlan) -> str:
        """Return the domain an incident belongs to; a power cut to that of its first pump."""
        strike = STRIKES.get(plan.kind)
        return self.elements.pumps_cut(plan)[0].domain if strike is None else strike.domain

    def schedule(self, plan: IncidentPlan) -> DomainSchedule:
        """Return what an incident does to which domain, and when."""
        if plan.kind is TrueKind.POWER_CUT:
            return self._power_cut(plan)
        domain = STRIKES[plan.kind].domain
        steps = self._hazards[domain].schedule(plan)
        return [(after_ms, domain, disturbance) for after_ms, disturbance in steps]

    def happen(self, plan: IncidentPlan, domain: str, disturbance: Disturbance) -> None:
        """Let one step of an incident act; a pump runs again when nothing else stops it."""
        pump = disturbance.element
        if disturbance.kind == "pump_off":
            self._stopped.setdefault(pump, set()).add(plan.id)
            if plan.kind is TrueKind.POWER_CUT:
                self._powerless.setdefault(pump, set()).add(plan.id)
        elif disturbance.kind == "pump_on":
            self._powerless.get(pump, set()).discard(plan.id)
            stopped = self._stopped.get(pump, set())
            stopped.discard(plan.id)
            if stopped:
                return
        self._hazards[domain].apply(disturbance)

    def severity(self, plan: IncidentPlan) -> Level:
        """Return how bad an incident is now."""
        strike = STRIKES.get(plan.kind)
        return Level.BLUE if strike is None else self._hazards[strike.domain].severity(plan)

    def subjects(self, act: Act, targets: Sequence[str], domain: str) -> list[str]:
        """Return those of an order's targets on which an act can be done, in their order."""
        hazard = self._hazards.get(domain)
        if hazard is None:
            return []
        found = [item for item in targets if self.elements.get(item) is not None]
        return [item for item in found if hazard.disturbances(act, item) is not None]

    def act(self, act: Act, element: str, damage: TrueIncident | None) -> bool:
        """Carry out a crew's act; return whether it was done to the element itself.

        A pump without power cannot be started; a crew then brings a mobile pump to it.

        Raises:
            InjectionError: the element is unknown, or nothing of the kind can be done to it.
        """
        found = self.elements.get(element)
        if found is None:
            raise InjectionError(f"there is no element {element!r}")
        hazard = self._hazards[found.domain]
        if act in _STARTS_PUMPS and self._powerless.get(element):
            return self._without_power(found)
        disturbances = hazard.disturbances(act, element)
        if disturbances is None:
            if found.domain == "water":
                return True  # acts without effect on water, such as an inspection
            raise InjectionError(f"{element} is a {found.kind}: nothing there to {act.value}")
        is_leak = damage is not None and damage.kind in LEAKS | GAS_LEAKS
        if act is not Act.REPAIR or damage is None or is_leak or found.domain != "water":
            for disturbance in disturbances:
                hazard.apply(disturbance)
        if act in _STARTS_PUMPS:
            self._stopped.pop(element, None)
        return True

    def undo(self, act: Act, element: str) -> None:
        """End what ends when a crew leaves."""
        found = self.elements.get(element)
        if found is not None:
            hazard = self._hazards[found.domain]
            for disturbance in hazard.undo(act, element):
                hazard.apply(disturbance)

    def harm(self) -> Mapping[str, Places]:
        """Return domain → where there is harm now."""
        return {domain: hazard.harm() for domain, hazard in self._hazards.items()}

    def observe(self, time_ms: int, truth: TruthKeeper) -> None:
        """Tell the truth about what emerges."""
        for hazard in self._hazards.values():
            hazard.observe(time_ms, truth)

    def blocked(self) -> Places:
        """Return where nobody can drive now."""
        return np.concatenate([NOWHERE, *(item.blocked() for item in self._hazards.values())])

    def is_dry(self, element: str) -> bool:
        """Return whether no water stands at an element now."""
        found = self.elements.get(element)
        return found is None or self._hazards[found.domain].is_dry(element)

    def close(self) -> None:
        """Free all engines."""
        for hazard in self._hazards.values():
            hazard.close()

    def _power_cut(self, plan: IncidentPlan) -> DomainSchedule:
        pumps = [pump for pump in self.elements.pumps_cut(plan) if pump.domain in self._hazards]
        cut = [(0, pump.domain, Disturbance("pump_off", pump.id)) for pump in pumps]
        if plan.duration_ms is None:
            return cut
        back = [(plan.duration_ms, pump.domain, Disturbance("pump_on", pump.id)) for pump in pumps]
        return cut + back

    def _without_power(self, pump: Element) -> bool:
        if pump.domain != "flood":
            raise InjectionError(f"pump {pump.id} has no power")
        hazard = self._hazards["flood"]
        for node in self.elements.ends_of(pump.id):
            for disturbance in hazard.disturbances(Act.START_PUMP, node) or ():
                hazard.apply(disturbance)
                return False
        raise InjectionError(f"pump {pump.id} has no power and no spot for a mobile pump")
