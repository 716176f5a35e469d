"""What a rule watches, what it works out, and why it is there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Function(StrEnum):
    """What of a device's samples a rule compares with its thresholds (its *signal*)."""

    VALUE = "value"
    """The sample itself."""
    FALL = "fall"
    """A fall within a window that does not recover (`Change`)."""
    RESIDUAL = "residual"
    """Sigmas below what the platform's own network model expects."""
    SUM = "sum"
    """Increase of a counter within the window."""
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    DELTA = "delta"
    """Newest value minus that of one window before."""
    RATE = "rate"
    """Slope over the window (least squares), units an hour."""
    SHORTFALL = "shortfall"
    """Percent below the device's own recent normal."""
    EXCESS = "excess"
    """Percent above it."""
    BASELINE = "baseline"
    """Robust z against the device's own time-of-week median and spread."""
    EWMA = "ewma"
    """Exponentially weighted mean in sigmas of itself."""
    CUSUM = "cusum"
    """Upper or lower one-sided cumulative sum, sigmas (Page 1954)."""
    WESTERN_ELECTRIC = "western_electric"
    """Number of the zone rule that is broken, as a score in sigmas."""
    DRIFT = "drift"
    """Sigmas by which what the network model leaves unexplained is off its own usual."""
    NIGHT_RATIO = "night_ratio"
    """Minimum night flow over the percentile of the nights before."""
    TIME_TO_LEVEL = "time_to_level"
    """Minutes until a level is reached if the trend goes on; +inf while it is not coming."""
    FILL = "fill"
    """Share of a pipe's diameter that is full, from freeboard and the device's constants."""


@dataclass(frozen=True, slots=True)
class Signal:
    """The signal of a rule: a function and its figures.

    Attributes:
        function: What is worked out.
        figures: Name → number: `window_s`, `k`, `share`, `level`, `horizon_s`, `learning_s`,
            `sigma_floor`, … as the function needs them (`pipeline.rules.functions` lists them
            with unit, bounds and default).
    """

    function: Function = Function.VALUE
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Select:
    """Which devices a rule watches; an empty tuple does not restrict. Patterns are globs.

    Attributes:
        kinds: Device kinds.
        quantity: Quantity measured; empty only when `kinds` measure one and the same.
        domains: Domains of the devices.
        areas: Areas.
        elements: Network elements.
        profiles: Site profiles of the devices (`sensors.registry.Device.profile`).
        devices: Device ids.
        but: Device ids left out.
    """

    kinds: tuple[str, ...] = ()
    quantity: str = ""
    domains: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    but: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rationale:
    """The rationalisation record of a rule (ISA-18.2): why it is there and what it asks for.

    Attributes:
        cause: What makes it sound.
        consequence: What comes of it when nobody acts.
        action: What the operator does.
        respond_min: Minutes there are for it.
    """

    cause: str
    consequence: str
    action: str
    respond_min: float
