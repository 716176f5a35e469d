"""The devices of a test: a registry, the city they stand in, and their readings tick by tick."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from api.rule_tests.document import DEFAULT_START_MS, CaseTable, DeviceTable
from api.rule_tests.durations import duration_words
from api.rule_tests.notation import NotationError, Series, read_series
from pipeline.errors import RuleError
from pipeline.ports import Conditions
from sensors.city import City, Row
from sensors.devices import device_kind
from sensors.errors import RegistryError
from sensors.readings import Floats, Frame, FrameId, Int64s, ReadingBatch
from sensors.registry import Device, Registry
from simulator.randomness import Keys, keys

_NODE_KINDS = {
    "network_pressure": "junction",
    "gas_pressure": "junction",
    "manhole_methane": "manhole_space",
    "well_methane": "valve_well",
    "station_methane": "station",
    "tunnel_methane": "tunnel",
    "road_ponding": "road",
    "underpass_ponding": "underpass",
    "drain_level": "manhole",
    "rain_gauge": "rain_gauge",
    "hydrant_pressure": "high_rise",
    "fire_tank_level": "high_rise",
}
"""Device kind → what kind of node its element is."""
_LINK_KINDS = {"dma_flow": "pipe", "gas_flow": "pipe", "drain_pump_state": "pump"}
_LINK_KINDS["pump_state"] = "pump"
MOST_TICKS = 100_000_000
"""Ticks a test may last: three years of seconds, and many hours of computing."""
DEFAULT_INTERVAL_MS = 300_000
"""Sampling interval where neither file, test nor device has one."""


@dataclass(frozen=True, slots=True)
class Group:
    """Devices of one entry: numbers from `first` on, one series, arrivals in order.

    Attributes:
        first: Number of the first device.
        numbers: Numbers of the devices.
        series: Their series.
        interval_ms: Sampling interval.
        offset_ms: Time of the first sample after the start.
        order: Samples in the order of their arrival.
        arrives_ms: When each of `order` arrives after the start.
        keys: Random key of each device.
    """

    first: int
    numbers: Int64s
    series: Series
    interval_ms: int
    offset_ms: int
    order: Int64s
    arrives_ms: Int64s
    keys: Keys


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices of a test and what they will show."""

    registry: Registry
    groups: tuple[Group, ...]
    start_ms: int
    tick_ms: int
    duration_ms: int

    @property
    def samples(self) -> int:
        """Samples that will come, repeats not counted."""
        counts = (int(np.isfinite(g.series.base).sum()) * len(g.numbers) for g in self.groups)
        return sum(counts)

    def ticks(self) -> Iterator[tuple[int, list[Frame]]]:
        """Yield event time and arriving frames of each tick; one tick in memory at a time."""
        next_of = [0] * len(self.groups)
        gateways = self.registry.texts("gateway")
        names, gateway_of = np.unique(np.array(gateways), return_inverse=True)
        writer = _Writer(names.tolist(), gateway_of.reshape(-1))
        for after_ms in range(0, self.duration_ms + 1, self.tick_ms):
            parts: list[ReadingBatch] = []
            again: list[ReadingBatch] = []
            for place, group in enumerate(self.groups):
                end = int(np.searchsorted(group.arrives_ms, after_ms, side="right"))
                for sample in group.order[next_of[place] : end].tolist():
                    batch = self._sampled(group, sample)
                    parts.append(batch)
                    if group.series.is_twice[sample]:
                        again.append(batch)
                next_of[place] = end
            now_ms = self.start_ms + after_ms
            yield now_ms, writer.frames(parts, again, now_ms)

    def _sampled(self, group: Group, sample: int) -> ReadingBatch:
        values = group.series.value(sample, group.keys)
        time_ms = self.start_ms + group.offset_ms + sample * group.interval_ms
        is_there = np.isfinite(values)
        numbers = group.numbers if is_there.all() else group.numbers[is_there]
        shown = values if is_there.all() else values[is_there]
        return ReadingBatch.of(numbers, np.full(len(numbers), time_ms), shown)


