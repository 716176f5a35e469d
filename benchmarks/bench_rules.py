"""The rule engine alone: the whole national set over a large fleet, on one core in process.

Four figures: samples a second through the warn stage, what each rule and each window function
costs a sample, the memory of a device, and how the cost grows with the number of devices. Times
are those of the processor, on one core: what else the machine does makes no difference.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from benchmarks.figures import Figure
from pipeline.messages import Samples
from pipeline.rules import Function, Rule, RuleSet, Signal, default_rules
from pipeline.rules.functions import FUNCTIONS
from pipeline.warn.engine import RuleEngine
from pipeline.warn.functions.build import figures_of
from pipeline.warn.functions.fills import DEPTH, DIAMETER
from pipeline.warn.stage import WarnStage
from sensors.devices import fire, flood, gas, water
from sensors.levels import Level
from sensors.quantities import QUANTITIES
from sensors.readings import Floats, ReadingBatch
from sensors.registry import Device, Registry

DEVICES = 200_000
TARGET_PER_S = 1_000_000
TICKS = 20
TICK_MS = 300_000
START_MS = 1_750_000_000_000
SIZES = (2_000, 20_000, 200_000)
_KINDS = water.KINDS | gas.KINDS | flood.KINDS | fire.KINDS
_SHARES: Mapping[str, float] = MappingProxyType(
    {
        "network_pressure": 6_000,
        "dma_flow": 1_500,
        "tank_level": 200,
        "pump_state": 300,
        "hydrant_pressure": 62_000,
        "fire_tank_level": 22_000,
        "manhole_methane": 44_000,
        "well_methane": 18_000,
        "station_methane": 9_000,
        "tunnel_methane": 2_400,
        "gas_pressure": 10_000,
        "gas_flow": 2_500,
        "rain_gauge": 900,
        "road_ponding": 2_600,
        "underpass_ponding": 700,
        "drain_level": 11_000,
        "river_level": 354,
        "drain_pump_state": 500,
    }
)
"""Devices of each kind in the profile `shenyang`."""
_USUAL: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "pressure": (0.32, 0.004),
        "flow": (40.0, 1.0),
        "water_level": (2.5, 0.01),
        "pump_state": (1.0, 0.0),
        "methane": (0.05, 0.01),
        "methane_lel": (1.0, 0.2),
        "gas_pressure": (2.4, 0.02),
        "rainfall": (10.0, 0.0),
        "ponding_depth": (0.3, 0.2),
        "freeboard": (2.6, 0.02),
    }
)
"""Quantity → usual value and standard deviation of a quiet day (proposed)."""


def make_registry(devices: int) -> Registry:
    """Return a fleet with the profile's shares of kinds, 48 devices a gateway, 2,000 an area."""
    shares = np.cumsum(list(_SHARES.values())) / sum(_SHARES.values())
    kinds = np.array(list(_SHARES))[np.searchsorted(shares, (np.arange(devices) + 0.5) / devices)]
    rows = []
    for number, kind in enumerate(kinds.tolist()):
        sheet = _KINDS[kind]
        rows.append(
            Device(
                id=f"{kind}-{number:06d}",
                kind=kind,
                quantity=sheet.quantity,
                domain=sheet.domain,
                area=f"A{number // 2_000:03d}",
                element=f"e{number}",
                gateway=f"g{number // 48:05d}",
                x_m=0.0,
                y_m=0.0,
                interval_s=300,
                alarm_interval_s=60,
                upload_s=0,
                range_low=-1e9,
                range_high=1e9,
                accuracy=max(_USUAL[sheet.quantity][1], 1e-3),
                resolution=0.0,
                alarm_low=float("nan"),
                alarm_high=float("nan"),
                max_step=1e9,
            )
        )
    return Registry.of(rows)


