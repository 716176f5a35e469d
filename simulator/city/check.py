"""Check of a whole city: every network hangs together, solves, and keeps within sane bands."""

from dataclasses import dataclass

import numpy as np

from sensors.city import City
from simulator.city.connected import loose_ends
from simulator.city.drawing import Floats
from simulator.city.generate import service
from simulator.city.whole import generate_city
from simulator.errors import PhysicsError
from simulator.physics.base import PhysicsFrame
from simulator.physics.flood.network import FloodNetwork
from simulator.physics.flood.rain_field import RainField
from simulator.physics.flood.storm import Storm
from simulator.physics.gas.network import GasNetwork

SERVICE_M = (20.0, 55.0)
"""Service heads over two days (design §4)."""
LOW_PRESSURE_KPA = (2.2, 2.8)
"""Low gas pressure over a day (design §4)."""
DEEPEST_CM = 60.0
"""Ponding on a road in a storm of 100 mm/h (design §4)."""
CONTINUITY = 0.02
"""Greatest share of a storm's water that may be missing (the issue's figure)."""

_LOW_BELOW_KPA = 10.0
_DRIZZLE_MM_H, _STORM_MM_H = 10.0, 100.0
_DRIZZLE_MIN, _STORM_MIN, _AFTER_MIN = 5, 30, 15
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000


@dataclass(frozen=True, slots=True)
class CityCheck:
    """What a check found.

    Attributes:
        problems: What is wrong, one sentence each; empty when the city passes.
        facts: What was measured, one phrase each.
    """

    problems: tuple[str, ...]
    facts: tuple[str, ...]


def check_seed(seed: int, corners: int, *, with_storm: bool = True) -> CityCheck:
    """Generate a city and check it; a city that cannot be generated fails."""
    try:
        return check_city(generate_city(seed, corners), with_storm=with_storm)
    except PhysicsError as error:
        return CityCheck((str(error),), ())


def check_city(city: City, *, with_storm: bool = True) -> CityCheck:
    """Check roads, tables and every network of a city.

    Args:
        city: The city.
        with_storm: Rain 100 mm/h for half an hour instead of drizzling for five minutes, and
            watch ponding.

    Raises:
        PhysicsError: an engine refuses a network.
    """
    problems, facts = loose_ends(city), []
    if "water" in city.networks:
        heads = service(city.networks["water"])
        facts.append(f"heads {heads.lowest_m:.1f} to {heads.highest_m:.1f} m")
        if not SERVICE_M[0] <= heads.lowest_m <= heads.highest_m <= SERVICE_M[1]:
            problems.append(
                f"water: service heads beyond {SERVICE_M[0]:.0f} to {SERVICE_M[1]:.0f} m"
            )
    if "gas" in city.networks:
        low, high = _gas_pressures(city)
        facts.append(f"gas {low:.2f} to {high:.2f} kPa")
        if not LOW_PRESSURE_KPA[0] <= low <= high <= LOW_PRESSURE_KPA[1]:
            problems.append("gas: low pressure beyond 2.2 to 2.8 kPa")
    if "flood" in city.networks:
        found, measured = _drains(city.networks["flood"], with_storm)
        problems += found
        facts += measured
    return CityCheck(tuple(problems), tuple(facts))


def _gas_pressures(city: City) -> tuple[float, float]:
    """Return the extremes of low pressure over a day; NaN when a node gets no gas."""
    network = GasNetwork(city.networks["gas"], 0)
    kinds = {row["id"]: row["kind"] for row in city.rows("nodes") if row["domain"] == "gas"}
    supplied = np.array(
        [kinds.get(node) in ("source", "junction", "regulator_out") for node in network.node_ids]
    )
    lows: list[Floats] = []
    for hour in range(25):
        pressure = network.step(hour * _HOUR_MS).node["gas_pressure"][supplied]
        lows.append(pressure[~(pressure >= _LOW_BELOW_KPA)])
    network.close()
    every = np.concatenate(lows)
    return float(every.min()), float(every.max())


def _drains(text: str, with_storm: bool) -> tuple[list[str], list[str]]:
    minutes = _STORM_MIN if with_storm else _DRIZZLE_MIN
    rate = _STORM_MM_H if with_storm else _DRIZZLE_MM_H
    rain = RainField([Storm("check", 0, 60, (rate,) * minutes)])
    network = FloodNetwork(text, rain, 0)
    deepest = 0.0
    try:
        for minute in range(1, minutes + (_AFTER_MIN if with_storm else 0) + 1):
            frame = network.step(minute * _MINUTE_MS)
            deepest = max(deepest, _ponding_cm(frame))
        missing = abs(network.continuity_error)
    finally:
        network.close()
    problems = []
    if missing > CONTINUITY:
        problems.append(f"flood: {missing:.1%} of the rain is missing")
    if deepest > DEEPEST_CM or (not with_storm and deepest > 1.0):
        problems.append(f"flood: {deepest:.0f} cm of ponding in {rate:.0f} mm/h")
    return problems, [f"ponding {deepest:.0f} cm", f"continuity {missing:.2%}"]


def _ponding_cm(frame: PhysicsFrame) -> float:
    ponding = frame.node["ponding_depth"]
    known = ponding[np.isfinite(ponding)]
    return float(known.max()) if len(known) else 0.0
