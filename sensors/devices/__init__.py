"""What kinds of devices exist: the data sheet of each kind, found by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import MappingProxyType

from sensors.errors import RegistryError

GROUP = "tocsin.devices"
"""Entry points under which packages announce their device kinds."""


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """The data sheet of one kind of device, in the unit of its quantity.

    Attributes:
        kind: Name of the kind, such as `network_pressure`.
        quantity: Name of the observed property.
        domain: `water`, `gas`, `flood`, `rain` or `fire`.
        range_low: Lowest value it can show.
        range_high: Highest value it can show.
        accuracy: One standard deviation of its noise.
        resolution: Step of its display; 0 for none.
        interval_s: Normal sampling interval, seconds.
        alarm_interval_s: Sampling interval while its own limits are crossed, seconds.
        upload_s: Interval of the late batches of a logging device, seconds; 0 when the kind
            always sends at once.
        max_step: Largest physical change between two samples; a larger jump is a spike.
        alarm_low: Low limit at which it reports at once; NaN for none.
        alarm_high: High limit at which it reports at once; NaN for none.
        source: Where the figures come from; `proposed` where there is no source.
        battery_years: Time from a full battery to an empty one, years; 0 for mains power. The
            default is that of a buried ponding sensor (domain reference 2.6).
    """

    kind: str
    quantity: str
    domain: str
    range_low: float
    range_high: float
    accuracy: float
    resolution: float
    interval_s: int
    alarm_interval_s: int
    upload_s: int
    max_step: float
    alarm_low: float
    alarm_high: float
    source: str
    battery_years: float = 5.0


def device_kinds() -> Mapping[str, DeviceKind]:
    """Return every installed kind of device by name, in the order of their names."""
    found: dict[str, DeviceKind] = {}
    for entry in entry_points(group=GROUP):
        found.update(entry.load())
    return MappingProxyType(dict(sorted(found.items())))


def device_kind(name: str) -> DeviceKind:
    """Return one kind; RegistryError naming the known ones when there is none of that name."""
    kinds = device_kinds()
    if name not in kinds:
        raise RegistryError(f"unknown device kind {name!r}; known: {', '.join(kinds)}")
    return kinds[name]
