"""Turns rules into columns over the devices they watch, and says what is suppressed by design."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RuleError
from pipeline.rules import Direction, Rule, RuleSet
from pipeline.warn.verdicts import MILDEST_FIRST, Rows
from sensors.levels import Level
from sensors.quantities import QUANTITIES
from sensors.readings import Floats
from sensors.registry import Registry


class Signal(StrEnum):
    """What of a device's values a rule compares with its thresholds."""

    VALUE = "value"
    FALL = "fall"
    RESIDUAL = "residual"
    SUM = "sum"
    """Increase of a counter within the rule's window."""
    SHORTFALL = "shortfall"
    """Percent below the device's own normal."""


@dataclass(frozen=True, slots=True)
class Application:
    """Which devices a rule watches, and how: those of its kinds that measure its quantity."""

    rule: str
    signal: Signal
    kinds: tuple[str, ...]
    quantity: str


APPLICATIONS: tuple[Application, ...] = (
    Application("water.pressure_head", Signal.VALUE, ("network_pressure",), "pressure"),
    Application("water.pressure_drop", Signal.FALL, ("network_pressure",), "pressure"),
    Application("water.pressure_z", Signal.RESIDUAL, ("network_pressure",), "pressure"),
    Application("water.fire_static", Signal.VALUE, ("hydrant_pressure",), "pressure"),
    Application("gas.ch4_space", Signal.VALUE, ("manhole_methane", "well_methane"), "methane"),
    Application(
        "gas.ch4_station", Signal.VALUE, ("station_methane", "tunnel_methane"), "methane_lel"
    ),
    Application("gas.pressure_low", Signal.SHORTFALL, ("gas_pressure",), "gas_pressure"),
    Application("flood.ponding_road", Signal.VALUE, ("road_ponding",), "ponding_depth"),
    Application("flood.ponding_underpass", Signal.VALUE, ("underpass_ponding",), "ponding_depth"),
    Application("flood.drain_freeboard", Signal.VALUE, ("drain_level",), "freeboard"),
    Application("rain.local_1h", Signal.SUM, ("rain_gauge",), "rainfall"),
)
"""Every rule that watches devices; rules of the file that are not here wait for theirs."""

_SCORE_UNITS = {Signal.RESIDUAL: "sigma", Signal.SHORTFALL: "% of set-point"}
"""Units of signals that are no longer in the unit of what is measured."""


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
        signal: What it compares.
        devices: Numbers of the devices, ascending; a device's place here is its *row*.
        row: Row of each registered device, -1 for those the rule does not watch.
        sign: 1 when high is bad, -1 when low is bad; `sign * value` is bad when high.
        limits: Signed thresholds (4, rows), blue first; inf where a level is out of use.
        holds_m: Samples that must agree, per level.
        holds_n: Out of so many.
    """

    rule: Rule
    signal: Signal
    devices: Rows
    row: Rows
    sign: float
    limits: Floats
    holds_m: NDArray[np.int64]
    holds_n: NDArray[np.int64]


def compile_rules(
    registry: Registry,
    rules: RuleSet,
    normal_low: Floats | None = None,
    *,
    has_model: bool = False,
    applications: Sequence[Application] = APPLICATIONS,
) -> tuple[tuple[CompiledRule, ...], tuple[Suppression, ...]]:
    """Return the rules that watch devices of `registry`, by rule id, and what is suppressed.

    Args:
        registry: The devices.
        rules: The rule set.
        normal_low: Lowest value each device shows in normal operation, NaN where unknown.
        has_model: Whether there is a network model; without one no rule on residuals applies.
        applications: Which rule watches which devices.

    Raises:
        RuleError: a rule's unit is not that of the quantity it is applied to.
    """
    compiled: list[CompiledRule] = []
    suppressed: list[Suppression] = []
    kinds = np.array(registry.texts("kind"), dtype=str)
    quantities = np.array(registry.texts("quantity"), dtype=str)
    for application in sorted(applications, key=lambda one: one.rule):
        if application.rule not in rules.rules:
            continue
        if application.signal is Signal.RESIDUAL and not has_model:
            continue
        rule = rules.rule(application.rule)
        _check_unit(rule, application, rules.source)
        devices = np.intersect1d(
            np.flatnonzero(np.isin(kinds, application.kinds)),
            np.flatnonzero(quantities == application.quantity),
        ).astype(np.intp)
        if not len(devices):
            continue
        columns = _columns(rule, application.signal, devices, len(registry))
        if application.signal is Signal.VALUE and normal_low is not None:
            suppressed += _suppress(columns, registry, normal_low)
        compiled.append(columns)
    return tuple(compiled), tuple(suppressed)


def _check_unit(rule: Rule, application: Application, source: str) -> None:
    unit = _SCORE_UNITS.get(application.signal, QUANTITIES[application.quantity].unit)
    if rule.unit != unit:
        raise RuleError(
            f"{source}: {rule.id}.unit = {rule.unit!r}: {application.quantity} is measured in "
            f"{unit!r}; give the thresholds in that unit"
        )
    if application.signal is Signal.SUM and not rule.windows_s:
        raise RuleError(f"{source}: {rule.id}.window_s = null: a sum needs a window; give seconds")


def _columns(rule: Rule, signal: Signal, devices: Rows, registered: int) -> CompiledRule:
    row = np.full(registered, -1, np.intp)
    row[devices] = np.arange(len(devices))
    sign = 1.0 if rule.direction is Direction.HIGH else -1.0
    limits = np.full((4, len(devices)), np.inf)
    for place, level in enumerate(MILDEST_FIRST):
        if level in rule.thresholds and level >= rule.max_level_alone:
            limits[place] = sign * rule.thresholds[level]
    return CompiledRule(
        rule=rule,
        signal=signal,
        devices=devices,
        row=row,
        sign=sign,
        limits=limits,
        holds_m=np.array([rule.holds[level].m for level in MILDEST_FIRST]),
        holds_n=np.array([rule.holds[level].n for level in MILDEST_FIRST]),
    )


def _suppress(columns: CompiledRule, registry: Registry, normal_low: Floats) -> list[Suppression]:
    """Take the levels out of use that a site violates, or could not leave, when all is well.

    A site whose normal low lies within the deadband of a threshold could never clear it.
    """
    if columns.rule.direction is not Direction.LOW:
        return []
    found: list[Suppression] = []
    normal = normal_low[columns.devices]
    for place, level in enumerate(MILDEST_FIRST):
        limit = columns.sign * columns.limits[place]
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
        columns.limits[place, rows] = np.inf
    return found
