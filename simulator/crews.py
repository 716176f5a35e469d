"""Crews: teams that accept orders, travel, look, isolate, repair and report.

Each order is one SimPy process on the world's clock (milliseconds of event time). What a crew
does is an `Actuation`, and the world turns it into physics.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy

from sensors.city import Team
from sensors.field import Act, Actuation, Feedback, FeedbackKind, WorkOrder
from simulator.errors import InjectionError
from simulator.randomness import stream

Steps = Generator[simpy.Event, None, None]

_NEEDS_FINDING = frozenset({Act.ISOLATE, Act.REPAIR, Act.RESTORE})


@dataclass(frozen=True, slots=True)
class CrewTimes:
    """How long the steps of a job take: medians in minutes, spread as 1 sigma lognormal."""

    accept_min: float = 2.0
    inspect_min: float = 6.0
    isolate_min: float = 10.0
    repair_min: float = 120.0
    restore_min: float = 10.0
    spread: float = 0.15
    detour: float = 1.3


class Site(Protocol):
    """What a crew can see and do in the field; the world implements it."""

    def place_of(self, element: str) -> tuple[float, float] | None:
        """Return where an element is, metres; None when there is none of that name."""
        ...

    def find(self, element: str) -> str | None:
        """Return the damaged element seen when looking at `element`: itself or a neighbour."""
        ...

    def act(self, actuation: Actuation) -> None:
        """Change the network; InjectionError when the element cannot be acted on so."""
        ...

    def report(self, feedback: Feedback) -> None:
        """Send feedback to the platform."""
        ...


@dataclass(frozen=True, slots=True)
class Yard:
    """What all jobs share: the clock, the field and where each team stands."""

    env: simpy.Environment
    site: Site
    times: CrewTimes
    seed: int
    teams: Mapping[str, Team]
    place: dict[str, tuple[float, float]]
    turns: Mapping[str, simpy.Resource]
    newest: dict[tuple[str, str], str]
    """(incident, team) → newest order; an older one stops when it is not there yet."""
    replaced: dict[str, simpy.Event]
    """Order → what happens when a newer one comes."""


class Crews:
    """All teams of the city."""

    def __init__(
        self, env: simpy.Environment, teams: Sequence[Team], times: CrewTimes, site: Site, seed: int
    ) -> None:
        self._yard = Yard(
            env=env,
            site=site,
            times=times,
            seed=seed,
            teams={team.id: team for team in teams},
            place={team.id: (team.x_m, team.y_m) for team in teams},
            turns={team.id: simpy.Resource(env, capacity=1) for team in teams},
            newest={},
            replaced={},
        )
        self._known: set[str] = set()

    def take(self, order: WorkOrder) -> None:
        """Give an order to its team; a second copy of a known order is ignored."""
        if order.id in self._known:
            return
        self._known.add(order.id)
        yard, key = self._yard, (order.incident, order.team)
        if key in yard.newest:
            yard.replaced[yard.newest[key]].succeed()
        yard.newest[key] = order.id
        yard.replaced[order.id] = yard.env.event()
        yard.env.process(_Job(yard, order).run())

    def where(self, team: str) -> tuple[float, float]:
        """Return where a team is, metres."""
        return self._yard.place[team]


class _Job:
    """One order being carried out."""

    def __init__(self, yard: Yard, order: WorkOrder) -> None:
        self._yard, self._order = yard, order
        self._site, self._times = yard.site, yard.times
        self._count = 0
        self._random = stream(yard.seed, "crew", order.id)

    def run(self) -> Steps:
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
        if Act.RESTART_PUMP in self._order.acts or Act.OPEN_VALVE in self._order.acts:
            yield from self._switch()
        elif _NEEDS_FINDING & set(self._order.acts):
            yield from self._find_and_mend()
        else:
            yield from self._inspect()
        self._tell(FeedbackKind.DONE)

    def _switch(self) -> Steps:
        for act in self._order.acts:
            if act in (Act.RESTART_PUMP, Act.OPEN_VALVE):
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

    def _visit(self, element: str) -> Generator[simpy.Event, None, bool]:
        """Go to an element and look at it; False at once when there is none of that name."""
        place = self._site.place_of(element)
        if place is None:
            return False
        yield from self._travel(*place)
        yield self._take_min(self._times.inspect_min)
        return True

    def _travel(self, x_m: float, y_m: float, until: simpy.Event | None = None) -> Steps:
        """Drive there; when `until` happens on the way, stop where the team is then."""
        team = self._yard.teams[self._order.team]
        from_x, from_y = self._yard.place[team.id]
        distance_km = float(np.hypot(x_m - from_x, y_m - from_y)) * self._times.detour / 1000.0
        env, way_ms = self._yard.env, round(distance_km / team.speed_km_h * 3_600_000)
        start_ms, arrival = env.now, env.timeout(way_ms)
        yield arrival if until is None else arrival | until
        share = 1.0 if arrival.processed else (env.now - start_ms) / max(way_ms, 1)
        here = (from_x + (x_m - from_x) * share, from_y + (y_m - from_y) * share)
        self._yard.place[team.id] = (x_m, y_m) if arrival.processed else here

    def _take_min(self, minutes: float) -> simpy.Event:
        factor = float(self._random.lognormal(0.0, self._times.spread))
        return self._yard.env.timeout(round(minutes * factor * 60_000))

    def _act(self, act: Act, element: str, done: FeedbackKind) -> None:
        """Do it and say so; say why not when the element cannot be acted on so."""
        try:
            self._site.act(Actuation(act, element, int(self._yard.env.now), self._order.team))
        except InjectionError as error:
            self._tell(FeedbackKind.NOT_FOUND, element, note=f"cannot {act.value}: {error}")
        else:
            self._tell(done, element)

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
