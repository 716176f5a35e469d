"""The world: one SimPy clock that drives physics, incidents, devices and crews, tick by tick."""

from dataclasses import dataclass

import numpy as np
import simpy
from numpy.typing import NDArray

from sensors.city import City
from sensors.field import Act, Actuation, ClockTick, Feedback, WorkOrder
from sensors.ground_truth import TrueIncident
from sensors.registry import Registry
from simulator.crews import Crews, CrewTimes
from simulator.errors import InjectionError
from simulator.fleet import Fleet, FleetTick
from simulator.incidents import water as water_incidents
from simulator.incidents.plan import LEAKS, IncidentPlan
from simulator.incidents.truth import Comparison, TruthKeeper
from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.water.network import WaterNetwork
from simulator.recorder import Recorder
from simulator.sites import DeviceSites, Elements, fault_incident
from simulator.wire import WorldWire

_DISTURBANCES = {
    Act.ISOLATE: "close",
    Act.REPAIR: "repair",
    Act.RESTORE: "open",
    Act.RESTART_PUMP: "pump_on",
    Act.OPEN_VALVE: "open",
}


@dataclass(frozen=True, slots=True)
class WorldClock:
    """When the world begins and ends and how long a tick is, event time in milliseconds."""

    start_ms: int
    end_ms: int
    tick_ms: int


@dataclass
class WorldTotals:
    """What the world did so far, for the run summary.

    `readings` are those the gateways published, declared lost ones included; `dropped_readings`
    never reached their gateway and are not among them.
    """

    readings: int = 0
    lost_readings: int = 0
    dropped_readings: int = 0
    frames: int = 0
    lost_frames: int = 0
    duplicate_frames: int = 0
    inflow_m3: float = 0.0
    imbalance_m3: float = 0.0


