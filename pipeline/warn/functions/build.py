"""Makes the window function of a rule for the devices it watches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.errors import RuleError
from pipeline.rules import Direction, Function, Rule, RuleSet
from pipeline.rules.functions import FUNCTIONS
from pipeline.warn.functions.base import PerLevel, WindowFunction
from pipeline.warn.functions.baselines import Baseline
from pipeline.warn.functions.buckets import Bucketed
from pipeline.warn.functions.charts import Cusum, Ewma, WesternElectric
from pipeline.warn.functions.counters import CounterSum, Delta
from pipeline.warn.functions.drifts import Drift
from pipeline.warn.functions.fills import DEPTH, DIAMETER, Fill
from pipeline.warn.functions.nights import NightRatio
from pipeline.warn.functions.normals import OwnNormal
from pipeline.warn.functions.slots import Slots
from pipeline.warn.functions.spreads import Spreads
from pipeline.warn.functions.trends import Rate, TimeToLevel
from pipeline.warn.verdicts import MILDEST_FIRST, Rows
from sensors.quantities import FREEBOARD
from sensors.readings import Floats
from sensors.registry import Registry

_AS_SHOWN = frozenset({Function.VALUE, Function.FALL, Function.RESIDUAL})
"""Functions without a window here: the sample itself, a judge of its own, the network model."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a function may know of the devices of its rule.

    Attributes:
        rule: The rule.
        rules: The set it is of.
        registry: All devices.
        devices: Numbers of those it watches, ascending.
        mildest: Least signed limit of each (rows,), inf where none is in use.
        constants: Name → constant of every registered device, NaN unknown.
        utc_offset_ms: The city's time minus UTC.
    """

    rule: Rule
    rules: RuleSet
    registry: Registry
    devices: Rows
    mildest: Floats
    constants: Mapping[str, Floats]
    utc_offset_ms: int

    @property
    def sign(self) -> float:
        """1 when high is bad, -1 when low is bad."""
        return 1.0 if self.rule.direction is Direction.HIGH else -1.0

    @property
    def noise(self) -> Floats:
        """Standard deviation of each device's noise, in its quantity's unit (rows,)."""
        noise: Floats = self.registry.numbers("accuracy")[self.devices]
        return noise

    @property
    def windows_s(self) -> tuple[float, ...]:
        """Window of each level, blue first; RuleError when the rule has none."""
        windows, figures = self.rule.windows_s, self.rule.signal.figures
        if not windows and "window_s" not in figures:
            raise RuleError(
                f"{self.rules.source}: {self.rule.id}.window_s = null: "
                f"a {self.rule.signal.function.value} needs a window; give seconds"
            )
        longest = figures.get("window_s") or max(windows.values())
        return tuple(windows.get(level, longest) for level in MILDEST_FIRST)

    def constant(self, name: str) -> Floats:
        """Return a constant of the rule's devices (rows,), NaN where unknown."""
        if name not in self.constants:
            return np.full(len(self.devices), np.nan)
        constant: Floats = self.constants[name][self.devices]
        return constant


def figures_of(rule: Rule) -> Mapping[str, float]:
    """Return the figures of a rule's signal, with the table's defaults where it gives none."""
    sheet = FUNCTIONS[rule.signal.function].figures
    defaults = {name: one.default for name, one in sheet.items() if one.default is not None}
    return {**defaults, **rule.signal.figures}


def function_of(site: Site) -> WindowFunction | None:
    """Return the rule's window function; None when it compares the sample as it is shown."""
    function = site.rule.signal.function
    return None if function in _AS_SHOWN else _MAKERS[function](site, figures_of(site.rule))


_Maker = Callable[[Site, Mapping[str, float]], WindowFunction]


def _windowed(make: Callable[[Site, Mapping[str, float], float], WindowFunction]) -> _Maker:
    def maker(site: Site, figures: Mapping[str, float]) -> WindowFunction:
        windows = site.windows_s
        distinct = sorted(set(windows))
        parts = [make(site, figures, window_s) for window_s in distinct]
        if len(parts) == 1:
            return parts[0]
        return PerLevel(parts, [distinct.index(window_s) for window_s in windows])

    return maker


def _bucketed(function: Function) -> _Maker:
    return _windowed(lambda site, _, window_s: Bucketed(len(site.devices), function, window_s))


def _sum(site: Site, figures: Mapping[str, float], window_s: float) -> WindowFunction:
    return CounterSum(len(site.devices), window_s, figures["reset"])


def _time_to_level(site: Site, figures: Mapping[str, float]) -> WindowFunction:
    quantities = site.registry.texts("quantity")
    is_falling = quantities[site.devices[0]] == FREEBOARD.name
    if "level" in figures:
        levels = np.full(len(site.devices), figures["level"])
    else:
        kinds, closure = site.registry.texts("kind"), site.rules.closure
        depths = {"road_ponding": closure.road_cm, "underpass_ponding": closure.underpass_cm}
        levels = np.array([depths.get(kinds[one], np.nan) for one in site.devices.tolist()])
    return TimeToLevel(levels, site.noise, figures, is_falling=is_falling)


def _slots(site: Site, figures: Mapping[str, float]) -> Slots:
    return Slots(site.registry, site.devices, figures, site.utc_offset_ms)


def _spreads(site: Site, figures: Mapping[str, float]) -> Spreads:
    slots = _slots(site, figures) if figures.get("slot_s") else None
    return Spreads(site.noise, figures, slots)


def _cusum(site: Site, figures: Mapping[str, float]) -> WindowFunction:
    worst = max(abs(limit) for limit in site.rule.thresholds.values())
    return Cusum(_spreads(site, figures), figures["k"], worst=worst, sign=site.sign)


_MAKERS: Mapping[Function, _Maker] = {
    Function.SUM: _windowed(_sum),
    Function.MEAN: _bucketed(Function.MEAN),
    Function.MIN: _bucketed(Function.MIN),
    Function.MAX: _bucketed(Function.MAX),
    Function.DELTA: _windowed(lambda site, _, window_s: Delta(len(site.devices), window_s)),
    Function.RATE: _windowed(lambda site, _, window_s: Rate(len(site.devices), window_s)),
    Function.SHORTFALL: lambda site, figures: OwnNormal(site.mildest, figures, is_excess=False),
    Function.EXCESS: lambda site, figures: OwnNormal(site.mildest, figures, is_excess=True),
    Function.BASELINE: lambda site, figures: Baseline(_slots(site, figures)),
    Function.EWMA: lambda site, figures: Ewma(_spreads(site, figures), figures["weight"]),
    Function.CUSUM: _cusum,
    Function.WESTERN_ELECTRIC: lambda site, figures: WesternElectric(
        _spreads(site, figures), site.sign
    ),
    Function.DRIFT: lambda site, figures: Drift(
        site.noise, site.registry.numbers("interval_s")[site.devices], figures
    ),
    Function.NIGHT_RATIO: lambda site, figures: NightRatio(
        len(site.devices), figures, site.utc_offset_ms
    ),
    Function.TIME_TO_LEVEL: _time_to_level,
    Function.FILL: lambda site, _: Fill(site.constant(DEPTH), site.constant(DIAMETER)),
}
