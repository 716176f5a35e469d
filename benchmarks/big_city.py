"""A registry of any size with the intervals of a real fleet, and cheap true values for it."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sensors.readings import Floats
from sensors.registry import Device, Registry

SHENYANG = 193_954
"""Devices of the largest fleet reported (domain reference 2.1)."""
PER_GATEWAY = 48
"""Devices on a gateway: about 4,000 gateways at full size (proposed)."""
_PER_AREA = 20
NAN = float("nan")


@dataclass(frozen=True)
class Share:
    """One kind of device in a mix.

    Attributes:
        kind: Device kind.
        quantity: What it observes.
        domain: Whose device it is.
        share: Share of the fleet, 0 to 1.
        interval_s: Normal interval, seconds.
        look_s: Interval at which it looks for its own limits, seconds.
        level: Usual true value, in the unit of the quantity.
        accuracy: Standard deviation of its noise.
        high: Its own high limit; NaN for none.
        span: Upper end of its range.
    """

    kind: str
    quantity: str
    domain: str
    share: float
    interval_s: int
    look_s: int
    level: float
    accuracy: float
    high: float
    span: float


def _mix(intervals: tuple[int, ...], shares: tuple[float, ...]) -> tuple[Share, ...]:
    """Return five kinds with the given intervals and shares; the figures are typical ones."""
    rows = (
        ("network_pressure", "pressure", "water", 60, 0.32, 0.002, NAN, 1.6),
        ("gas_pressure", "gas_pressure", "gas", 60, 2.4, 0.01, 4.0, 10.0),
        ("manhole_methane", "methane", "gas", 60, 0.05, 0.02, 0.5, 20.0),
        ("drain_level", "freeboard", "flood", 60, 3.0, 0.005, NAN, 6.0),
        ("road_ponding", "ponding_depth", "flood", 60, 0.0, 0.2, 5.0, 200.0),
    )
    return tuple(
        Share(*row[:3], share, interval, min(row[3], interval), *row[4:])
        for row, interval, share in zip(rows, intervals, shares, strict=True)
    )


MIXES = MappingProxyType(
    {
        "shenyang": _mix((300, 300, 1_800, 43_200, 43_200), (0.01, 0.02, 0.17, 0.4, 0.4)),
        "real": _mix((300, 300, 1_800, 1_800, 300), (0.2, 0.1, 0.5, 0.1, 0.1)),
        "stress": _mix((60, 60, 60, 60, 60), (0.2, 0.2, 0.2, 0.2, 0.2)),
    }
)
"""Name of a mix → its kinds: 41, 280 and 3,233 readings a second at full size (proposed)."""


def make_registry(devices: int, mix: str, elements: tuple[str, ...]) -> tuple[Registry, Floats]:
    """Return a fleet and the usual true value at each of its devices.

    Args:
        devices: How many.
        mix: One of `MIXES`.
        elements: Nodes to put them at, in turn.
    """
    rows: list[Device] = []
    levels: list[float] = []
    for share in MIXES[mix]:
        count = round(devices * share.share)
        if share is MIXES[mix][-1]:
            count = devices - len(rows)
        for place in range(count):
            gateway = place // PER_GATEWAY
            rows.append(_device(share, len(rows), gateway, elements))
        levels += [share.level] * count
    return Registry.of(rows), np.array(levels)


def _device(share: Share, number: int, gateway: int, elements: tuple[str, ...]) -> Device:
    area = f"A{gateway // _PER_AREA:03d}"
    return Device(
        id=f"{share.kind[:2].upper()}-{area}-{number:06d}",
        kind=share.kind,
        quantity=share.quantity,
        domain=share.domain,
        area=area,
        element=elements[number % len(elements)],
        gateway=f"g-{share.kind}-{gateway:05d}",
        x_m=float(number % 100) * 50.0,
        y_m=float(number // 100) * 50.0,
        interval_s=share.interval_s,
        alarm_interval_s=share.look_s,
        upload_s=0,
        range_low=0.0,
        range_high=share.span,
        accuracy=share.accuracy,
        resolution=share.accuracy / 2.0,
        alarm_low=NAN,
        alarm_high=share.high,
        max_step=share.span / 4.0,
    )


def in_storm(registry: Registry, levels: Floats) -> Floats:
    """Return the true values in a storm: two drains in ten run full, one road in twenty ponds."""
    quantity = np.array(registry.texts("quantity"))
    turn = np.arange(len(registry)) * 7919 % 100
    wet = levels.copy()
    wet[(quantity == "freeboard") & (turn < 20)] = 0.8
    wet[(quantity == "ponding_depth") & (turn < 5)] = 20.0
    return wet