class World:
    """A city under simulation.

    The network is solved one frame ahead: what happens within a tick acts from that tick's end
    frame on, and devices see the straight line between two frames.
    """

    def __init__(
        self,
        city: City,
        registry: Registry,
        clock: WorldClock,
        *,
        network: WaterNetwork,
        twin: WaterNetwork,
        fleet: Fleet,
        wire: WorldWire,
        recorder: Recorder | None = None,
        crew_times: CrewTimes | None = None,
        seed: int = 1,
    ) -> None:
        self.city, self.registry, self.clock = city, registry, clock
        self.now_ms, self.tick_number = clock.start_ms, 0
        self.totals, self.truth = WorldTotals(), TruthKeeper(registry)
        self._network, self._twin, self._fleet = network, twin, fleet
        self._wire, self._recorder = wire, recorder
        self._env = simpy.Environment(initial_time=clock.start_ms)
        self._elements = Elements(city, network)
        self._crews = Crews(self._env, city.teams(), crew_times or CrewTimes(), self, seed)
        self._plans: dict[str, IncidentPlan] = {}
        self._outbox: list[Feedback] = []
        self._sites = DeviceSites(registry, network)
        self._true = self._sites.values(network.step(clock.start_ms))
        self._twin.step(clock.start_ms)
        for number, (fault, area) in enumerate(self._fleet.fault_truth(), start=1):
            self.truth.add(fault_incident(number, fault, area, registry))

    @property
    def is_over(self) -> bool:
        """Whether the last tick has been published."""
        return self.now_ms >= self.clock.end_ms

    @property
    def true_values(self) -> NDArray[np.float64]:
        """True value at each device now, registry order, NaN where there is none."""
        return self._true

    def inject(self, plan: IncidentPlan) -> None:
        """Let an incident happen, now or at its later onset.

        Raises:
            InjectionError: its element, kind or id cannot be used; the message says why.
        """
        if plan.id in self._plans or plan.id in self.truth.incidents:
            raise InjectionError(f"incident id {plan.id!r} is taken; choose another")
        if not self.now_ms <= plan.onset_ms < self.clock.end_ms:
            raise InjectionError(
                f"incident {plan.id}: onset {plan.onset_ms} ms lies "
                f"{'in the past' if plan.onset_ms < self.now_ms else 'after the end of the run'}; "
                f"use {self.now_ms} or later, before {self.clock.end_ms}"
            )
        self._elements.check(plan)
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
        frame, twin = self._network.step(end_ms), self._twin.step(end_ms)
        true_end = self._sites.values(frame)
        produced = self._fleet.tick(start_ms, end_ms, self._true, true_end)
        self._true = true_end
        self._observe(frame, twin, true_end, end_ms)
        self.now_ms, self.tick_number = end_ms, self.tick_number + 1
        truths, feedback = self.truth.take_changed(), self._take_feedback()
        if self._recorder is not None:
            self._recorder.tick(end_ms, produced.frames, truths, feedback)
        self._count(frame, produced)
        return self._wire.publish_tick(
            self.tick_number,
            end_ms,
            produced.frames,
            statuses=produced.statuses,
            feedback=feedback,
            truths=truths,
            is_final=self.is_over,
        )

    def close(self) -> None:
        """Free the engines."""
        self._network.close()
        self._twin.close()

    # What crews may see and do (simulator.crews.Site).

    def place_of(self, element: str) -> tuple[float, float] | None:
        """Return the middle of an element, metres; None when there is none of that name."""
        return self._elements.place_of(element)

    def find(self, element: str) -> str | None:
        """Return what a crew looking at `element` sees: damage on it or on a link it touches."""
        damage = self.truth.damage_on([element, *self._elements.touching(element)])
        return None if damage is None else damage.element

    def act(self, actuation: Actuation) -> None:
        """Carry out a crew's act on the network; InjectionError when the element has no such."""
        kind = _DISTURBANCES.get(actuation.act)
        if kind is None:
            return
        damage = self.truth.damage_on([actuation.element])
        if actuation.act is not Act.REPAIR or damage is None or damage.kind in LEAKS:
            self._network.apply(Disturbance(kind, actuation.element))
        self.truth.crew_did(actuation.act, actuation.element, actuation.time_ms)

    def report(self, feedback: Feedback) -> None:
        """Send a crew's feedback with the tick in which it was given."""
        self._outbox.append(feedback)

    # Inside.

    def _check_free(self, plan: IncidentPlan) -> None:
        for other in self._plans.values():
            truth = self.truth.incidents.get(other.id)
            is_past = truth is not None and truth.repaired_ms is not None
            if not is_past and self._elements.is_same(plan, other) and plan.overlaps(other):
                raise InjectionError(
                    f"incident {plan.id}: {other.id} strikes {plan.element!r} at that time; "
                    "choose another element or time, or give the earlier one a duration"
                )

    def _happen(self, plan: IncidentPlan) -> simpy.events.ProcessGenerator:
        yield self._env.timeout(plan.onset_ms - int(self._env.now))
        element = self._elements.of_plan(plan)
        self.truth.begin(plan, "water", element.area, element.x_m, element.y_m)
        for after_ms, disturbance in water_incidents.schedule(plan):
            due_ms = plan.onset_ms + after_ms
            yield self._env.timeout(max(0, due_ms - int(self._env.now)))
            if self.truth.incidents[plan.id].end_ms is not None:
                return
            self._network.apply(disturbance)
        if plan.duration_ms is not None:
            self.truth.repaired(plan.id, int(self._env.now))

    def _observe(
        self, frame: PhysicsFrame, twin: PhysicsFrame, true_end: NDArray[np.float64], end_ms: int
    ) -> None:
        harm_x_m, harm_y_m = self._elements.harmed(frame, twin).T
        device_twin = self._sites.values(twin)
        self.truth.compare(Comparison(end_ms, true_end, device_twin, harm_x_m, harm_y_m))
        for plan in self._plans.values():
            truth = self.truth.incidents.get(plan.id)
            if truth is not None and truth.end_ms is None:
                is_leak = plan.kind in LEAKS
                outflow = self._network.leak_outflow(plan.element) if is_leak else 0.0
                self.truth.grade(plan.id, water_incidents.severity(plan, outflow))

    def _take_feedback(self) -> tuple[Feedback, ...]:
        feedback = tuple(self._outbox)
        self._outbox.clear()
        return feedback

    def _count(self, frame: PhysicsFrame, produced: FleetTick) -> None:
        totals = self.totals
        totals.frames += len(produced.frames) - produced.duplicates + produced.lost_frames
        totals.readings += produced.readings + produced.lost_readings
        totals.lost_frames += produced.lost_frames
        totals.lost_readings += produced.lost_readings
        totals.dropped_readings += produced.dropped_readings
        totals.duplicate_frames += produced.duplicates
        balance = frame.balance
        totals.inflow_m3 += balance["inflow"]
        totals.imbalance_m3 += balance["inflow"] - (
            balance["consumption"] + balance["leakage"] + balance["storage"]
        )

    def true_incidents(self) -> tuple[TrueIncident, ...]:
        """Return the newest version of everything that really happened, by id."""
        return tuple(self.truth.incidents[key] for key in sorted(self.truth.incidents))
