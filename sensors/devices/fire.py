"""Instruments of fire water in high-rises: pressure at the worst hydrant, level of the tank."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from sensors.devices import DeviceKind

_HYDRANT = DeviceKind(
    kind="hydrant_pressure",
    quantity="pressure",
    domain="fire",
    range_low=0.0,
    range_high=1.6,
    accuracy=0.002,
    resolution=0.0005,
    interval_s=1800,
    alarm_interval_s=300,
    upload_s=0,
    max_step=1.0,
    alarm_low=0.1,
    alarm_high=math.nan,
    source="30 min normal, 5 min in alarm, limit 0.10 MPa: domain reference 3.1 water.fire_static "
    "(0.10 MPa public buildings, 0.07 residential: 2.5); range, accuracy, resolution and largest "
    "step proposed",
)
_TANK = DeviceKind(
    kind="fire_tank_level",
    quantity="water_level",
    domain="fire",
    range_low=0.0,
    range_high=6.0,
    accuracy=0.005,
    resolution=0.001,
    interval_s=1800,
    alarm_interval_s=300,
    upload_s=0,
    max_step=3.0,
    alarm_low=0.5,
    alarm_high=math.nan,
    source="proposed, intervals as hydrant_pressure: domain reference 3.1 water.fire_static",
)

KINDS: Mapping[str, DeviceKind] = MappingProxyType({kind.kind: kind for kind in (_HYDRANT, _TANK)})
"""Every kind of this domain by name."""
