"""Factors from the units of an EPANET file to SI: exact, whatever the engine rounds inside."""

from collections.abc import Mapping
from types import MappingProxyType

FOOT_M = 0.3048
"""One international foot in metres (exact)."""
INCH_MM = 25.4
"""One inch in millimetres (exact)."""
CUBIC_FOOT_M3 = FOOT_M**3
"""One cubic foot in cubic metres (exact)."""

_US_GALLON_M3 = 231 * (INCH_MM / 1000) ** 3
_IMPERIAL_GALLON_M3 = 0.00454609
_ACRE_FOOT_M3 = 43_560 * CUBIC_FOOT_M3

FLOW_UNITS: tuple[str, ...] = (
    "cfs", "gpm", "mgd", "imgd", "afd", "lps", "lpm", "mld", "cmh", "cmd", "cms",
)  # fmt: skip
"""Flow units in the order of EPANET's own numbers; the first five come with US lengths."""

FLOW_M3_H: Mapping[str, float] = MappingProxyType(
    {
        "cfs": CUBIC_FOOT_M3 * 3600,
        "gpm": _US_GALLON_M3 * 60,
        "mgd": _US_GALLON_M3 * 1e6 / 24,
        "imgd": _IMPERIAL_GALLON_M3 * 1e6 / 24,
        "afd": _ACRE_FOOT_M3 / 24,
        "lps": 3.6,
        "lpm": 0.06,
        "mld": 1000 / 24,
        "cmh": 1.0,
        "cmd": 1 / 24,
        "cms": 3600.0,
    }
)
"""Flow unit → m3/h."""

_PSI_PER_FOOT = 0.4333
PRESSURE_PER_M: tuple[float, ...] = (
    _PSI_PER_FOOT / FOOT_M,
    _PSI_PER_FOOT * 6.895 / FOOT_M,
    1.0,
    _PSI_PER_FOOT * 0.068948 / FOOT_M,
    1 / FOOT_M,
)
"""Metres of water → psi, kPa, m, bar, ft in the order of EPANET's numbers. These follow the
engine's own rounded constants, because they are only used to hand a head back to it."""


def is_us(flow_unit: str) -> bool:
    """Return whether files with this flow unit give lengths in feet and diameters in inches."""
    return FLOW_UNITS.index(flow_unit) < FLOW_UNITS.index("lps")
