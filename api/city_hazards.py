"""Builds the hazards of a plan: one network of physics a domain, as far as the city has it."""

from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from api.plan import RunPlan
from sensors.city import City
from simulator import randomness
from simulator.hazards.base import Hazard
from simulator.hazards.elements import Elements
from simulator.hazards.fire import FireHazard
from simulator.hazards.flood import FloodHazard
from simulator.hazards.gas import GasHazard
from simulator.hazards.water import WaterHazard
from simulator.physics.fire.network import BuildingNetwork
from simulator.physics.flood.network import FloodNetwork
from simulator.physics.flood.rain_field import RainField
from simulator.physics.gas.network import GasNetwork
from simulator.physics.water.network import WaterNetwork


def build_hazards(plan: RunPlan, elements: Elements, undo: ExitStack) -> dict[str, Hazard]:
    """Return domain → hazard, standing at the start of the plan.

    Args:
        plan: What to build.
        elements: The elements of its city.
        undo: Takes the closing of each hazard, for the case that a later step fails.

    Raises:
        PhysicsError: a network model cannot be used; the message says why.
    """
    hazards: dict[str, Hazard] = {}
    for domain, build in _BUILDERS.items():
        if domain in plan.city.networks:
            hazards[domain] = build(plan, elements)
            undo.callback(hazards[domain].close)
    return hazards


def has_hotline(city: City) -> bool:
    """Return whether citizens call: where there is more than a water network."""
    return len(city.networks) > 1


def _water(plan: RunPlan, elements: Elements) -> Hazard:
    return WaterHazard(
        plan.city, _water_network(plan), _water_network(plan), plan.scenario.start_ms
    )


def _gas(plan: RunPlan, elements: Elements) -> Hazard:
    text, offset_ms = plan.city.networks["gas"], plan.scenario.utc_offset_ms

    def make(start_ms: int) -> GasNetwork:
        return GasNetwork(text, start_ms, offset_ms)

    return GasHazard(elements, make, plan.scenario.start_ms)


def _flood(plan: RunPlan, elements: Elements) -> Hazard:
    start_ms = plan.scenario.start_ms
    network = FloodNetwork(plan.city.networks["flood"], RainField(plan.storms), start_ms)
    return FloodHazard(elements, network, start_ms)


def _fire(plan: RunPlan, elements: Elements) -> Hazard:
    start_ms = plan.scenario.start_ms
    return FireHazard(elements, BuildingNetwork(plan.city.networks["fire"], start_ms), start_ms)


_BUILDERS = {"water": _water, "gas": _gas, "flood": _flood, "fire": _fire}
"""Domain of `City.networks` → what builds its hazard."""


def _water_network(plan: RunPlan) -> WaterNetwork:
    scenario = plan.scenario
    return WaterNetwork(
        plan.inp,
        scenario.start_ms,
        scenario.utc_offset_ms,
        step_s=min(scenario.tick, 300),
        demand_model=scenario.demand.model,
        demand_factor=_DemandNoise(plan).factor if scenario.demand.noise else None,
    )


class _DemandNoise:
    """Hourly lognormal demand noise of each node, the same in the world and in its twin."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._keys: NDArray[np.uint64] | None = None

    def factor(self, nodes: NDArray[np.int64], hour: int) -> NDArray[np.float64]:
        """Return one factor a node for an hour."""
        if self._keys is None or len(self._keys) <= int(nodes.max(initial=0)):
            ids = [f"node/{place}" for place in range(int(nodes.max(initial=0)) + 1)]
            self._keys = randomness.keys(self._plan.seed, "demand", ids)
        hours = np.full(len(nodes), hour, dtype=np.int64)
        noise = randomness.normal(self._keys[nodes], hours)
        return np.exp(self._plan.scenario.demand.noise * noise)