def make_ticks(registry: Registry, ticks: int = TICKS) -> list[ReadingBatch]:
    """Return a sample of every device every five minutes: a quiet day, one device in 1,000 not.

    From the third tick on those are three times, or a third of, their usual value.
    """
    noise = np.random.Generator(np.random.Philox(11))
    usual = np.array([_USUAL[quantity] for quantity in registry.texts("quantity")])
    count = len(registry)
    odd = noise.choice(count, max(1, count // 1_000), replace=False)
    found = []
    for tick in range(ticks):
        value = usual[:, 0] + usual[:, 1] * noise.standard_normal(count)
        if tick >= 2:
            value[odd] *= np.where(odd % 2 == 0, 3.0, 0.33)
        time_ms = START_MS + tick * TICK_MS + noise.integers(0, TICK_MS // 2, count)
        found.append(ReadingBatch.of(np.arange(count), time_ms, value))
    return found


class _Model:
    """Stands in for the network model: its cost is the hydraulics' own benchmark."""

    def __init__(self, registry: Registry) -> None:
        is_pressure = np.array(registry.texts("kind")) == "network_pressure"
        self._expected: Floats = np.where(is_pressure, _USUAL["pressure"][0], np.nan)

    def expect(self, at_ms: int, conditions: object) -> Floats:
        return self._expected


def _constants(registry: Registry) -> dict[str, Floats]:
    return {DEPTH: np.full(len(registry), 3.0), DIAMETER: np.full(len(registry), 0.8)}


def through_stage(registry: Registry, ticks: list[ReadingBatch]) -> tuple[float, int]:
    """Return seconds in the warn stage and what it said."""
    stage = WarnStage(
        registry,
        default_rules(),
        model=_Model(registry),
        constants=_constants(registry),
    )
    spent, said = 0.0, 0
    for number, batch in enumerate(ticks):
        now_ms = START_MS + (number + 1) * TICK_MS
        began = time.process_time()
        stage.on_batch([Samples(batch, now_ms)], now_ms)
        said += len(stage.on_time(now_ms))
        spent += time.process_time() - began
    return spent, said


def through_engine(
    registry: Registry, rules: RuleSet, ticks: list[ReadingBatch]
) -> tuple[float, RuleEngine]:
    """Return seconds in the rule engine alone, and the engine."""
    engine = RuleEngine(registry, rules, model=_Model(registry), constants=_constants(registry))
    spent = 0.0
    for number, batch in enumerate(ticks):
        now_ms = START_MS + (number + 1) * TICK_MS
        began = time.process_time()
        engine.judge(batch, now_ms)
        spent += time.process_time() - began
    return spent, engine


def memory_of(engine: RuleEngine) -> dict[str, int]:
    """Return bytes of state a device of each rule."""
    return {
        one.id: sum(array.nbytes for array in one.remembered.values()) // len(one.columns.devices)
        for one in engine.running
    }


def _alone(rules: RuleSet, rule: Rule) -> RuleSet:
    return replace(rules, rules=MappingProxyType({rule.id: rule}), couplings=())


def _of_function(rules: RuleSet, function: Function, quantity: str) -> RuleSet:
    """Return one rule with the function, over all devices of the quantity, that stays quiet."""
    unit = FUNCTIONS[function].unit_of(QUANTITIES[quantity].unit)
    base = rules.rule("water.pressure_head" if quantity == "pressure" else "flood.drain_freeboard")
    figures = {"level": -5.0} if function is Function.TIME_TO_LEVEL else {}
    if "window_s" in FUNCTIONS[function].figures:
        figures["window_s"] = 3600.0
    rule = replace(
        base,
        id=f"bench.{function.value}",
        unit=unit,
        signal=Signal(function),
        select=replace(base.select, kinds=(), quantity=quantity),
        thresholds=dict.fromkeys(Level, -1000000000000.0),
        windows_s=dict.fromkeys(Level, 3600.0) if "window_s" in figures else {},
        holds_s={},
    )
    figures = {**figures_of(rule), **figures}
    return _alone(rules, replace(rule, signal=Signal(function, figures)))


def _one_kind(devices: int, kind: str) -> Registry:
    table = make_registry(devices)
    sheet = _KINDS[kind]
    return Registry.of(
        replace(table.device(0), id=f"{kind}-{n}", kind=kind, quantity=sheet.quantity,
                domain=sheet.domain, element=f"e{n}", area=f"A{n // 2_000:03d}")
        for n in range(devices)
    )  # fmt: skip


def throughput() -> Figure:
    """Return samples a second through the warn stage with the whole national set."""
    registry = make_registry(DEVICES)
    ticks = make_ticks(registry)
    seconds, said = through_stage(registry, ticks)
    engine_s, engine = through_engine(registry, default_rules(), ticks)
    samples = sum(map(len, ticks))
    memory = sum(sum(array.nbytes for array in one.remembered.values()) for one in engine.running)
    detail = {
        "devices": DEVICES,
        "rules": len(engine.running),
        "samples": samples,
        "messages": said,
        "engine_alone_per_s": round(samples / engine_s),
        "state_bytes_a_device": round(memory / DEVICES),
    }
    return Figure("rules_national", samples / seconds, "readings/s", TARGET_PER_S, detail=detail)


def per_rule() -> list[Figure]:
    """Return what each rule of the national set costs a sample it watches, ns."""
    registry, rules = make_registry(DEVICES), default_rules()
    ticks = make_ticks(registry, 8)
    found = []
    for rule in rules.rules.values():
        kinds = np.isin(registry.texts("kind"), rule.select.kinds)
        mine = [batch.take(kinds) for batch in ticks]
        seconds, engine = through_engine(registry, _alone(rules, rule), mine)
        (one,) = engine.running
        rows = len(one.columns.devices)
        detail = {"devices": rows, "bytes_a_device": memory_of(engine)[rule.id]}
        name = f"rule {rule.id}"
        cost = 1e9 * seconds / (rows * len(ticks))
        found.append(Figure(name, cost, "ns/reading", None, is_more_better=False, detail=detail))
    return found


def per_function(devices: int = 50_000) -> list[Figure]:
    """Return what each window function costs a sample with all devices of one kind, ns."""
    rules, found = default_rules(), []
    drains, pipes = _one_kind(devices, "drain_level"), _one_kind(devices, "network_pressure")
    for function in Function:
        is_fill = function is Function.FILL
        registry = drains if is_fill else pipes
        quantity = "freeboard" if is_fill else "pressure"
        ticks = make_ticks(registry, 16)
        seconds, engine = through_engine(registry, _of_function(rules, function, quantity), ticks)
        detail = {"bytes_a_device": max(memory_of(engine).values())}
        cost = 1e9 * seconds / (devices * len(ticks))
        found.append(Figure(f"function {function.value}", cost, "ns/reading", None, False, detail))
    return found


def growth() -> list[Figure]:
    """Return ns a sample through the warn stage with 2,000, 20,000 and 200,000 devices."""
    found = []
    for devices in SIZES:
        registry = make_registry(devices)
        ticks = make_ticks(registry, 10)
        seconds, _ = through_stage(registry, ticks)
        cost = 1e9 * seconds / sum(map(len, ticks))
        found.append(Figure(f"rules_growth_{devices}", cost, "ns/reading", None, False))
    return found


def run() -> list[Figure]:
    """Return all figures of the rule engine."""
    return [throughput(), *growth(), *per_rule(), *per_function()]
