"""Instruments of a drinking water network: pressure, flow, tank level, pump state."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from sensors.devices import DeviceKind

_PRESSURE = DeviceKind(
    kind="network_pressure",
    quantity="pressure",
    domain="water",
    range_low=0.0,
    range_high=1.6,
    accuracy=0.002,
    resolution=0.0001,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    max_step=0.6,
    alarm_low=0.14,
    alarm_high=math.nan,
    source="12 samples an hour: domain reference 2.6; alarm limit 0.14 MPa, the end-of-network "
    "minimum: 2.5; range, accuracy, resolution and largest step proposed",
)
_FLOW = DeviceKind(
    kind="dma_flow",
    quantity="flow",
    domain="water",
    range_low=-6000.0,
    range_high=6000.0,
    accuracy=0.5,
    resolution=0.01,
    interval_s=300,
    alarm_interval_s=300,
    upload_s=3600,
    max_step=2000.0,
    alarm_low=math.nan,
    alarm_high=math.nan,
    source="12 samples an hour, sent every 1 to 2 h: domain reference 2.5 and 2.6; the rest "
    "proposed for one size of meter",
)
_LEVEL = DeviceKind(
    kind="tank_level",
    quantity="water_level",
    domain="water",
    range_low=0.0,
    range_high=60.0,
    accuracy=0.01,
    resolution=0.001,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    max_step=1.0,
    alarm_low=math.nan,
    alarm_high=math.nan,
    source="12 samples an hour, sent at once: domain reference 2.6; the rest proposed",
)
_PUMP = DeviceKind(
    kind="pump_state",
    quantity="pump_state",
    domain="water",
    range_low=0.0,
    range_high=1.0,
    accuracy=0.0,
    resolution=1.0,
    interval_s=60,
    alarm_interval_s=60,
    upload_s=0,
    max_step=1.0,
    alarm_low=math.nan,
    alarm_high=math.nan,
    source="proposed: a contact of the station's control system",
    battery_years=0.0,
)

KINDS: Mapping[str, DeviceKind] = MappingProxyType(
    {kind.kind: kind for kind in (_PRESSURE, _FLOW, _LEVEL, _PUMP)}
)
"""Every kind of this domain by name."""
