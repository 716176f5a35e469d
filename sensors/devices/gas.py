"""Instruments of a gas network: methane in spaces, stations and tunnels, pressure and flow."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from sensors.devices import DeviceKind

_MANHOLE = DeviceKind(
    kind="manhole_methane",
    quantity="methane",
    domain="gas",
    range_low=0.0,
    range_high=100.0,
    accuracy=0.03,
    resolution=0.01,
    interval_s=1800,
    alarm_interval_s=60,
    upload_s=0,
    max_step=100.0,
    alarm_low=math.nan,
    alarm_high=0.5,
    source="30 min normal, 1 min in alarm, and the first limit 0.5 %VOL = 10 %LEL: domain "
    "reference 3.1 gas.ch4_space (interval proposed there, no source); reports on alarm and on "
    "recovery: 2.4; range of a laser instrument, accuracy, resolution and battery proposed",
)
_WELL = DeviceKind(
    kind="well_methane",
    quantity="methane",
    domain="gas",
    range_low=0.0,
    range_high=100.0,
    accuracy=0.03,
    resolution=0.01,
    interval_s=1800,
    alarm_interval_s=60,
    upload_s=0,
    max_step=100.0,
    alarm_low=math.nan,
    alarm_high=0.5,
    source="as manhole_methane: domain reference 3.1 gas.ch4_space names manholes and valve wells "
    "together; range, accuracy, resolution and battery proposed",
)
_STATION = DeviceKind(
    kind="station_methane",
    quantity="methane_lel",
    domain="gas",
    range_low=0.0,
    range_high=100.0,
    accuracy=0.5,
    resolution=0.1,
    interval_s=60,
    alarm_interval_s=10,
    upload_s=0,
    max_step=100.0,
    alarm_low=math.nan,
    alarm_high=10.0,
    source="1 min normal, 10 s in alarm, first limit 10 %LEL: domain reference 3.1 "
    "gas.ch4_station; range of a catalytic head, accuracy and resolution proposed",
    battery_years=0.0,
)
_TUNNEL = DeviceKind(
    kind="tunnel_methane",
    quantity="methane_lel",
    domain="gas",
    range_low=0.0,
    range_high=100.0,
    accuracy=0.5,
    resolution=0.1,
    interval_s=60,
    alarm_interval_s=10,
    upload_s=0,
    max_step=100.0,
    alarm_low=math.nan,
    alarm_high=10.0,
    source="as station_methane: domain reference 3.1 gas.ch4_station names stations and the gas "
    "cabins of utility tunnels together; range, accuracy and resolution proposed",
    battery_years=0.0,
)
_PRESSURE = DeviceKind(
    kind="gas_pressure",
    quantity="gas_pressure",
    domain="gas",
    range_low=0.0,
    range_high=600.0,
    accuracy=0.05,
    resolution=0.01,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    max_step=500.0,
    alarm_low=math.nan,
    alarm_high=400.0,
    source="5 min normal, 1 min in alarm: domain reference 3.1 gas.pressure_low; high limit: the "
    "bound of medium pressure A, 0.4 MPa: 2.4; one sheet for low and medium pressure, so a digital "
    "transmitter of wide range; range, accuracy and resolution proposed. The low limit depends on "
    "the set-point of the place",
)
_FLOW = DeviceKind(
    kind="gas_flow",
    quantity="flow",
    domain="gas",
    range_low=-20000.0,
    range_high=20000.0,
    accuracy=1.0,
    resolution=0.1,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    max_step=10000.0,
    alarm_low=math.nan,
    alarm_high=math.nan,
    source="5 min normal, 1 min in alarm: domain reference 3.1 gas.flow_z; the rest proposed for "
    "one size of meter at a regulator with mains power",
    battery_years=0.0,
)

KINDS: Mapping[str, DeviceKind] = MappingProxyType(
    {kind.kind: kind for kind in (_MANHOLE, _WELL, _STATION, _TUNNEL, _PRESSURE, _FLOW)}
)
"""Every kind of this domain by name."""
