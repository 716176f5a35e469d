"""The table of signal functions: the figures each takes, their bounds, and the unit it gives."""

# For the engine: `Signal.figures` always holds every figure of this table that has a default, so
# read them by name. A window per level is in `Rule.windows_s` (also when all four are the same),
# and `figures["window_s"]` is the longest of them. `time_to_level` without `level` in its figures
# means the closure depth of the place (`RuleSet.closure`), so that a city's closures carry over.
# `slot_s` of cusum, ewma and western_electric: DMA inflow follows the hour of the week, so its own
# mean of the slot (as in `baseline`) is taken off before the samples are standardised.

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.rules.signal import Function

OWN_UNIT = "{unit}"
"""Stands for the unit of the quantity in `FunctionSheet.unit`."""


@dataclass(frozen=True, slots=True)
class FigureSheet:
    """One figure of a function.

    Attributes:
        name: Key in the rule file.
        unit: Unit; `{unit}` is that of the quantity.
        low: Least value.
        high: Greatest value.
        default: Value when the file gives none; None when there is none.
        means: What it is, for people.
        is_required: Whether the file must give it.
        is_count: Whether it must be a whole number.
        is_per_level: Whether four values, blue first, are taken as well.
    """

    name: str
    unit: str
    low: float
    high: float
    default: float | None
    means: str
    is_required: bool = False
    is_count: bool = False
    is_per_level: bool = False


@dataclass(frozen=True, slots=True)
class FunctionSheet:
    """A signal function: what it gives and what it takes.

    Attributes:
        unit: Unit of the signal; `{unit}` is that of the quantity.
        figures: Its figures by name.
        means: What it gives, for people.
    """

    unit: str
    figures: Mapping[str, FigureSheet]
    means: str

    def unit_of(self, quantity_unit: str) -> str:
        """Return the unit of the signal for a quantity in `quantity_unit`."""
        return self.unit.replace(OWN_UNIT, quantity_unit)


_DAY_S = 86_400.0


def _sheet(unit: str, means: str, *figures: FigureSheet) -> FunctionSheet:
    return FunctionSheet(unit, MappingProxyType({one.name: one for one in figures}), means)


def _window(most_s: float = 7 * _DAY_S) -> FigureSheet:
    return FigureSheet(
        "window_s", "s", 1.0, most_s, None, "length of the window", True, is_per_level=True
    )


def _learning(default_s: float, means: str) -> FigureSheet:
    return FigureSheet("learning_s", "s", 60.0, 365 * _DAY_S, default_s, means)


def _warm_up(default: int) -> FigureSheet:
    return FigureSheet(
        "warm_up", "1", 1.0, 10_000.0, default, "samples of a device before it is judged",
        is_count=True,
    )  # fmt: skip


_NEW_NORMAL = FigureSheet(
    "new_normal_s", "s", 60.0, 30 * _DAY_S, 21_600.0, "what stands longer is the new normal"
)
_FLOOR = FigureSheet(
    "floor_sigmas", "1", 0.0, 100.0, 1.5,
    "least spread, in standard deviations of the device's own noise",
)  # fmt: skip
_CLIP = FigureSheet(
    "clip_sigmas", "1", 0.5, 100.0, 3.0, "one sample moves what is learned by no more than this"
)
_SLOT = FigureSheet(
    "slot_s", "s", 0.0, _DAY_S, 0.0, "slots of the week whose own mean is taken off first; 0: none"
)
_SIGMAS = (
    _SLOT,
    FigureSheet(
        "mean_s",
        "s",
        0.0,
        _DAY_S,
        0.0,
        "means over so long are charted, not samples that hang together; 0: the samples",
    ),
    _learning(10_800.0, "time constant of mean and spread"),
    _warm_up(12),
    _FLOOR,
    _CLIP,
)
_OWN_NORMAL = (
    _learning(1_800.0, "time constant with which the device's normal follows"),
    _warm_up(3),
    _NEW_NORMAL,
    FigureSheet("drift_per_h", "%/h", 0.0, 1_000.0, 0.0, "granted to demand for the time since the "
                "device was last heard of as normal"),
    FigureSheet("drift_most", "%", 0.0, 100.0, 100.0, "no more than this is granted"),
)  # fmt: skip

