"""The devices of an import: what the mapping and its table say of each name in the data."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from api.importing.device_table import Rows, device_rows
from api.importing.errors import MappingError
from api.importing.ids import AreaIds, plain_id
from api.importing.mapping import DeviceSpec, Mapping
from api.importing.units import factor
from sensors.devices import DeviceKind, device_kinds
from sensors.quantities import QUANTITIES
from sensors.registry import Device

_EARTH_M = 6_371_008.8
"""Mean radius of the earth, metres (IUGG)."""
_BLOCK_M = 2000.0
"""Areas whose place is not known lie so far apart that none is near another, metres."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One device and how its values become ours: `value * scale + offset`.

    `area_name` is its area as the mapping writes it; the id of the area stands in `device`.
    """

    name: str
    device: Device
    area_name: str
    scale: float
    offset: float
    is_increment: bool
    interval_s: int | None


def map_devices(
    names: Sequence[str], mapping: Mapping, source: str, base: Path
) -> tuple[list[Mapped], list[str], list[str]]:
    """Return the devices among the names, names that no entry matches, and names without data.

    Args:
        names: Names as they stand in the data.
        mapping: What is said of them.
        source: The mapping's file, for messages.
        base: Folder that paths are relative to.

    Raises:
        MappingError: kind or unit are unknown or missing, half a place is given, two areas would
            have one id, or no name is mapped.
    """
    specs = [(f"{source}: devices[{n}]", one) for n, one in enumerate(mapping.devices)]
    rows = device_rows(mapping, base)
    kinds = device_kinds()
    found, left = list[Mapped](), list[str]()
    taken, areas = set[str](), AreaIds()
    for name in names:
        spec, where = _spec_of(name, rows, specs)
        if spec is None:
            left.append(name)
            continue
        if spec.kind is None or spec.kind not in kinds:
            value = f" = {spec.kind!r}" if spec.kind else " (for " + repr(name) + ")"
            raise MappingError(f"{where}: kind{value}: give one of {', '.join(kinds)}")
        _check_place(spec, where)
        found.append(_mapped(name, spec, kinds[spec.kind], where, taken, areas))
    if not found:
        shown = ", ".join(map(repr, names[:10])) or "none"
        raise MappingError(f"{source}: devices: no entry matches; the data has {shown}")
    placed = _placed(found, [_spec_of(one.name, rows, specs)[0] for one in found])
    return placed, left, sorted(set(rows) - set(names))


def _spec_of(
    name: str, rows: Rows, specs: list[tuple[str, DeviceSpec]]
) -> tuple[DeviceSpec | None, str]:
    """Return what is said of a name: the table's row, filled up by the first entry that fits."""
    general = next(((one, at) for at, one in specs if fnmatchcase(name, one.match)), None)
    if name not in rows:
        return general or (None, "")
    where, row = rows[name]
    if general is None:
        return row, where
    given = row.model_dump(exclude_unset=True)
    return general[0].model_copy(update=given), where


def _check_place(spec: DeviceSpec, where: str) -> None:
    for one, other in (("lon", "lat"), ("x_m", "y_m")):
        given = [name for name in (one, other) if getattr(spec, name) is not None]
        if len(given) == 1:
            raise MappingError(
                f"{where}: {given[0]} = {getattr(spec, given[0]):g}: give {one} and {other}, or "
                "neither"
            )


def _mapped(
    name: str, spec: DeviceSpec, kind: DeviceKind, where: str, taken: set[str], areas: AreaIds
) -> Mapped:
    scale = spec.scale * factor(kind.quantity, spec.unit, where)
    area_name = (spec.area or "A01").replace("{}", name)
    area = areas.id_of(area_name, where)
    low = kind.range_low if spec.range_low is None else spec.range_low
    high = kind.range_high if spec.range_high is None else spec.range_high
    if low >= high:
        raise MappingError(f"{where}: range_low {low:g} is not below range_high {high:g}")
    device_id = plain_id(name)
    while device_id in taken:
        device_id += "-"
    taken.add(device_id)
    device = Device(
        id=device_id,
        kind=kind.kind,
        quantity=kind.quantity,
        domain=kind.domain,
        area=area,
        element=(spec.element or (device_id if name.isascii() else name)).replace("{}", name),
        gateway=f"import-{area}-{kind.domain}",
        x_m=math.nan,
        y_m=math.nan,
        interval_s=kind.interval_s,
        alarm_interval_s=kind.alarm_interval_s,
        upload_s=0,
        range_low=low,
        range_high=high,
        accuracy=kind.accuracy,
        resolution=kind.resolution,
        alarm_low=kind.alarm_low,
        alarm_high=kind.alarm_high,
        max_step=kind.max_step if spec.max_step is None else spec.max_step,
        profile=spec.profile or "",
    )
    return Mapped(name, device, area_name, scale, spec.offset, spec.is_increment, spec.interval)


def _placed(found: list[Mapped], specs: Iterable[DeviceSpec | None]) -> list[Mapped]:
    """Return the devices with places in a plane of metres.

    Degrees are laid into a plane around their middle. A device without a place stands in the
    middle of its area's others; an area without any lies apart from all.
    """
    given = [spec or DeviceSpec() for spec in specs]
    degrees = np.array([(s.lon, s.lat) for s in given if s.lon is not None and s.lat is not None])
    middle = degrees.mean(axis=0) if len(degrees) else np.zeros(2)
    places = [_place(spec, middle) for spec in given]
    areas = sorted({one.device.area for one in found})
    by_area: dict[str, tuple[float, float]] = {}
    east = max((place[0] for place in places if place is not None), default=0.0)
    columns = math.ceil(math.sqrt(len(areas)))
    for number, area in enumerate(areas):
        here = [
            place
            for one, place in zip(found, places, strict=True)
            if place is not None and one.device.area == area
        ]
        if here:
            by_area[area] = tuple(np.mean(here, axis=0).tolist())
        else:
            row, column = divmod(number, columns)
            by_area[area] = (east + _BLOCK_M * (1 + column), _BLOCK_M * row)
    placed = []
    for one, place in zip(found, places, strict=True):
        x_m, y_m = place or by_area[one.device.area]
        device = replace(one.device, x_m=round(x_m, 2), y_m=round(y_m, 2))
        placed.append(replace(one, device=device))
    return placed


def _place(spec: DeviceSpec, middle: np.ndarray) -> tuple[float, float] | None:
    if spec.x_m is not None and spec.y_m is not None:
        return spec.x_m, spec.y_m
    if spec.lon is None or spec.lat is None:
        return None
    east = math.radians(spec.lon - middle[0]) * math.cos(math.radians(middle[1]))
    return float(east * _EARTH_M), float(math.radians(spec.lat - middle[1]) * _EARTH_M)


def quantity_range(device: Device) -> str:
    """Return a device's range with its unit, for people."""
    unit = QUANTITIES[device.quantity].unit
    return f"{device.range_low:g} to {device.range_high:g} {unit}"