class _Writer:
    """Frames readings by gateway, numbering each gateway's frames."""

    def __init__(self, names: Sequence[str], gateway_of: Int64s) -> None:
        self._names, self._gateway_of = names, gateway_of
        self._seq = [0] * len(names)

    def frames(
        self, parts: list[ReadingBatch], again: list[ReadingBatch], now_ms: int
    ) -> list[Frame]:
        """Return one frame a gateway; what comes twice comes again, redelivered and resent."""
        first = self._framed(parts, now_ms)
        resent = self._framed(again, now_ms)
        return [*first, *resent, *(resent if again else [])]

    def _framed(self, parts: list[ReadingBatch], now_ms: int) -> list[Frame]:
        batch = ReadingBatch.concat(parts)
        if not len(batch):
            return []
        if len(self._names) == 1:
            return [self._frame(0, batch, now_ms)]
        gateway = self._gateway_of[batch.device]
        order = np.argsort(gateway, kind="stable")
        batch, gateway = batch.take(order), gateway[order]
        starts = np.flatnonzero(np.diff(gateway, prepend=-1))
        ends = [*starts[1:].tolist(), len(batch)]
        return [
            self._frame(int(gateway[begin]), batch.take(slice(begin, end)), now_ms)
            for begin, end in zip(starts.tolist(), ends, strict=True)
        ]

    def _frame(self, gateway: int, batch: ReadingBatch, now_ms: int) -> Frame:
        identity = FrameId(self._names[gateway], 1, self._seq[gateway])
        self._seq[gateway] += 1
        return Frame(identity, now_ms, batch)


