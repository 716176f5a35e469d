"""The world: one SimPy clock that drives hazards, incidents, devices and crews, tick by tick."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import simpy
from numpy.typing import NDArray

from sensors.city import City
from sensors.field import (
    Act,
    Actuation,
    ClockTick,
    Feedback,
    HotlineReport,
    WorkOrder,
)
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.registry import Registry
from simulator.crews import Crews, CrewTimes
from simulator.crews.roads import Roads
from simulator.errors import InjectionError
from simulator.fleet import Fleet, FleetTick
from simulator.hazards.base import Hazards
from simulator.hazards.elements import Elements
from simulator.hazards.table import HazardTable
from simulator.hotline import Hotline
from simulator.incidents.flood import storm_end_ms, storm_level
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import IncidentPlan
from simulator.incidents.truth import Comparison, TruthKeeper
from simulator.physics.base import PhysicsFrame
from simulator.physics.flood.storm import Storm
from simulator.recorder import Recorder
from simulator.sites import DeviceSites, fault_incidents, scenes_of
from simulator.wire import WorldWire


@dataclass(frozen=True, slots=True)
class WorldClock:
    """When the world begins and ends and how long a tick is, event time in milliseconds."""

    start_ms: int
    end_ms: int
    tick_ms: int


@dataclass(frozen=True, slots=True)
class Weather:
    """The sky over the city: wind, and the storms whose rain the drains get."""

    wind_m_s: float = 0.0
    storms: tuple[Storm, ...] = ()


@dataclass
class WorldTotals:
    """What the world did so far, for the run summary.

    `readings` are those the gateways published, declared lost ones included; `dropped_readings`
    never reached their gateway and are not among them. `balances` holds, by domain, the sums of
    the conserved quantities of its frames (m3 of water, Nm3 of gas); of an `imbalance`, which is
    a share, the worst value. `inflow_m3` and `imbalance_m3` are those
    of the water network.
    """

    readings: int = 0
    lost_readings: int = 0
    dropped_readings: int = 0
    frames: int = 0
    lost_frames: int = 0
    duplicate_frames: int = 0
    calls: int = 0
    inflow_m3: float = 0.0
    imbalance_m3: float = 0.0
    balances: dict[str, dict[str, float]] = field(default_factory=dict)

    def add_fleet(self, produced: FleetTick) -> None:
        """Count what the fleet sent in a tick."""
        self.frames += len(produced.frames) - produced.duplicates + produced.lost_frames
        self.readings += produced.readings + produced.lost_readings
        self.lost_frames += produced.lost_frames
        self.lost_readings += produced.lost_readings
        self.dropped_readings += produced.dropped_readings
        self.duplicate_frames += produced.duplicates

    def add_balance(self, domain: str, balance: Mapping[str, float]) -> None:
        """Add the conserved quantities of one step of a domain."""
        sums = self.balances.setdefault(domain, {})
        for name, amount in balance.items():
            is_worst = name == "imbalance"
            before = sums.get(name, 0.0)
            sums[name] = max(before, abs(amount)) if is_worst else before + amount
        if domain == "water":
            self.inflow_m3 += balance["inflow"]
            self.imbalance_m3 += balance["inflow"] - (
                balance["consumption"] + balance["leakage"] + balance["storage"]
            )


class World:
    """A city under simulation.

    The networks are solved one frame ahead: what happens within a tick acts from that tick's
    end frame on, and devices see the straight line between two frames.
    """

    def __init__(
        self,
        city: City,
        registry: Registry,
        clock: WorldClock,
        *,
        hazards: Hazards,
        fleet: Fleet,
        wire: WorldWire,
        elements: Elements | None = None,
        recorder: Recorder | None = None,
        crew_times: CrewTimes | None = None,
        hotline: Hotline | None = None,
        weather: Weather | None = None,
        seed: int = 1,
    ) -> None:
        """Bring everything to the start of the clock.

        Args:
            city: Elements, streets and teams.
            registry: Devices; each must watch a network of `hazards`.
            clock: When the world begins and ends.
            hazards: Domain → hazard, standing at the start of the clock.
            fleet: The devices.
            wire: Where everything is published.
            elements: The city's, when they are made already.
            recorder: Where everything is kept; None for nowhere.
            crew_times: How long crews take.
            hotline: Citizens who call; None for a city without a hotline.
            weather: Wind and storms. The drains have been given the same storms.
            seed: Seed of the crews.
        """
        self.city, self.registry, self.clock = city, registry, clock
        self.now_ms, self.tick_number = clock.start_ms, 0
        self.totals, self.truth = WorldTotals(), TruthKeeper(registry)
        weather = weather or Weather()
        self.table = HazardTable(hazards, elements or Elements(city), weather.wind_m_s)
        self._fleet, self._wire, self._recorder, self._hotline = fleet, wire, recorder, hotline
        self._env = simpy.Environment(initial_time=clock.start_ms)
        self._crews = Crews(
            self._env, city.teams(), crew_times or CrewTimes(), self, seed, Roads.of_city(city)
        )
        self._plans: dict[str, IncidentPlan] = {}
        self._outbox: list[Feedback] = []
        self._closed: dict[str, tuple[float, float]] = {}
        self._sites = DeviceSites(registry, self.table.networks)
        self._true = self._sites.values(self._frames())
        self._faults = fault_incidents(fleet.fault_truth(), registry)
        self._env.process(self._fail())
        for storm in weather.storms:
            self._env.process(self._rain(storm))

    @property
    def is_over(self) -> bool:
        """Whether the last tick has been published."""
        return self.now_ms >= self.clock.end_ms

    @property
    def true_values(self) -> NDArray[np.float64]:
        """True value at each device now, registry order, NaN where there is none."""
        return self._true

    def gap(self) -> NDArray[np.float64]:
        """Return the difference from the undisturbed state at each device, no value being 0."""
        return self._sites.gap(self._true, self.table.states)

    def inject(self, plan: IncidentPlan) -> None:
        """Let an incident happen, now or at its later onset.

        Raises:
            InjectionError: its element, kind or id cannot be used; the message says why.
        """
        told = {*self._plans, *self.truth.incidents, *(decoy.id for _, decoy in self._faults)}
        if plan.id in told:
            raise InjectionError(f"incident id {plan.id!r} is taken; choose another")
        if not self.now_ms <= plan.onset_ms < self.clock.end_ms:
            raise InjectionError(
                f"incident {plan.id}: onset {plan.onset_ms} ms lies "
                f"{'in the past' if plan.onset_ms < self.now_ms else 'after the end of the run'}; "
                f"use {self.now_ms} or later, before {self.clock.end_ms}"
            )
        self.table.check(plan)
        self._check_free(plan)
        self._plans[plan.id] = plan
        self._env.process(self._happen(plan))

    def take_orders(self, orders: list[WorkOrder]) -> None:
        """Give the platform's orders to the crews."""
        for order in orders:
            self._crews.take(order)

    def advance(self) -> ClockTick:
        """Simulate one tick, publish and record it, and return its clock message."""
        start_ms, end_ms = self.now_ms, self.now_ms + self.clock.tick_ms
        self._env.run(until=end_ms)
        frames = self.table.step(end_ms)
        true_end = self._sites.values(frames)
        produced = self._fleet.tick(start_ms, end_ms, self._true, true_end)
        self._true = true_end
        self._observe(end_ms)
        self.now_ms, self.tick_number = end_ms, self.tick_number + 1
        calls = self._calls(start_ms, end_ms)
        truths, feedback = self.truth.take_changed(), self._take_feedback()
        if self._recorder is not None:
            self._recorder.tick(end_ms, produced.frames, truths, feedback, calls)
        self.totals.add_fleet(produced)
        self.totals.calls += len(calls)
        for domain, frame in frames.items():
            self.totals.add_balance(domain, frame.balance)
        return self._wire.publish_tick(
            self.tick_number,
            end_ms,
            produced.frames,
            statuses=produced.statuses,
            feedback=feedback,
            truths=truths,
            calls=calls,
            is_final=self.is_over,
        )

    def close(self) -> None:
        """Free the engines."""
        self.table.close()

    def true_incidents(self) -> tuple[TrueIncident, ...]:
        """Return the newest version of everything that really happened, by id."""
        return tuple(self.truth.incidents[key] for key in sorted(self.truth.incidents))

    # What crews may see and do (simulator.crews.Site).

    def place_of(self, element: str) -> tuple[float, float] | None:
        """Return the middle of an element, or the place of a device, metres; None for neither."""
        found = self.table.elements.place_of(element)
        number = self.registry.number.get(element)
        if found is not None or number is None:
            return found
        device = self.registry.device(number)
        return device.x_m, device.y_m

    def find(self, element: str) -> str | None:
        """Return what a crew looking at `element` sees: damage on it, or on what is near it."""
        elements = self.table.elements
        damage = self.truth.damage_on([element, *elements.touching(element)])
        found = elements.get(element)
        if damage is None and found is not None:
            within_m = truth_limits().search_m.get(found.domain, 0.0)
            if within_m > 0:
                damage = self.truth.damage_near(found.domain, found.x_m, found.y_m, within_m)
        return None if damage is None else damage.element

    def subjects(self, act: Act, order: WorkOrder) -> Sequence[str]:
        """Return those of an order's targets on which an act can be done, in their order."""
        targets: Sequence[str] = order.targets
        if act is Act.CLEAR_INLET:  # who clears an inlet sees a blocked drain near it
            seen = [item for item in map(self.find, targets) if item is not None]
            targets = list(dict.fromkeys([*seen, *targets]))
        return self.table.subjects(act, targets, order.domain)

    def act(self, actuation: Actuation) -> None:
        """Carry out a crew's act on the network; InjectionError when the element has no such."""
        act, element = actuation.act, actuation.element
        damage = self.truth.damage_on([element])
        is_done = self.table.act(act, element, damage)
        place = self.place_of(element)
        if act is Act.CLOSE_ROAD and place is not None:
            self._closed[element] = place
        elif act is Act.REOPEN:
            self._closed.pop(element, None)
        elif act is Act.CORDON and damage is not None:
            self.truth.note(damage.id, f"cordoned by {actuation.actor} at {actuation.time_ms}")
        if is_done:
            self.truth.crew_did(act, element, actuation.time_ms)

    def leave(self, actuation: Actuation) -> None:
        """End what a crew takes away with it."""
        self.table.undo(actuation.act, actuation.element)

    def mend(self, device: str, time_ms: int) -> int:
        """End the faults of a device or gateway that act now; return how many there were."""
        ended = self._fleet.mend(device, time_ms)
        for place, (fault, decoy) in enumerate(self._faults):
            if fault.target == device and fault.start_ms <= time_ms < fault.end_ms:
                mended = replace(decoy, end_ms=time_ms, repaired_ms=time_ms)
                self._faults[place] = (replace(fault, end_ms=time_ms), mended)
                self.truth.add(mended)
        return ended

    def is_dry(self, element: str) -> bool:
        """Return whether no water stands at an element, so that it can be reopened."""
        return self.table.is_dry(element)

    def blocked(self) -> NDArray[np.float64]:
        """Return where nobody can drive now: deep water and roads that crews have closed."""
        closed = np.array(sorted(self._closed.values())).reshape(-1, 2)
        return np.concatenate([self.table.blocked(), closed])

    def report(self, feedback: Feedback) -> None:
        """Send a crew's feedback with the tick in which it was given."""
        self._outbox.append(feedback)

    # Inside.

    def _frames(self) -> Mapping[str, PhysicsFrame]:
        return {domain: states.world for domain, states in self.table.states.items()}

    def _check_free(self, plan: IncidentPlan) -> None:
        for other in self._plans.values():
            truth = self.truth.incidents.get(other.id)
            is_past = truth is not None and truth.repaired_ms is not None
            is_same = self.table.elements.is_same(plan, other)
            if not is_past and is_same and plan.overlaps(other):
                raise InjectionError(
                    f"incident {plan.id}: {other.id} strikes {plan.element!r} at that time; "
                    "choose another element or time, or give the earlier one a duration"
                )

    def _begin(self, plan: IncidentPlan, place: tuple[str, str, float, float], note: str) -> None:
        if not self.truth.is_watching:
            self.truth.remember(self.gap())
        self.truth.begin(plan, *place, note)

    def _happen(self, plan: IncidentPlan) -> simpy.events.ProcessGenerator:
        yield self._env.timeout(plan.onset_ms - int(self._env.now))
        element = self.table.elements.of_plan(plan)
        domain = self.table.domain_of(plan)
        self._begin(plan, (domain, element.area, element.x_m, element.y_m), "")
        for after_ms, step_domain, disturbance in self.table.schedule(plan):
            due_ms = plan.onset_ms + after_ms
            yield self._env.timeout(max(0, due_ms - int(self._env.now)))
            if self.truth.incidents[plan.id].end_ms is not None:
                return
            self.table.happen(plan, step_domain, disturbance)
        if plan.duration_ms is not None:
            rest_ms = plan.onset_ms + plan.duration_ms - int(self._env.now)
            yield self._env.timeout(max(0, rest_ms))
            self.truth.repaired(plan.id, int(self._env.now))

    def _fail(self) -> simpy.events.ProcessGenerator:
        """Tell of each device fault when it begins; the list is in that order."""
        for place, (fault, _) in enumerate(self._faults):
            yield self._env.timeout(max(0, fault.start_ms - int(self._env.now)))
            self.truth.add(self._faults[place][1])

    def _rain(self, storm: Storm) -> simpy.events.ProcessGenerator:
        start_ms, end_ms = max(storm.start_ms, self.clock.start_ms), storm_end_ms(storm)
        yield self._env.timeout(start_ms - int(self._env.now))
        plan = IncidentPlan(storm.id, TrueKind.STORM, "", start_ms)
        self._begin(plan, ("flood", "", storm.x_m, storm.y_m), storm.note)
        self.truth.grade(storm.id, storm_level(storm))
        yield self._env.timeout(max(0, end_ms - int(self._env.now)))
        self.truth.repaired(storm.id, int(self._env.now))

    def _observe(self, end_ms: int) -> None:
        self.table.observe(end_ms, self.truth)
        if self.truth.is_watching:
            self.truth.compare(Comparison(end_ms, self.gap(), self.table.harm()))
        for truth in self.truth.active():
            plan = self._plans.get(truth.id)
            if plan is not None and truth.end_ms is None:
                self.truth.grade(plan.id, self.table.severity(plan))

    def _calls(self, start_ms: int, end_ms: int) -> Sequence[HotlineReport]:
        if self._hotline is None:
            return ()
        scenes = scenes_of(self.truth.active(), self._hotline.people_within)
        return self._hotline.calls(start_ms, end_ms, scenes)

    def _take_feedback(self) -> tuple[Feedback, ...]:
        feedback = tuple(self._outbox)
        self._outbox.clear()
        return feedback
