"""Sizes of gas pipes: for the peak hour, then enlarged until pressures keep within the bands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.city.drawing import Floats
from simulator.city.gas_rates import GasRates
from simulator.city.gas_routes import Places, Routes, reach
from simulator.city.ground import Ground
from simulator.errors import PhysicsError
from simulator.physics.gas.laws import ATMOSPHERE_KPA, PipeLaw
from simulator.physics.gas.model import GasProperties

_LOOP_SHARE = 0.1
"""Pipes that only close loops are sized for this share of the largest flow that ends beside them
(proposed)."""
_LEAST_WAY_M = 500.0


@dataclass(frozen=True)
class Mains:
    """Pipes as laid, low pressure first, then medium pressure.

    Attributes:
        street: Street each lies in.
        is_medium: Which carry medium pressure.
        is_tree: Which lie on the shortest way from a gate or regulator to a corner.
        peak_nm3_h: Flow each was sized for.
        size: Place of each in the list of sizes of its pressure.
        age_years: Years since it was laid.
        material: Place in the list of materials.
    """

    street: Places
    is_medium: NDArray[np.bool_]
    is_tree: NDArray[np.bool_]
    peak_nm3_h: Floats
    size: Places
    age_years: Floats
    material: Places

    def diameter_mm(self, rates: GasRates) -> Floats:
        """Return the diameters."""
        low, medium = np.array(rates.pipes.low_mm), np.array(rates.pipes.medium_mm)
        at = self.size
        small = low[np.minimum(at, len(low) - 1)]
        diameter: Floats = np.where(self.is_medium, medium[np.minimum(at, len(medium) - 1)], small)
        return diameter

    def roughness_mm(self, rates: GasRates) -> Floats:
        """Return the roughness by material."""
        of_material: Floats = np.array([item.roughness_mm for item in rates.pipes.materials])
        return of_material[self.material]

    def larger(self, chosen: NDArray[np.bool_]) -> "Mains":
        """Return the same pipes with the chosen ones one size larger."""
        return replace(self, size=self.size + chosen)


def size_mains(
    ground: Ground, routes: Routes, rates: GasRates, age_years: Floats, material: Places
) -> Mains:
    """Return pipes sized for the peak hour along the shortest ways.

    Args:
        ground: The ground.
        routes: Streets with pipes.
        rates: The figures.
        age_years: Age of each pipe, low pressure first.
        material: Place of its material in the list of materials.
    """
    street = np.concatenate((routes.low, routes.medium))
    is_medium = np.arange(len(street)) >= len(routes.low)
    roughness = np.array([item.roughness_mm for item in rates.pipes.materials])[material]
    peak = ground.people * rates.supply.person_nm3_day / 24 * rates.peak
    wide = ATMOSPHERE_KPA + rates.pressure.low_kpa
    low = _Tree(ground, routes.low, routes.regulators)
    low_flow, low_peak = low.flows(peak)
    fall = wide**2 - (wide - rates.pressure.low_fall_kpa) ** 2
    longest = low.longest_m(routes.zone)
    low_gradient = fall / np.maximum(longest, _LEAST_WAY_M)[routes.zone][ground.ends[routes.low, 0]]
    drawn = np.zeros(len(peak))
    drawn[routes.regulators] = low_flow[routes.regulators]
    medium = _Tree(ground, routes.medium, routes.gates)
    _, medium_peak = medium.flows(drawn)
    high = ATMOSPHERE_KPA + rates.pressure.medium_kpa
    least = ATMOSPHERE_KPA + rates.pressure.medium_least_kpa
    way_m = max(float(medium.away_m[routes.regulators].max()), _LEAST_WAY_M)
    medium_gradient = np.full(len(routes.medium), (high**2 - least**2) / way_m)
    gas = rates.physics.gas
    few = len(routes.low)
    size = np.concatenate(
        (
            _smallest(gas, rates.pipes.low_mm, low_peak, low_gradient, roughness[:few]),
            _smallest(gas, rates.pipes.medium_mm, medium_peak, medium_gradient, roughness[few:]),
        )
    )
    is_tree = np.concatenate((low.is_tree, medium.is_tree))
    flow = np.concatenate((low_peak, medium_peak))
    return Mains(street, is_medium, is_tree, flow, size, age_years, material)


class _Tree:
    """The shortest ways along some streets from roots to every corner."""

    def __init__(self, ground: Ground, streets: Places, roots: Places) -> None:
        self._corners = len(ground.x_m)
        self._ends = ground.ends[streets]
        self._before, self.away_m, self._order = reach(
            self._corners, self._ends, ground.length_m[streets], roots
        )
        a, b = self._ends.T
        self.is_tree = (self._before[a] == b) | (self._before[b] == a)

    def flows(self, taken: Floats) -> tuple[Floats, Floats]:
        """Return what passes each corner and each street when corners take so much."""
        passing = taken.tolist()
        before = self._before.tolist()
        for corner in self._order[::-1].tolist():
            if before[corner] >= 0:
                passing[before[corner]] += passing[corner]
        flow = np.array(passing)
        a, b = self._ends.T
        lower = np.where(self._before[a] == b, flow[a], flow[b])
        beside = _LOOP_SHARE * np.minimum(flow[a], flow[b])
        return flow, np.where(self.is_tree, lower, beside)

    def longest_m(self, zone: Places) -> Floats:
        """Return the longest way in each zone."""
        longest = np.zeros(int(zone.max()) + 1)
        np.maximum.at(longest, zone, np.where(np.isfinite(self.away_m), self.away_m, 0.0))
        return longest


def _smallest(
    gas: GasProperties, sizes: Sequence[float], flow: Floats, gradient: Floats, roughness: Floats
) -> Places:
    """Return the smallest size whose fall per metre at the flow keeps within the gradient."""
    chosen = np.full(len(flow), len(sizes) - 1)
    ones = np.ones(len(flow))
    for place in range(len(sizes) - 1, -1, -1):
        fall, _ = PipeLaw(gas, ones, ones * sizes[place], roughness).fall(flow)
        chosen[fall <= gradient] = place
    return chosen


def too_thin(
    ground: Ground, routes: Routes, rates: GasRates, mains: Mains, low_kpa: Floats,
    medium_kpa: Floats,
) -> NDArray[np.bool_]:  # fmt: skip
    """Return the pipes to enlarge, given peak pressures at each corner.

    Args:
        ground: The ground.
        routes: Streets with pipes.
        rates: The figures.
        mains: Pipes as sized so far.
        low_kpa: Low pressure of each corner in the peak hour.
        medium_kpa: Medium pressure of each corner; NaN where there is none.

    Raises:
        PhysicsError: pressures are too low and no pipe can be enlarged.
    """
    is_short = np.zeros(len(routes.zone), dtype=bool)
    is_short[routes.zone[low_kpa < rates.pressure.low_least_kpa]] = True
    low = ~mains.is_medium & is_short[routes.zone[ground.ends[mains.street, 0]]]
    short_medium = bool(np.nanmin(medium_kpa) < rates.pressure.medium_least_kpa)
    sizes = np.where(mains.is_medium, len(rates.pipes.medium_mm), len(rates.pipes.low_mm))
    chosen: NDArray[np.bool_] = mains.is_tree & (low | (mains.is_medium & short_medium))
    if chosen.any() and not (chosen & (mains.size < sizes - 1)).any():
        raise PhysicsError("gas network: the largest pipes are too small; add larger sizes")
    return chosen & (mains.size < sizes - 1)
