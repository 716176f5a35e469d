"""One order being carried out: drive there, act on the targets, find and mend, report."""

from collections.abc import Generator

import numpy as np
import simpy

from sensors.field import Act, Actuation, Feedback, FeedbackKind, WorkOrder
from simulator.crews.roads import Way
from simulator.crews.yard import Yard
from simulator.errors import InjectionError
from simulator.randomness import stream

Steps = Generator[simpy.Event, None, None]

_NEEDS_FINDING = frozenset({Act.ISOLATE, Act.REPAIR, Act.RESTORE})
_SWITCHES = (Act.RESTART_PUMP, Act.OPEN_VALVE)

_DONE = {
    Act.CORDON: FeedbackKind.CORDONED,
    Act.VENTILATE: FeedbackKind.VENTILATED,
    Act.CLOSE_ROAD: FeedbackKind.ROAD_CLOSED,
    Act.PLACE_BARRIER: FeedbackKind.BARRIER_PLACED,
    Act.START_PUMP: FeedbackKind.PUMPING,
    Act.CLEAR_INLET: FeedbackKind.INLET_CLEARED,
}
"""Acts done to the targets themselves, without looking for damage → what the crew tells."""

_MOST = {Act.CORDON: 1, Act.CLOSE_ROAD: 1, Act.VENTILATE: 4}
"""On how many targets an act is done at most; 3 for the others (proposed)."""

_ON_FOOT_M = 150.0
"""Up to here a crew walks straight and needs no street; proposed."""
_MOST_WAITS = 288


