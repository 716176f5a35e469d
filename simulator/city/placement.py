"""Where instruments go: pressure at critical and spread points, flow at the borders of areas."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.devices import DeviceKind
from sensors.devices.water import KINDS
from sensors.registry import Device, Registry, entity_id
from simulator.city.areas import Labels, area_name
from simulator.city.drawing import Drawing, NormalDay

PRESSURE_SHARE = 0.2
"""Share of the junctions with demand that carry a pressure device (proposed)."""
LEAST_PER_AREA = 2
LEAST_IN_ALL = 4
DEVICES_PER_GATEWAY = 50
LATE_EVERY = 3
"""Every third flow device keeps its readings and sends them in hourly batches (proposed; the
domain reference 2.5 quotes meters that send every 1 to 2 h)."""

LIMIT_MARGIN = 0.85
"""Alarm limit of a pressure device over its lowest normal pressure (proposed)."""
FLOW_NOISE = 0.003
"""Noise of a flow meter over its full scale, 1 sigma (proposed)."""

_FLOW_RESERVE = 3.0
_SMALLEST_METER_M3_H = 20.0


@dataclass(frozen=True, slots=True)
class _Site:
    """One instrument before it has an id."""

    kind: DeviceKind
    area: int
    element: str
    x_m: float
    y_m: float
    range_high: float
    alarm_low: float = math.nan


def place_devices(
    drawing: Drawing, areas: Labels, day: NormalDay, pressure_share: float = PRESSURE_SHARE
) -> Registry:
    """Return the registry of a network's instruments, ordered by area, kind and element.

    Pressure goes to a share of the junctions with demand, at least two an area and four in
    all: first the one with the lowest normal pressure, then always the farthest from those
    chosen. Flow goes to every link that crosses a border between areas, every pump and every
    link of a reservoir or tank; level to each tank; state to each pump.

    Args:
        drawing: The network.
        areas: Area of each node (`divide`).
        day: Its normal day, which sets alarm limits and meter sizes.
        pressure_share: Share of the junctions with demand to equip, 0 to 1.
    """
    sites = [
        *_pressure_sites(drawing, areas, day, pressure_share),
        *_flow_sites(drawing, areas, day),
        *_level_sites(drawing, areas),
        *_pump_sites(drawing, areas),
    ]
    kinds = list(KINDS)
    sites.sort(key=lambda site: (site.area, kinds.index(site.kind.kind), site.element))
    return Registry.of(_devices(sites))


def spread_points(
    x_m: NDArray[np.float64], y_m: NDArray[np.float64], first: int, count: int
) -> list[int]:
    """Return `count` positions: `first`, then always the farthest from those chosen."""
    chosen = [first]
    nearest = np.hypot(x_m - x_m[first], y_m - y_m[first])
    while len(chosen) < min(count, len(x_m)):
        nearest[chosen] = -1.0
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.hypot(x_m - x_m[chosen[-1]], y_m - y_m[chosen[-1]]))
    return chosen


def is_watched(drawing: Drawing, areas: Labels) -> NDArray[np.bool_]:
    """Return which links carry a flow meter: those across borders, at sources, and pumps."""
    ends = drawing.from_node, drawing.to_node
    is_source = ~drawing.is_node("junction")
    watched: NDArray[np.bool_] = (
        (areas[ends[0]] != areas[ends[1]])
        | is_source[ends[0]]
        | is_source[ends[1]]
        | drawing.is_link("pump")
    )
    return watched


def meter_range(largest_m3_h: float) -> float:
    """Return the full scale of a meter: 1, 2 or 5 times a power of ten, with reserve.

    Args:
        largest_m3_h: Largest flow of the link on a normal day.
    """
    wanted = max(_FLOW_RESERVE * largest_m3_h, _SMALLEST_METER_M3_H)
    decade = 10.0 ** math.floor(math.log10(wanted))
    return next(step * decade for step in (1.0, 2.0, 5.0, 10.0) if step * decade >= wanted)


def _pressure_sites(drawing: Drawing, areas: Labels, day: NormalDay, share: float) -> list[_Site]:
    kind = KINDS["network_pressure"]
    labels = range(int(areas.max()) + 1)
    least = max(LEAST_PER_AREA, math.ceil(LEAST_IN_ALL / len(labels)))
    sites = []
    for label in labels:
        inside = drawing.is_node("junction") & (areas == label)
        served = np.flatnonzero(inside & (drawing.demand_m3_h > 0))
        count = max(least, round(share * len(served)))
        nodes = served if len(served) >= count else np.flatnonzero(inside)
        if len(nodes) == 0:
            continue
        first = int(np.argmin(day.lowest_mpa[nodes]))
        for place in spread_points(drawing.x_m[nodes], drawing.y_m[nodes], first, count):
            node = int(nodes[place])
            limit = min(kind.alarm_low, round(LIMIT_MARGIN * float(day.lowest_mpa[node]), 4))
            sites.append(
                _at_node(kind, drawing, areas, node, alarm_low=limit if limit > 0 else math.nan)
            )
    return sites


def _flow_sites(drawing: Drawing, areas: Labels, day: NormalDay) -> list[_Site]:
    kind = KINDS["dma_flow"]
    return [
        _at_link(kind, drawing, areas, int(link), meter_range(float(day.largest_m3_h[link])))
        for link in np.flatnonzero(is_watched(drawing, areas))
    ]


def _level_sites(drawing: Drawing, areas: Labels) -> list[_Site]:
    kind = KINDS["tank_level"]
    tanks = np.flatnonzero(drawing.is_node("tank"))
    return [_at_node(kind, drawing, areas, int(node)) for node in tanks]


def _pump_sites(drawing: Drawing, areas: Labels) -> list[_Site]:
    kind = KINDS["pump_state"]
    pumps = np.flatnonzero(drawing.is_link("pump"))
    return [_at_link(kind, drawing, areas, int(link), kind.range_high) for link in pumps]


def _at_node(
    kind: DeviceKind, drawing: Drawing, areas: Labels, node: int, alarm_low: float = math.nan
) -> _Site:
    x_m, y_m = float(drawing.x_m[node]), float(drawing.y_m[node])
    name, area = drawing.node_ids[node], int(areas[node])
    return _Site(kind, area, name, x_m, y_m, kind.range_high, alarm_low)


def _at_link(
    kind: DeviceKind, drawing: Drawing, areas: Labels, link: int, range_high: float
) -> _Site:
    x_m, y_m = drawing.middle_m()
    area = int(areas[drawing.from_node[link]])
    return _Site(kind, area, drawing.link_ids[link], float(x_m[link]), float(y_m[link]), range_high)


def _devices(sites: list[_Site]) -> list[Device]:
    serials: dict[tuple[str, int], int] = {}
    in_area: dict[int, int] = {}
    devices, flows = [], 0
    for site in sites:
        kind, area = site.kind, area_name(site.area)
        serial = serials[kind.kind, site.area] = serials.get((kind.kind, site.area), 0) + 1
        place = in_area[site.area] = in_area.get(site.area, 0) + 1
        is_flow = kind.kind == "dma_flow"
        flows += is_flow
        devices.append(
            Device(
                id=entity_id(kind.kind, area, serial),
                kind=kind.kind,
                quantity=kind.quantity,
                domain=kind.domain,
                area=area,
                element=site.element,
                gateway=f"gw-{area}-{(place - 1) // DEVICES_PER_GATEWAY + 1}",
                x_m=site.x_m,
                y_m=site.y_m,
                interval_s=kind.interval_s,
                alarm_interval_s=kind.alarm_interval_s,
                upload_s=kind.upload_s if flows % LATE_EVERY == 0 and is_flow else 0,
                range_low=-site.range_high if is_flow else kind.range_low,
                range_high=site.range_high,
                accuracy=FLOW_NOISE * site.range_high if is_flow else kind.accuracy,
                resolution=kind.resolution,
                alarm_low=site.alarm_low,
                alarm_high=kind.alarm_high,
                max_step=site.range_high if is_flow else kind.max_step,
            )
        )
    return devices
