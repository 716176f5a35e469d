"""Turns rules into columns over the devices they watch, and says what is suppressed by design."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RuleError
from pipeline.rules import Direction, Function, Hold, Rule, RuleSet
from pipeline.rules.functions import FUNCTIONS
from pipeline.warn.selecting import Selector
from pipeline.warn.verdicts import MILDEST_FIRST, Rows
from sensors.levels import Level
from sensors.quantities import QUANTITIES
from sensors.readings import Floats, Int32s
from sensors.registry import Registry

_ANY = Hold(1, 1)
"""Hold of a level whose rule gives none: its duration alone counts."""
BY_MODEL = frozenset({Function.RESIDUAL, Function.DRIFT})
"""Functions that need the platform's network model."""


class SuppressionReason(StrEnum):
    """Why a level is out of use at a site."""

    NORMALLY_BEYOND_LIMIT = "normally_beyond_limit"


@dataclass(frozen=True, slots=True)
class Suppression:
    """A level of a rule that a device never gives: suppressed by design (ISA-18.2)."""

    device: str
    rule: str
    level: Level
    normal: float
    limit: float
    reason: SuppressionReason


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule as columns over the devices it watches.

    Attributes:
        rule: The rule.
        devices: Numbers of the devices, ascending; a device's place here is its *row*.
        row: Row of each registered device, -1 for those the rule does not watch.
        sign: 1 when high is bad, -1 when low is bad; `sign * value` is bad when high.
        limits: Signed thresholds (4, rows), blue first; inf where a level is out of use. A view
            of one column as long as all sites have the same.
        holds_m: Samples that must agree, per level.
        holds_n: Out of so many.
        holds_ms: Milliseconds a violation must last, per level; 0 for no matter how long.
    """

    rule: Rule
    devices: Rows
    row: Int32s
    sign: float
    limits: Floats
    holds_m: NDArray[np.int64]
    holds_n: NDArray[np.int64]
    holds_ms: NDArray[np.int64]


def compile_rules(
    registry: Registry,
    rules: RuleSet,
    normal_low: Floats | None = None,
    *,
    has_model: bool = False,
) -> tuple[tuple[CompiledRule, ...], tuple[Suppression, ...]]:
    """Return the rules that watch devices of `registry`, by rule id, and what is suppressed.

    Args:
        registry: The devices.
        rules: The rule set.
        normal_low: Lowest value each device shows in normal operation, NaN where unknown.
        has_model: Whether there is a network model; without one no rule on residuals applies.

    Raises:
        RuleError: a rule's unit is not that of the quantity it is applied to.
    """
    compiled: list[CompiledRule] = []
    suppressed: list[Suppression] = []
    selector = Selector(registry)
    maps: dict[bytes, Int32s] = {}
    for _, rule in sorted(rules.rules.items()):
        if rule.signal.function in BY_MODEL and not has_model:
            continue
        devices = selector.devices(rule, rules.source)
        if not len(devices):
            continue
        _check_unit(rule, selector.quantities[devices[0]], rules.source)
        row = maps.setdefault(devices.tobytes(), _row_map(devices, len(registry)))
        columns = _columns(rule, devices, row)
        if rule.signal.function is Function.VALUE and normal_low is not None:
            columns, found = _suppress(columns, registry, normal_low)
            suppressed += found
        compiled.append(columns)
    return tuple(compiled), tuple(suppressed)


def _check_unit(rule: Rule, quantity: str, source: str) -> None:
    unit = FUNCTIONS[rule.signal.function].unit_of(QUANTITIES[quantity].unit)
    if rule.unit != unit:
        raise RuleError(
            f"{source}: {rule.id}.unit = {rule.unit!r}: {quantity} is measured in "
            f"{QUANTITIES[quantity].unit!r}, so its {rule.signal.function.value} is in {unit!r}; "
            f"give the thresholds in that unit"
        )


def _row_map(devices: Rows, registered: int) -> Int32s:
    row = np.full(registered, -1, np.int32)
    row[devices] = np.arange(len(devices), dtype=np.int32)
    return row


def _columns(rule: Rule, devices: Rows, row: Int32s) -> CompiledRule:
    sign = 1.0 if rule.direction is Direction.HIGH else -1.0
    limits = np.full((4, 1), np.inf)
    for place, level in enumerate(MILDEST_FIRST):
        if level in rule.thresholds and level >= rule.max_level_alone:
            limits[place] = sign * rule.thresholds[level]
    holds = [rule.holds.get(level, _ANY) for level in MILDEST_FIRST]
    return CompiledRule(
        rule=rule,
        devices=devices,
        row=row,
        sign=sign,
        limits=np.broadcast_to(limits, (4, len(devices))),
        holds_m=np.array([hold.m for hold in holds]),
        holds_n=np.array([hold.n for hold in holds]),
        holds_ms=np.array(
            [round(rule.holds_s.get(level, 0.0) * 1000.0) for level in MILDEST_FIRST]
        ),
    )


def _suppress(
    columns: CompiledRule, registry: Registry, normal_low: Floats
) -> tuple[CompiledRule, list[Suppression]]:
    """Take the levels out of use that a site violates, or could not leave, when all is well.

    A site whose normal low lies within the deadband of a threshold could never clear it.
    """
    found: list[Suppression] = []
    if columns.rule.direction is not Direction.LOW:
        return columns, found
    limits = columns.limits.copy()
    normal = normal_low[columns.devices]
    for place, level in enumerate(MILDEST_FIRST):
        limit = columns.sign * limits[place]
        rows = np.flatnonzero(np.isfinite(limit) & (normal <= limit + columns.rule.deadband))
        found += [
            Suppression(
                device=registry.ids[columns.devices[row]],
                rule=columns.rule.id,
                level=level,
                normal=float(normal[row]),
                limit=float(limit[row]),
                reason=SuppressionReason.NORMALLY_BEYOND_LIMIT,
            )
            for row in rows.tolist()
        ]
        limits[place, rows] = np.inf
    if not found:
        return columns, found
    return replace(columns, limits=limits), found
