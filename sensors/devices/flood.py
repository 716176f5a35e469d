"""Instruments of rain, drains and flooded places: gauge, ponding, manhole, river, pump state."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from sensors.devices import DeviceKind

_RAIN = DeviceKind(
    kind="rain_gauge",
    quantity="rainfall",
    domain="rain",
    range_low=0.0,
    range_high=20000.0,
    accuracy=0.0,
    resolution=0.2,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    max_step=50.0,
    alarm_low=math.nan,
    alarm_high=math.nan,
    source="5 min normal, 1 min in heavy rain: domain reference 3.1 rain.local_1h, 12 five-minute "
    "values an hour: 2.6; tip of 0.2 mm and the range of the counter proposed. A counter has no "
    "noise: its errors are in the gain (Spread.counter_gain); largest step: 50 mm in 5 min, three "
    "times the pace of 201.9 mm in an hour (2.3)",
)
_ROAD = DeviceKind(
    kind="road_ponding",
    quantity="ponding_depth",
    domain="flood",
    range_low=0.0,
    range_high=150.0,
    accuracy=0.3,
    resolution=1.0,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    max_step=80.0,
    alarm_low=math.nan,
    alarm_high=10.0,
    source="range 1.5 m, error 1 cm, battery 5 years: domain reference 2.6, buried ponding sensor; "
    "an error of 1 cm is taken as three standard deviations and as the step of the display; 5 min "
    "normal, 1 min in alarm: 3.1 flood.ponding_road; limit below the blue 15 cm proposed",
)
_UNDERPASS = DeviceKind(
    kind="underpass_ponding",
    quantity="ponding_depth",
    domain="flood",
    range_low=0.0,
    range_high=500.0,
    accuracy=0.3,
    resolution=1.0,
    interval_s=60,
    alarm_interval_s=60,
    upload_s=0,
    max_step=100.0,
    alarm_low=math.nan,
    alarm_high=10.0,
    source="1 min always and the limit 10 cm: domain reference 3.1 flood.ponding_underpass; error "
    "as road_ponding; range of a gauge on the wall of the tunnel and its mains power proposed",
    battery_years=0.0,
)
_DRAIN = DeviceKind(
    kind="drain_level",
    quantity="freeboard",
    domain="flood",
    range_low=0.0,
    range_high=7.0,
    accuracy=0.003,
    resolution=0.001,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    max_step=3.5,
    alarm_low=1.0,
    alarm_high=math.nan,
    source="radar 0 to 7 m, 3 mm, under the cover, so it looks down and measures the freeboard: "
    "domain reference 2.6; 5 min, faster when a limit is reached: 2.6 and 3.1 "
    "flood.drain_freeboard (limit: its yellow 1 m); 3 mm taken as one standard deviation, battery "
    "and largest step proposed",
)
_RIVER = DeviceKind(
    kind="river_level",
    quantity="water_level",
    domain="flood",
    range_low=0.0,
    range_high=40.0,
    accuracy=0.01,
    resolution=0.001,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=3600,
    max_step=2.0,
    alarm_low=math.nan,
    alarm_high=math.nan,
    source="hourly report with 12 five-minute values (SL 651): domain reference 2.6; the rest "
    "proposed. The warning stage depends on the place",
)
_PUMP = DeviceKind(
    kind="drain_pump_state",
    quantity="pump_state",
    domain="flood",
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
    {kind.kind: kind for kind in (_RAIN, _ROAD, _UNDERPASS, _DRAIN, _RIVER, _PUMP)}
)
"""Every kind of this domain by name."""
