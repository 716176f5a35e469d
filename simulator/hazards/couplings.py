"""What one domain does to another: the one table in which domains meet."""

from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from simulator.hazards.base import Hazard
from simulator.hazards.elements import Elements
from simulator.hazards.figures import figures
from simulator.hazards.fire import FireHazard
from simulator.hazards.flood import FloodHazard
from simulator.hazards.water import WaterHazard
from simulator.physics.base import Disturbance

_HOUR_MS = 3_600_000


class Coupling(Protocol):
    """Carries what happens in one domain over to another, once a tick."""

    def carry(self) -> None:
        """Disturb the target by what the source was at the end of the last tick."""
        ...


class BurstIntoStreet:
    """Water that leaves a main runs into the nearest drain."""

    def __init__(self, source: Hazard, target: Hazard, elements: Elements, wind_m_s: float) -> None:
        assert isinstance(source, WaterHazard)
        assert isinstance(target, FloodHazard)
        self._source, self._target, self._elements = source, target, elements
        self._inlets = elements.of_kind("flood", "manhole", "road", "underpass")
        self._tree = cKDTree([(item.x_m, item.y_m) for item in self._inlets] or [(0.0, 0.0)])
        self._inlet: dict[str, str] = {}
        self._poured: dict[str, float] = {}

    def carry(self) -> None:
        """Pour each leak's outflow into its inlet; a small one soaks away."""
        poured: dict[str, float] = {}
        for pipe, outflow in self._source.outflows().items():
            if outflow > figures().leak_soaks_m3_h and self._inlets:
                inlet = self._inlet_of(pipe)
                poured[inlet] = poured.get(inlet, 0.0) + outflow
        for inlet in sorted({*poured, *self._poured}):
            amount = poured.get(inlet, 0.0)
            if abs(amount - self._poured.get(inlet, 0.0)) > 0.01 * amount or amount == 0.0:
                self._target.apply(Disturbance("inflow", inlet, amount))
                self._poured[inlet] = amount
        self._poured = {inlet: self._poured[inlet] for inlet in poured}

    def _inlet_of(self, pipe: str) -> str:
        if pipe not in self._inlet:
            place = self._elements.place_of(pipe)
            assert place is not None
            self._inlet[pipe] = self._inlets[int(self._tree.query(place)[1])].id
        return self._inlet[pipe]


class StormWind:
    """A storm brings wind, and wind airs the spaces into which gas leaks."""

    def __init__(self, source: Hazard, target: Hazard, elements: Elements, wind_m_s: float) -> None:
        self._source, self._target, self._calm_m_s = source, target, wind_m_s
        kinds = {item.id for item in elements.of_kind("flood", "rain_gauge")}
        self._gauges = np.flatnonzero([node in kinds for node in source.network.node_ids])
        self._before = source.states.world
        self._wind_m_s = wind_m_s

    def carry(self) -> None:
        """Set the wind from what fell on the gauges in the last tick, when it has changed."""
        before, now = self._before, self._source.states.world
        self._before = now
        hours = (now.time_ms - before.time_ms) / _HOUR_MS
        if hours <= 0 or len(self._gauges) == 0:
            return
        fallen = now.node["rainfall"][self._gauges] - before.node["rainfall"][self._gauges]
        limits = figures()
        gust = min(float(np.mean(fallen)) / hours * limits.wind_per_mm_h, limits.wind_most_m_s)
        wind_m_s = round(self._calm_m_s + max(gust, 0.0), 1)
        if wind_m_s != self._wind_m_s:
            self._target.apply(Disturbance("wind", "", wind_m_s))
            self._wind_m_s = wind_m_s


class MainsToRoof:
    """The pressure of the mains decides whether a roof tank is made up."""

    def __init__(self, source: Hazard, target: Hazard, elements: Elements, wind_m_s: float) -> None:
        assert isinstance(target, FireHazard)
        self._source, self._target = source, target
        index = {node: place for place, node in enumerate(source.network.node_ids)}
        feeds = target.network.feeds
        self._known = np.flatnonzero([feed in index for feed in feeds])
        self._places = np.array([index[feeds[n]] for n in self._known.tolist()], dtype=np.intp)
        self._normal = target.network.feed_mpa

    def carry(self) -> None:
        """Hand over the pressures at the feeds; a building without one keeps the normal."""
        feed = self._normal.copy()
        feed[self._known] = self._source.states.world.node["pressure"][self._places]
        self._target.feed(feed)


COUPLINGS: tuple[tuple[str, str, type[BurstIntoStreet | StormWind | MainsToRoof]], ...] = (
    ("water", "flood", BurstIntoStreet),
    ("flood", "gas", StormWind),
    ("water", "fire", MainsToRoof),
)
"""(source, target, what carries over). Beside these a power cut stops pumps of several domains
at once: see `HazardTable.happen`."""
