"""All teams of a city: orders in, one job at a time each.

Each order is one SimPy process on the world's clock (milliseconds of event time). What a crew
does is an `Actuation`, and the world turns it into physics.
"""

from collections.abc import Sequence

import simpy

from sensors.city import Team
from sensors.field import WorkOrder
from simulator.crews.job import Job
from simulator.crews.roads import Roads
from simulator.crews.yard import CrewTimes, Site, Yard


class Crews:
    """All teams of the city."""

    def __init__(
        self,
        env: simpy.Environment,
        teams: Sequence[Team],
        times: CrewTimes,
        site: Site,
        seed: int,
        roads: Roads | None = None,
    ) -> None:
        self._yard = Yard(
            env=env,
            site=site,
            times=times,
            seed=seed,
            teams={team.id: team for team in teams},
            roads=roads,
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
        yard.env.process(Job(yard, order).run())

    def where(self, team: str) -> tuple[float, float]:
        """Return where a team is, metres."""
        return self._yard.place[team]