class Job:
    """One order being carried out."""

    def __init__(self, yard: Yard, order: WorkOrder) -> None:
        self._yard, self._order = yard, order
        self._site, self._times = yard.site, yard.times
        self._count = 0
        self._random = stream(yard.seed, "crew", order.id)
        self._aired: list[str] = []
        self._aired_until_ms = 0

    def run(self) -> Steps:
        """Carry the order out when the team's turn comes."""
        order, yard = self._order, self._yard
        if order.team not in yard.teams:
            self._tell(FeedbackKind.REFUSED, note=f"no team {order.team}")
            return
        with yard.turns[order.team].request() as turn:
            yield turn
            yield from self._work()

    def _is_replaced(self) -> bool:
        order = self._order
        return self._yard.newest[order.incident, order.team] != order.id

    def _work(self) -> Steps:
        replaced = self._yard.replaced[self._order.id]
        if not self._is_replaced():
            yield self._take_min(self._times.accept_min) | replaced
        if not self._is_replaced():
            self._tell(FeedbackKind.ACCEPTED)
            self._tell(FeedbackKind.DEPARTED)
            yield from self._travel(self._order.x_m, self._order.y_m, until=replaced)
        if self._is_replaced():
            self._tell(FeedbackKind.REPLACED, note="a newer order came before the team was there")
            return
        self._tell(FeedbackKind.ARRIVED)
        acts = self._order.acts
        for act in acts:
            if act in _DONE:
                yield from self._do(act)
        if Act.CHECK_DEVICE in acts:
            yield from self._check_devices()
        if any(act in _SWITCHES for act in acts):
            yield from self._switch()
        elif _NEEDS_FINDING & set(acts):
            yield from self._find_and_mend()
        elif Act.INSPECT in acts or not set(acts) & {*_DONE, Act.CHECK_DEVICE, Act.REOPEN}:
            yield from self._inspect()
        yield from self._stop_airing()
        if Act.REOPEN in acts:
            yield from self._reopen()
        self._tell(FeedbackKind.DONE)

    # Acts on the targets themselves.

    def _do(self, act: Act) -> Steps:
        subjects = self._site.subjects(act, self._order)[: _MOST.get(act, 3)]
        if not subjects:
            self._remark(f"no target to {act.value}")
        for element in subjects:
            yield from self._go_to(element)
            yield self._take_min(self._minutes(act))
            self._act(act, element, _DONE[act])
            if act is Act.VENTILATE:
                self._aired.append(element)
                airing_ms = round(self._times.ventilate_min * 60_000)
                self._aired_until_ms = int(self._yard.env.now) + airing_ms

    def _minutes(self, act: Act) -> float:
        times = self._times
        match act:
            case Act.CORDON:
                return times.cordon_min
            case Act.CLOSE_ROAD:
                return times.close_road_min
            case Act.CLEAR_INLET:
                return times.clear_min
            case _:
                return times.set_up_min

    def _stop_airing(self) -> Steps:
        """Take the blowers away, not before they have run their time."""
        rest_ms = self._aired_until_ms - self._yard.env.now
        if self._aired and rest_ms > 0:
            yield self._yard.env.timeout(rest_ms)
        for element in self._aired:
            self._site.leave(self._actuation(Act.VENTILATE, element))

    def _reopen(self) -> Steps:
        """Reopen what was closed, once the water has gone."""
        for element in self._site.subjects(Act.REOPEN, self._order):
            for _ in range(_MOST_WAITS):
                if self._site.is_dry(element):
                    break
                yield self._yard.env.timeout(round(self._times.wait_min * 60_000))
            yield from self._go_to(element)
            yield self._take_min(self._times.close_road_min)
            self._act(Act.REOPEN, element, FeedbackKind.REOPENED)

    def _check_devices(self) -> Steps:
        """Mend what is broken; that a device is in order ends the check only when all are."""
        in_order, is_any_mended = [], False
        for device in self._order.targets:
            if not (yield from self._visit(device)):
                continue
            ended = self._site.mend(device, int(self._yard.env.now))
            is_any_mended = is_any_mended or ended > 0
            if ended:
                self._tell(FeedbackKind.REPAIRED, device, f"{ended} faults")
            else:
                in_order.append(device)
        for device in in_order:
            if is_any_mended:
                self._remark("in order", device)
            else:
                self._tell(FeedbackKind.NOT_FOUND, device, "in order")

    # Damage that has to be found, and pumps and valves to be switched.

    def _switch(self) -> Steps:
        for act in self._order.acts:
            if act in _SWITCHES:
                for element in self._order.targets:
                    yield from self._visit(element)
                    self._act(act, element, FeedbackKind.RESTORED)

    def _inspect(self) -> Steps:
        found = yield from self._search()
        self._tell(FeedbackKind.FOUND if found else FeedbackKind.NOT_FOUND, found or "")

    def _find_and_mend(self) -> Steps:
        found = yield from self._search()
        if found is None:
            places = map(self._site.place_of, self._order.targets)
            count = sum(place is not None for place in places)
            self._tell(FeedbackKind.NOT_FOUND, note=f"looked at {count} elements")
            return
        self._tell(FeedbackKind.FOUND, found)
        jobs = (
            (Act.ISOLATE, self._times.isolate_min, FeedbackKind.ISOLATED),
            (Act.REPAIR, self._times.repair_min, FeedbackKind.REPAIRED),
            (Act.RESTORE, self._times.restore_min, FeedbackKind.RESTORED),
        )
        for act, minutes, kind in jobs:
            if act in self._order.acts:
                yield self._take_min(minutes)
                self._act(act, found, kind)

    def _search(self) -> Generator[simpy.Event, None, str | None]:
        for element in self._order.targets:
            if not (yield from self._visit(element)):
                continue
            found = self._site.find(element)
            if found is not None:
                return found
        return None

    # Moving, taking time, telling.

    def _visit(self, element: str) -> Generator[simpy.Event, None, bool]:
        """Go to an element and look at it; False at once when there is none of that name."""
        if self._site.place_of(element) is None:
            return False
        yield from self._go_to(element)
        yield self._take_min(self._times.inspect_min)
        return True

    def _go_to(self, element: str) -> Steps:
        place = self._site.place_of(element)
        if place is not None:
            yield from self._travel(*place)

    def _travel(self, x_m: float, y_m: float, until: simpy.Event | None = None) -> Steps:
        """Drive there; when `until` happens on the way, stop where the team is then."""
        env, team = self._yard.env, self._yard.teams[self._order.team]
        way, is_told = self._way(x_m, y_m), False
        while way is None:
            if not is_told:
                self._tell(FeedbackKind.DEPARTED, note="cut off by water or closed roads; waits")
                is_told = True
            wait = env.timeout(round(self._times.wait_min * 60_000))
            yield wait if until is None else wait | until
            if until is not None and until.triggered:
                return
            way = self._way(x_m, y_m)
        line, factor = way
        distance_km = line.length_m * factor / 1000.0
        way_ms = round(distance_km / team.speed_km_h * 3_600_000)
        start_ms, arrival = env.now, env.timeout(way_ms)
        yield arrival if until is None else arrival | until
        share = 1.0 if arrival.processed else (env.now - start_ms) / max(way_ms, 1)
        self._yard.place[team.id] = (x_m, y_m) if arrival.processed else line.at(share)

    def _way(self, x_m: float, y_m: float) -> tuple[Way, float] | None:
        """Return the way and what its length is multiplied by; None when cut off."""
        here, roads = self._yard.place[self._order.team], self._yard.roads
        straight = Way(np.array([here, (x_m, y_m)]))
        if roads is None or straight.length_m <= _ON_FOOT_M:
            return straight, self._times.detour
        line = roads.way(here, (x_m, y_m), self._site.blocked())
        return None if line is None else (line, 1.0)

    def _take_min(self, minutes: float) -> simpy.Event:
        factor = float(self._random.lognormal(0.0, self._times.spread))
        return self._yard.env.timeout(round(minutes * factor * 60_000))

    def _actuation(self, act: Act, element: str) -> Actuation:
        return Actuation(act, element, int(self._yard.env.now), self._order.team)

    def _act(self, act: Act, element: str, done: FeedbackKind) -> None:
        """Do it and say so; say why not when the element cannot be acted on so."""
        try:
            self._site.act(self._actuation(act, element))
        except InjectionError as error:
            self._remark(f"cannot {act.value}: {error}", element)
        else:
            self._tell(done, element)

    def _remark(self, note: str, element: str = "") -> None:
        """Tell of a hitch on the spot; the order goes on, so it is neither found nor not found."""
        self._tell(FeedbackKind.ARRIVED, element, note)

    def _tell(self, kind: FeedbackKind, element: str = "", note: str = "") -> None:
        self._count += 1
        order = self._order
        self._site.report(
            Feedback(
                id=f"{order.id}/{self._count}",
                order=order.id,
                incident=order.incident,
                team=order.team,
                kind=kind,
                time_ms=int(self._yard.env.now),
                element=element,
                note=note,
            )
        )
