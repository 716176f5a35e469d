"""Observed properties and their units: what a value means, once for both halves.

Inside the programs every value is in the quantity's own UCUM unit (`Quantity.unit`). On the
wire SenML wants its own registered units, so each quantity lists the unit spellings it accepts
and the factor that turns them into the own unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Quantity:
    """One observed property.

    Attributes:
        name: The word used in files, topics and messages, such as `pressure`.
        unit: UCUM unit used inside the programs (and by the rule files).
        wire_unit: SenML unit written on the wire (RFC 8428 §12.1, RFC 8798).
        wire_scale: Own unit → wire unit: `wire = own * wire_scale`.
        wire_decimals: Decimals kept on the wire, finer than any instrument's resolution.
        accepted: Wire unit → factor to the own unit; any other unit is refused as wrong.
    """

    name: str
    unit: str
    wire_unit: str
    wire_scale: float
    wire_decimals: int
    accepted: Mapping[str, float]


def _quantity(
    name: str, unit: str, wire_unit: str, scale: float, decimals: int, **accepted: float
) -> Quantity:
    units = {wire_unit: 1.0 / scale, unit: 1.0, **accepted}
    return Quantity(name, unit, wire_unit, scale, decimals, MappingProxyType(units))


PRESSURE = _quantity("pressure", "MPa", "Pa", 1e6, 1, kPa=1e-3, hPa=1e-4, bar=0.1)
"""Gauge pressure in a pipe."""
FLOW = _quantity("flow", "m3/h", "m3/s", 1.0 / 3600.0, 9, **{"l/s": 3.6})
"""Volume flow in a pipe, positive from the link's first node to its second."""
WATER_LEVEL = _quantity("water_level", "m", "m", 1.0, 5, cm=0.01, mm=0.001)
"""Level of the water surface above the bottom of a tank, manhole or river gauge."""
PUMP_STATE = _quantity("pump_state", "1", "/", 1.0, 0)
"""1 when the pump runs, 0 when it stands still."""

GAS_PRESSURE = _quantity("gas_pressure", "kPa", "Pa", 1e3, 1, MPa=1e3, hPa=0.1, bar=100.0)
"""Gauge pressure in a gas pipe: 2 to 3 kPa in low pressure, up to 400 kPa in medium pressure."""
METHANE = _quantity("methane", "%VOL", "/", 0.01, 7)
"""Share of methane in the air of a space by volume; explosive from 5 to 15 %VOL."""
METHANE_LEL = _quantity("methane_lel", "%LEL", "/", 0.0005, 8)
"""Methane as a share of its lower explosive limit: 100 %LEL is 5 %VOL."""
RAINFALL = _quantity("rainfall", "mm", "m", 1e-3, 5, cm=10.0)
"""Rain accumulated since the gauge was reset: a counter, so a lost report loses no rain."""
PONDING_DEPTH = _quantity("ponding_depth", "cm", "m", 0.01, 5, mm=0.1)
"""Depth of water on a road surface or an underpass floor."""
FREEBOARD = _quantity("freeboard", "m", "m", 1.0, 5, cm=0.01, mm=0.001)
"""Distance from the ground at a manhole down to the water in it; 0 or less: it overflows."""

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        quantity.name: quantity
        for quantity in (
            PRESSURE,
            FLOW,
            WATER_LEVEL,
            PUMP_STATE,
            GAS_PRESSURE,
            METHANE,
            METHANE_LEL,
            RAINFALL,
            PONDING_DEPTH,
            FREEBOARD,
        )
    }
)
"""Every quantity by its name."""

HEAD_PER_MPA_M = 101.972
"""Metres of water column in one MPa (1e6 Pa / (1000 kg/m3 · 9.80665 m/s2))."""