FUNCTIONS: Mapping[Function, FunctionSheet] = MappingProxyType(
    {
        Function.VALUE: _sheet(OWN_UNIT, "the sample itself"),
        Function.FALL: _sheet(
            OWN_UNIT,
            "fall within a window that does not recover",
            FigureSheet("window_s", "s", 1.0, _DAY_S, None, "the fall is against the value one "
                        "window before", True, is_per_level=True),
            FigureSheet("recovered_share", "1", 0.01, 0.99, 0.7, "over when this share is back"),
            FigureSheet("confirm_s", "s", 1.0, _DAY_S, 300.0, "confirmed when it stands so long"),
            FigureSheet("resample_s", "s", 1.0, _DAY_S, 120.0, "from orange on so long is enough, "
                        "if resample_count samples agree"),
            FigureSheet("resample_count", "1", 1.0, 100.0, 2.0, "samples that must agree then",
                        is_count=True),
            _NEW_NORMAL,
        ),
        Function.RESIDUAL: _sheet(
            "sigma",
            "how far below the platform's own network model",
            _learning(10_800.0, "time constant of the model's bias and spread"),
            _warm_up(6),
            _FLOOR,
            _CLIP,
            FigureSheet("renew_s", "s", 1.0, _DAY_S, 300.0, "the model is asked again after this"),
            FigureSheet("settle_s", "s", 0.0, _DAY_S, 360.0, "not scored so long after pumps "
                        "switched"),
            FigureSheet("reach_s", "s", 1.0, _DAY_S, 900.0, "samples further from the moment the "
                        "model was asked about are not scored"),
        ),
        Function.DRIFT: _sheet(
            "sigma",
            "how far the mean residual of the platform's own network model is off its usual",
            FigureSheet("mean_s", "s", 60.0, _DAY_S, 1_800.0, "mean over blocks of so long"),
            _learning(172_800.0, "blocks of so long are the usual, by their median"),
            _warm_up(6),
            _FLOOR,
            FigureSheet("model_share", "1", 0.0, 1.0, 0.03, "least spread, as a share of what the "
                        "device shows"),
            FigureSheet("reach_s", "s", 1.0, _DAY_S, 600.0, "samples further from the moments the "
                        "model was asked about are not used"),
        ),
        Function.SUM: _sheet(
            OWN_UNIT,
            "increase of a counter within the window",
            _window(),
            FigureSheet("reset", OWN_UNIT, 0.0, 1e9, 1.0, "a fall by more is a reset of the "
                        "counter, a smaller one is noise"),
        ),
        Function.MEAN: _sheet(OWN_UNIT, "mean over the window", _window()),
        Function.MIN: _sheet(OWN_UNIT, "least of the window", _window()),
        Function.MAX: _sheet(OWN_UNIT, "greatest of the window", _window()),
        Function.DELTA: _sheet(OWN_UNIT, "newest value minus that one window before", _window()),
        Function.RATE: _sheet("{unit}/h", "least-squares slope over the window", _window()),
        Function.SHORTFALL: _sheet(
            "% of set-point", "percent below the device's own recent normal", *_OWN_NORMAL
        ),
        Function.EXCESS: _sheet(
            "% of set-point", "percent above the device's own recent normal", *_OWN_NORMAL
        ),
        Function.BASELINE: _sheet(
            "robust z",
            "sigmas above the device's own time-of-week median",
            FigureSheet("slot_s", "s", 900.0, _DAY_S, 3_600.0, "width of a slot of the week"),
            FigureSheet("learning_weeks", "1", 1.0, 52.0, 8.0, "weeks the median remembers"),
            _warm_up(3),
            _FLOOR,
            _CLIP,
        ),
        Function.EWMA: _sheet(
            "sigma",
            "exponentially weighted mean of the standardised samples",
            FigureSheet("weight", "1", 0.01, 1.0, 0.2, "weight of the newest sample (lambda)"),
            *_SIGMAS,
        ),
        Function.CUSUM: _sheet(
            "sigma",
            "one-sided cumulative sum of the standardised samples",
            FigureSheet("k", "sigma", 0.0, 10.0, 0.5, "allowance: half the shift looked for"),
            *_SIGMAS,
        ),
        Function.WESTERN_ELECTRIC: _sheet(
            "sigma", "zone rule that is broken, as a score: 3 for any of the four", *_SIGMAS
        ),
        Function.NIGHT_RATIO: _sheet(
            "ratio",
            "least night flow over a percentile of the nights before",
            FigureSheet("from_h", "h", 0.0, 23.0, 2.0, "the night begins, local time"),
            FigureSheet("to_h", "h", 1.0, 24.0, 5.0, "the night ends"),
            FigureSheet("mean_s", "s", 60.0, 10_800.0, 3_600.0, "the least mean over so long"),
            FigureSheet("nights", "1", 2.0, 60.0, 7.0, "nights looked back on", is_count=True),
            FigureSheet("percentile", "1", 0.0, 100.0, 20.0, "percentile of those nights"),
        ),
        Function.TIME_TO_LEVEL: _sheet(
            "min",
            "minutes until a level is reached if the trend goes on",
            FigureSheet("level", OWN_UNIT, -1e9, 1e9, None, "the level; without it the closure "
                        "depth of the place"),
            FigureSheet("window_s", "s", 60.0, _DAY_S, 1_800.0, "window of the trend"),
            FigureSheet("horizon_s", "s", 60.0, 7 * _DAY_S, 7_200.0, "nothing is said beyond"),
            FigureSheet("least_samples", "1", 3.0, 1_000.0, 4.0, "samples a trend needs",
                        is_count=True),
        ),
        Function.FILL: _sheet("ratio", "share of the pipe's diameter that is full"),
    }
)  # fmt: skip
"""Every function; the defaults are proposed unless a shipped set quotes them."""
