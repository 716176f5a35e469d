"""The laws of gas in pipes and holes, as columns: friction by flow, outflow by pressure."""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.physics.gas.model import GasProperties

Floats = NDArray[np.float64]

ATMOSPHERE_KPA = 101.325
"""Normal pressure, which is also taken as the pressure of the air."""
NORMAL_K = 273.15
"""Normal temperature: a Nm3 is a cubic metre at this and at `ATMOSPHERE_KPA`."""

_GAS_CONSTANT = 8.314462618
_MOLAR_NM3 = 0.022413969
_SLOPE_KPA = 0.01
"""Below this gauge pressure outflow is taken as proportional to it, so its slope stays finite."""
_SLOW_REYNOLDS = 400.0
"""Below it the turbulent factor is kept as it is there, well under the laminar one."""
_BLEND = 6
_LOG_SLOPE = 1.8 / math.log(10.0)


class PipeLaw:
    """Fall of the squared absolute pressure along pipes, kPa², by flow.

    Steady isothermal flow of an ideal gas in a level pipe:
    p1² - p2² = (16/π²) λ (L/d⁵) ρn pn (T/Tn) Q². The friction factor λ is the greater of the
    laminar 64/Re and the turbulent one of Haaland (Journal of Fluids Engineering 105, 1983, 89),
    which lies within 2 % of Colebrook's. Where the two meet, near Re = 1000, they are blended
    so that the law has no corner.
    """

    def __init__(
        self, gas: GasProperties, length_m: Floats, diameter_mm: Floats, roughness_mm: Floats
    ) -> None:
        diameter_m = diameter_mm / 1000
        normal_pa = ATMOSPHERE_KPA * 1000
        warm = gas.temperature_k / NORMAL_K
        fall_pa2 = 16 / math.pi**2 * length_m / diameter_m**5 * gas.density_kg_nm3 * normal_pa
        self._factor = fall_pa2 * warm / 1e6 / 3600**2
        per_flow = 4 * gas.density_kg_nm3 / (math.pi * diameter_m * gas.viscosity_pa_s) / 3600
        self._reynolds = per_flow
        self._rough = (roughness_mm / diameter_mm / 3.7) ** 1.11
        self._laminar = 64 * self._factor / per_flow

    def fall(self, flow_nm3_h: Floats) -> tuple[Floats, Floats]:
        """Return the fall, kPa² with the sign of the flow, and its slope in kPa²/(Nm3/h)."""
        size = np.abs(flow_nm3_h)
        reynolds = size * self._reynolds
        is_slow = reynolds < _SLOW_REYNOLDS
        viscous = 6.9 / np.maximum(reynolds, _SLOW_REYNOLDS)
        inside = self._rough + viscous
        inverse_root = -1.8 * np.log10(inside)
        turbulent = self._factor * size / inverse_root**2
        bend = np.where(is_slow, 0.0, _LOG_SLOPE * viscous / inside / inverse_root)
        larger = np.maximum(turbulent, self._laminar)
        turbulent /= larger
        laminar = (self._laminar / larger) ** _BLEND
        swirling = turbulent**_BLEND
        per_flow = larger * (laminar + swirling) ** (1 / _BLEND)
        slope = per_flow * (laminar + 2 * (1 - bend) * swirling) / (laminar + swirling)
        return per_flow * flow_nm3_h, slope


def gauge_kpa(square: Floats) -> Floats:
    """Return gauge pressures for squared absolute ones in kPa².

    Below the pressure of the air the line goes straight on, also where no pressure is possible:
    a solver passes through such states, and they must point back.
    """
    air = ATMOSPHERE_KPA
    below = (square - air**2) / (2 * air)
    gauge: Floats = np.where(below > 0, np.sqrt(np.maximum(square, air**2)) - air, below)
    return gauge


class HoleLaw:
    """Outflow of holes into the open air by the pressure in the pipe: isentropic, then choked."""

    def __init__(self, gas: GasProperties) -> None:
        kappa = gas.heat_ratio
        specific = _GAS_CONSTANT / (gas.density_kg_nm3 * _MOLAR_NM3)
        per_pa = math.sqrt(2 * kappa / ((kappa - 1) * specific * gas.temperature_k))
        self._kappa = kappa
        self._scale = gas.discharge * per_pa * 1000 * 1e-6 / gas.density_kg_nm3 * 3600
        self.critical = (2 / (kappa + 1)) ** (kappa / (kappa - 1))
        """Ratio of outer to inner absolute pressure at and below which the flow is choked."""

    def outflow(self, area_mm2: Floats, gauge: Floats) -> Floats:
        """Return Nm3/h through holes of so many mm2 at so many kPa gauge.

        Below the pressure of the air it is negative, so that a solver finds its way back.
        """
        raised = np.maximum(gauge, _SLOPE_KPA)
        inner = ATMOSPHERE_KPA + raised
        ratio = np.maximum(ATMOSPHERE_KPA / inner, self.critical)
        speed = np.sqrt(ratio ** (2 / self._kappa) - ratio ** ((self._kappa + 1) / self._kappa))
        outflow: Floats = self._scale * area_mm2 * inner * speed
        return outflow * np.minimum(gauge / _SLOPE_KPA, 1.0)