def fleet_of(test: CaseTable, where: str) -> Fleet:
    """Build the devices of a test.

    Raises:
        RuleError: a kind is unknown, an id is doubled or a series cannot be read.
    """
    devices: list[Device] = []
    groups: list[Group] = []
    seed = test.seed or 0
    for entry in test.devices:
        interval_ms = entry.interval or test.interval or DEFAULT_INTERVAL_MS
        at = f"{where}: device {entry.id}"
        series = _series(entry.input, interval_ms, f"{at}: input")
        if entry.expected:
            _series(entry.expected, interval_ms, f"{at}: expected")
        try:
            made = _devices(entry, interval_ms)
        except RegistryError as error:
            raise RuleError(f"{at}: kind = {entry.kind!r}: {error}") from error
        except TypeError as error:
            raise RuleError(f"{at}: sheet: {error}; use names of the data sheet") from error
        groups.append(_group(entry, series, interval_ms, len(devices), made, seed))
        devices += made
    try:
        registry = Registry.of(devices)
    except RegistryError as error:
        raise RuleError(f"{where}: {error}; give every device its own id") from error
    tick_ms = test.tick or math.gcd(*(step for g in groups for step in _steps(g)))
    last_ms = max(int(group.arrives_ms[-1]) for group in groups)
    duration = test.duration if test.duration is not None else -(-last_ms // tick_ms) * tick_ms
    if duration // tick_ms > MOST_TICKS:
        raise RuleError(
            f"{where}: {duration_words(duration)} are {duration // tick_ms:,} ticks of "
            f"{duration_words(tick_ms)}, more than {MOST_TICKS:,}; shorten it or give a longer tick"
        )
    start_ms = DEFAULT_START_MS if test.start_ms is None else test.start_ms
    return Fleet(registry, tuple(groups), start_ms, tick_ms, duration)


def _series(text: str, interval_ms: int, at: str) -> Series:
    try:
        return read_series(text, interval_ms)
    except NotationError as error:
        raise RuleError(f"{at} = {error}") from error


def _steps(group: Group) -> tuple[int, ...]:
    return (group.interval_ms, group.offset_ms) if group.offset_ms else (group.interval_ms,)


def _group(
    entry: DeviceTable, series: Series, interval_ms: int, first: int, made: list[Device], seed: int
) -> Group:
    arrives = series.arrivals_ms(interval_ms) + entry.offset
    order = np.argsort(arrives, kind="stable")
    return Group(
        first,
        np.arange(first, first + len(made)),
        series,
        interval_ms,
        entry.offset,
        order,
        arrives[order],
        keys(seed, "rule-tests", [device.id for device in made]),
    )


def _devices(entry: DeviceTable, interval_ms: int) -> list[Device]:
    """Return the devices of an entry by the data sheet of their kind."""
    kind = device_kind(entry.kind)
    figures = {
        name: getattr(kind, name)
        for name in ("range_low", "range_high", "accuracy", "resolution", "max_step")
    }
    interval_s = max(1, round(interval_ms / 1000))
    first = Device(
        id=entry.id,
        kind=kind.kind,
        quantity=kind.quantity,
        domain=kind.domain,
        area=entry.area,
        element=entry.element or entry.id,
        gateway=f"g-{entry.area}",
        x_m=entry.x_m,
        y_m=entry.y_m,
        interval_s=interval_s,
        alarm_interval_s=min(kind.alarm_interval_s, interval_s),
        upload_s=0,
        alarm_low=math.nan,
        alarm_high=math.nan,
        profile=entry.profile,
        **{**figures, **entry.sheet},
    )
    if entry.count == 1:
        return [first]
    common = asdict(first)  # `replace` costs as much again as all the rest of a large fleet
    made: list[Device] = []
    for number in range(entry.count):
        area = entry.area if entry.areas == 1 else f"{entry.area}{number % entry.areas:03d}"
        name = f"{entry.id}-{number:06d}"
        x_m = entry.x_m + number * entry.spacing_m
        element = entry.element or name
        own = {"id": name, "area": area, "element": element, "gateway": f"g-{area}", "x_m": x_m}
        made.append(Device(**{**common, **own}))
    return made


def constants_of(test: CaseTable, fleet: Fleet) -> dict[str, Floats]:
    """Return what the platform knows of the sites: name → constant a device, NaN unknown."""
    constants: dict[str, Floats] = {}
    for entry, group in zip(test.devices, fleet.groups, strict=True):
        for name, value in entry.constants.items():
            column = constants.setdefault(name, np.full(len(fleet.registry), np.nan))
            column[group.numbers] = value
    return constants


class ExpectedSeries:
    """Stands for the platform's network model: what each device would show if all were well."""

    def __init__(self, test: CaseTable, fleet: Fleet) -> None:
        """Take the series that devices have as `expected`; NaN for devices without one."""
        self._fleet = fleet
        self._series = [
            read_series(entry.expected, group.interval_ms).base if entry.expected else None
            for entry, group in zip(test.devices, fleet.groups, strict=True)
        ]

    def expect(self, at_ms: int, conditions: Conditions) -> Floats:
        """Return one value a device, in registry order; see `NetworkModel.expect`."""
        values = np.full(len(self._fleet.registry), np.nan)
        for group, series in zip(self._fleet.groups, self._series, strict=True):
            if series is not None:
                sample = (at_ms - self._fleet.start_ms - group.offset_ms) // group.interval_ms
                values[group.numbers] = series[min(max(sample, 0), len(series) - 1)]
        return values


def city_of(test: CaseTable, fleet: Fleet) -> City:
    """Return the small city the devices stand in: their elements, permits and people."""
    nodes: dict[str, Row] = {}
    links: dict[str, Row] = {}
    registry = fleet.registry
    columns = ("element", "kind", "domain", "area")
    texts = zip(*(registry.texts(column) for column in columns), strict=True)
    x_m, y_m = registry.numbers("x_m"), registry.numbers("y_m")
    for place, (element, kind, domain, area) in enumerate(texts):
        at = {"x_m": float(x_m[place]), "y_m": float(y_m[place])}
        if kind in _LINK_KINDS:
            links.setdefault(element, _link(element, domain, _LINK_KINDS[kind], area))
            for end in ("a", "b"):
                name = f"{element}-{end}"
                nodes.setdefault(name, _node(name, domain, "junction", area, at, 0.0))
            continue
        node_kind = _NODE_KINDS.get(kind, kind)
        nodes.setdefault(element, _node(element, domain, node_kind, area, at, test.people))
    rows: dict[str, list[Row]] = {
        "nodes": list(nodes.values()),
        "links": [link for name, link in links.items() if name not in nodes],
        "areas": [
            {"id": area, "name": area, "kind": "area", "district": "", "x_m": 0.0, "y_m": 0.0}
            for area in sorted(set(registry.texts("area")))
        ],
        "permits": [
            {
                "id": f"permit-{number}",
                "kind": permit.kind,
                "element": permit.element,
                "area": permit.area,
                "x_m": permit.x_m,
                "y_m": permit.y_m,
                "start_ms": fleet.start_ms + permit.at,
                "end_ms": fleet.start_ms + permit.until,
                "holder": permit.holder,
            }
            for number, permit in enumerate(test.permits)
        ],
    }
    return City.of_rows("rule-test", "Rule test", rows)


def _node(name: str, domain: str, kind: str, area: str, at: dict[str, float], people: float) -> Row:
    return {
        "id": name,
        "domain": domain,
        "kind": kind,
        "area": area,
        **at,
        "elevation_m": 0.0,
        "base_demand_m3_h": 0.0,
        "people": people,
    }


def _link(name: str, domain: str, kind: str, area: str) -> Row:
    return {
        "id": name,
        "domain": domain,
        "kind": kind,
        "area": area,
        "from_node": f"{name}-a",
        "to_node": f"{name}-b",
        "length_m": 100.0,
        "diameter_mm": 100.0,
    }
