"""Four areas with every kind of device, the loop's first stages over them, and bad days there.

A bad day is drawn from a seed: devices walk between the values that matter to their rules, fall
silent and jump; frames are late, repeated, shuffled and lost; people call; operators acknowledge,
shelve and silence; rule files come while the platform runs, good ones and broken ones.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from api.bootstrap import assess_policy, point_policy
from pipeline.assess.stage import AssessStage
from pipeline.loop import LOOP
from pipeline.messages import (
    Message,
    OperatorAct,
    OperatorActKind,
    RuleText,
    Samples,
)
from pipeline.monitor.stage import MonitorStage
from pipeline.ports import Conditions
from pipeline.rules import RuleSet, default_rules
from pipeline.runners.router import Router
from pipeline.stage import Stage
from pipeline.warn.stage import WarnStage
from sensors.city import City, Row
from sensors.devices import device_kind
from sensors.field import DeviceStatus, HotlineReport
from sensors.readings import Floats, Frame, FrameId, ReadingBatch
from sensors.registry import Device, Registry, partition_of
from tests.conformance.stage_properties import Script

START_MS = 1_782_864_000_000
AREAS = ("A", "B", "C", "D")
USUAL: Mapping[str, tuple[float, ...]] = {
    "network_pressure": (0.30, 0.303, 0.19, 0.13, 0.08, 0.235),
    "dma_flow": (40.0, 42.0, 90.0, 160.0),
    "manhole_methane": (0.0, 0.3, 0.55, 1.2, 3.0, 5.5),
    "well_methane": (0.0, 0.6, 2.8),
    "station_methane": (1.0, 12.0, 22.0, 55.0),
    "gas_pressure": (2.5, 2.49, 2.0, 1.2, 2.9),
    "gas_flow": (50.0, 55.0, 200.0),
    "rain_gauge": (0.0, 2.0, 12.0, 25.0),
    "road_ponding": (0.0, 12.0, 29.0, 31.0, 65.0),
    "underpass_ponding": (0.0, 11.0, 24.0, 28.0, 55.0),
    "drain_level": (2.5, 1.3, 0.7, 0.2, -0.1),
    "drain_pump_state": (0.0, 1.0),
    "hydrant_pressure": (0.25, 0.09, 0.04),
}
"""Kind → what it shows when all is well, then what matters to its rules; rain in mm a tick."""
KINDS = (*USUAL, "manhole_methane", "network_pressure")
"""Kinds of the devices of an area, in their order."""
_LINKS = frozenset({"dma_flow", "gas_flow", "drain_pump_state"})
_NODE = {
    "manhole_methane": "manhole_space",
    "well_methane": "valve_well",
    "station_methane": "station",
    "road_ponding": "road",
    "underpass_ponding": "underpass",
    "drain_level": "manhole",
    "rain_gauge": "rain_gauge",
    "hydrant_pressure": "high_rise",
}
GOOD_RULES = """
format: 1
extends: national
version: stricter
city: national
rules:
  gas.ch4_space: {thresholds: {blue: 0.4}}
  flood.ponding_road: {thresholds: {yellow: 20}}
"""
BAD_RULES = "format: 1\nextends: national\nrules: {gas.ch4_space: {thresholds: {blue: wet}}}\n"
RULES = default_rules()


def registry(interval_s: int) -> Registry:
    """Return the devices; those of an area stand 40 m apart, areas 400 m."""
    return Registry.of(
        _device(kind, number, place, area, interval_s)
        for place, area in enumerate(AREAS)
        for number, kind in enumerate(KINDS)
    )


def city(devices: Registry) -> City:
    """Return the tables of the city the devices stand in, with people and one work permit."""
    nodes: list[Row] = []
    links: list[Row] = []
    for number in range(len(devices)):
        one = devices.device(number)
        at = {"domain": one.domain, "area": one.area}
        size = {"length_m": 100.0, "diameter_mm": 100.0}
        spot = {"y_m": 0.0, "elevation_m": 0.0, "base_demand_m3_h": 0.0, "people": 900.0}
        if one.kind not in _LINKS:
            kind = _NODE.get(one.kind, "junction")
            nodes.append({"id": one.element, "kind": kind, **at, "x_m": one.x_m, **spot})
            continue
        ends = [f"{one.element}-{end}" for end in "ab"]
        nodes += [
            {"id": end, "kind": "junction", **at, "x_m": one.x_m + 30 * place, **spot}
            for place, end in enumerate(ends)
        ]
        kind = "pump" if one.kind == "drain_pump_state" else "pipe"
        between = {"from_node": ends[0], "to_node": ends[1]}
        links.append({"id": one.element, "kind": kind, **at, **between, **size})
    works = {"id": "W", "kind": "works", "element": nodes[0]["id"], "area": "A", "holder": "dig"}
    works |= {"x_m": 200.0, "y_m": 0.0, "start_ms": START_MS, "end_ms": START_MS + 10**9}
    rows: dict[str, list[Row]] = {"nodes": nodes, "links": links, "permits": [works]}
    return City.of_rows("four", "Four areas", rows)


class SteadyModel:
    """Stands for the network model: what the pressure devices show when all is well."""

    def __init__(self, devices: Registry) -> None:
        is_pressure = np.array(devices.texts("kind")) == "network_pressure"
        self._expected: Floats = np.where(is_pressure, 0.30, np.nan)

    def expect(self, at_ms: int, conditions: Conditions) -> Floats:
        """Return one value a device; see `NetworkModel.expect`."""
        return self._expected


class Chain:
    """Monitor, warn and, where wanted, assess, joined as a runner joins them: one stage to look at.

    Handing it the messages of a tick in parts is a runner's batching; `restarted` goes on in
    fresh stages from the snapshots of the old ones.
    """

    def __init__(
        self,
        devices: Registry,
        rules: RuleSet = RULES,
        *,
        part: tuple[int, int] = (0, 1),
        is_whole: bool = True,
    ) -> None:
        """Build the stages; `is_whole` says that they know the city, and that assess is there."""
        number, count = part
        self._again = (devices, rules, part, is_whole)
        mine = [area for area in AREAS if partition_of(area, count) == number]
        depth, wide = np.full(len(devices), 3.0), np.full(len(devices), 0.8)
        town = city(devices) if is_whole else None
        self.stages: dict[str, Stage] = {
            "monitor": MonitorStage(devices, rules.device, areas=mine),
            "warn": WarnStage(
                devices,
                rules,
                model=SteadyModel(devices),
                city=town,
                constants={"invert_depth_m": depth, "diameter_m": wide},
            ),
        }
        if town is not None:
            policy, points = assess_policy(rules, issue_before_assess=False), point_policy(rules)
            self.stages["assess"] = AssessStage(
                devices, town, None, policy, points, approval=rules.approval
            )
        steps = [step for step in LOOP if step.name in self.stages]
        self._router = Router(self.stages, steps)

    def tick(
        self, messages: Sequence[Message], now_ms: int, size: int | None = None
    ) -> list[Message]:
        """Return what is said to a tick whose messages come `size` at a time."""
        size = size or max(1, len(messages))
        chunks = [messages[at : at + size] for at in range(0, len(messages), size)] or [[]]
        said: list[Message] = []
        for number, chunk in enumerate(chunks):
            is_last = number == len(chunks) - 1
            said += self._router.run(chunk, now_ms, is_time_told=is_last)
        return [message for message in said if not isinstance(message, Samples)]

    def restarted(self) -> "Chain":
        """Return fresh stages that go on from the snapshots of these."""
        devices, rules, part, is_whole = self._again
        fresh = Chain(devices, rules, part=part, is_whole=is_whole)
        for name, stage in self.stages.items():
            kept = stage.snapshot()
            fresh.stages[name].restore(kept)
            assert fresh.stages[name].snapshot() == kept, f"{name} makes another snapshot"
            assert fresh.stages[name].next_due() == stage.next_due(), f"{name} has another timer"
        return fresh


def bad_day(devices: Registry, seed: int, ticks: int, tick_s: int) -> Script:
    """Return the messages of each tick of a day drawn from a seed."""
    chance = np.random.Generator(np.random.Philox(seed))
    values = _walk(devices, chance, ticks)
    seq = dict.fromkeys(AREAS, 0)
    waiting: list[Frame] = []
    script: list[tuple[int, list[Message]]] = []
    areas = np.array(devices.texts("area"))
    for tick in range(ticks):
        now_ms = START_MS + (tick + 1) * tick_s * 1000
        for area in AREAS:
            speaks = (
                (areas == area) & ~np.isnan(values[:, tick]) & (chance.random(len(areas)) < 0.97)
            )
            numbers = np.flatnonzero(speaks)
            batch = ReadingBatch.of(numbers, now_ms - numbers * 37, values[numbers, tick])
            waiting.append(Frame(FrameId(f"g-{area}", 1, seq[area]), now_ms, batch))
            seq[area] += 1
        luck = chance.random(len(waiting))
        messages: list[Message] = [f for f, one in zip(waiting, luck, strict=True) if one < 0.92]
        again = [f for f, one in zip(waiting, luck, strict=True) if 0.8 < one < 0.96]
        waiting = [f for f, one in zip(waiting, luck, strict=True) if one >= 0.92] + again[:1]
        messages += again + _asides(devices, chance, tick, now_ms)
        script.append((now_ms, [messages[n] for n in chance.permutation(len(messages))]))
    return script


def _walk(devices: Registry, chance: np.random.Generator, ticks: int) -> Floats:
    """Return what each device shows at each tick: usual, then often something that matters."""
    shown = np.empty((len(devices), ticks))
    for row, kind in enumerate(devices.texts("kind")):
        telling = np.array(USUAL[kind])
        weights = np.array([4.0, *[1.0] * (len(telling) - 1)])
        now = 0
        for tick in range(ticks):
            if chance.random() < (0.0 if tick < 4 else 0.25):
                now = int(chance.choice(len(telling), p=weights / weights.sum()))
            shown[row, tick] = telling[now]
        shown[row] += chance.normal(0, 0.002, ticks) * max(telling.max(), 0.1)
        if chance.random() < 0.3:
            begin = int(chance.integers(ticks))
            shown[row, begin : begin + int(chance.integers(1, 9))] = np.nan
        if kind == "rain_gauge":
            shown[row] = np.cumsum(np.maximum(np.nan_to_num(shown[row]), 0.0))
    return np.round(shown, 4)


def _asides(
    devices: Registry, chance: np.random.Generator, tick: int, now_ms: int
) -> list[Message]:
    """Return what comes beside frames: a status, calls, acts of operators, rule files."""
    some = int(chance.integers(len(devices)))
    one = devices.device(some)
    found: list[Message] = [DeviceStatus(one.id, now_ms, float(chance.random()))]
    if chance.random() < 0.35:
        subject = str(chance.choice(["gas_smell", "no_water", "ponding", "water_on_road"]))
        found += [
            HotlineReport(f"C{tick}-{n}", now_ms - n, now_ms, subject, one.area, one.x_m, float(n))
            for n in range(int(chance.integers(1, 5)))
        ]
    if chance.random() < 0.25:
        kinds = ("acknowledge", "shelve", "silence", "suppress", "out_of_service", "in_service")
        kind = OperatorActKind(str(chance.choice(kinds)))
        until_ms = now_ms + int(chance.integers(1, 12)) * 600_000
        match = {"domain": one.domain} if chance.random() < 0.4 else {"device": one.id}
        found.append(OperatorAct(f"act{tick}", kind, "", "li", "test", now_ms, until_ms, match))
    if chance.random() < 0.12:
        text = BAD_RULES if chance.random() < 0.4 else GOOD_RULES
        found.append(RuleText(f"rules{tick}", text, "x.yaml", "li", now_ms))
    return found


def _device(kind: str, number: int, place: int, area: str, interval_s: int) -> Device:
    sheet = device_kind(kind)
    return Device(
        id=f"{area}-{number:02d}-{kind}",
        kind=kind,
        quantity=sheet.quantity,
        domain=sheet.domain,
        area=area,
        element=f"{area}{number}",
        gateway=f"g-{area}",
        x_m=400.0 * place + 40.0 * number,
        y_m=0.0,
        interval_s=interval_s,
        alarm_interval_s=60,
        upload_s=0,
        range_low=sheet.range_low,
        range_high=sheet.range_high,
        accuracy=sheet.accuracy,
        resolution=0.0,
        alarm_low=float("nan"),
        alarm_high=float("nan"),
        max_step=sheet.max_step,
    )
