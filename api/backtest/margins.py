"""By what margin a rule missed: its worst signal against each limit, samples held and needed."""

from dataclasses import dataclass

import numpy as np

from api.backtest.signals import Course
from pipeline.rules import Direction, Rule
from pipeline.warn.verdicts import MILDEST_FIRST, Bools
from sensors.levels import Level
from sensors.readings import Floats, Int64s


@dataclass(frozen=True, slots=True)
class Margin:
    """How near one rule came to one level at one device.

    Attributes:
        rule: The rule.
        device: The device.
        level: The level.
        limit: Its threshold, in `unit`.
        unit: Unit of the rule's signal.
        reached: Worst signal while the event could be seen.
        reached_ms: When.
        short: What was missing to the limit, in `unit`; negative when the limit was passed.
        held: Most samples of any `of` in a row that were beyond the limit.
        needed: Samples that must be.
        of: Out of so many.
        held_s: Longest time beyond the limit without a break, seconds.
        needed_s: Seconds it must last; 0 for no matter how long.
        sustained: The signal that was held as long as the rule asks: with this for a threshold
            it would have been met. None when the device never gave so many samples.
    """

    rule: str
    device: str
    level: Level
    limit: float
    unit: str
    reached: float
    reached_ms: int
    short: float
    held: int
    needed: int
    of: int
    held_s: float
    needed_s: float
    sustained: float | None

    @property
    def share(self) -> float:
        """What the threshold would have to move by, as a share of it; inf when none would do."""
        if self.sustained is None:
            return float("inf")
        gap = abs(self.limit - self.sustained) / max(abs(self.limit), 1e-12)
        return gap if self.is_short else 0.0

    @property
    def is_short(self) -> bool:
        """Whether the signal never stayed beyond the limit for as long as is needed."""
        return self.held < self.needed or self.held_s < self.needed_s


def margins(
    rule: Rule, device: str, course: Course, begin_ms: int, end_ms: int
) -> tuple[Margin, ...]:
    """Return the margins of one rule at one device, mildest level first.

    Args:
        rule: The rule.
        device: Its id.
        course: What the rule worked out there.
        begin_ms: When the event began.
        end_ms: When it could no more be seen.
    """
    inside = (course.time_ms >= begin_ms) & (course.time_ms <= end_ms)
    time_ms = course.time_ms[inside]
    sign = 1.0 if rule.direction is Direction.HIGH else -1.0
    found = []
    for place, level in enumerate(MILDEST_FIRST):
        limit = float(course.limits[place])
        signal = sign * course.signal[place, inside]
        known = np.isfinite(signal)
        if np.isnan(limit) or not known.any():
            continue
        found.append(_margin(rule, device, level, limit, sign, signal[known], time_ms[known]))
    return tuple(found)


def _margin(
    rule: Rule,
    device: str,
    level: Level,
    limit: float,
    sign: float,
    signal: Floats,
    time_ms: Int64s,
) -> Margin:
    hold = rule.holds.get(level)
    m, n = (hold.m, hold.n) if hold else (1, 1)
    needed_s = rule.holds_s.get(level, 0.0)
    beyond: Bools = signal >= sign * limit
    worst = int(signal.argmax())
    sustained = _sustained(signal, time_ms, m, n, needed_s)
    return Margin(
        rule=rule.id,
        device=device,
        level=level,
        limit=limit,
        unit=rule.unit,
        reached=sign * float(signal[worst]),
        reached_ms=int(time_ms[worst]),
        short=sign * limit - float(signal[worst]),
        held=_most_of(beyond, n),
        needed=m,
        of=n,
        held_s=_longest_s(beyond, time_ms),
        needed_s=needed_s,
        sustained=None if sustained is None else sign * sustained,
    )


def _most_of(beyond: Bools, n: int) -> int:
    """Return the most samples beyond the limit among any `n` in a row."""
    sums = np.convolve(beyond.astype(np.int64), np.ones(n, np.int64))
    return int(sums.max(initial=0))


def _longest_s(beyond: Bools, time_ms: Int64s) -> float:
    """Return the longest time beyond the limit, from the first to the last sample of a stretch."""
    edges = np.flatnonzero(np.diff(beyond.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2] - 1
    return float(((time_ms[ends] - time_ms[starts]) / 1000.0).max(initial=0.0))


def _sustained(signal: Floats, time_ms: Int64s, m: int, n: int, needed_s: float) -> float | None:
    """Return the highest threshold that the signal would have held."""
    if len(signal) < m:
        return None
    width = min(n, len(signal))
    windows = np.lib.stride_tricks.sliding_window_view(signal, width)
    held = float(np.sort(windows, axis=1)[:, width - m].max())
    if needed_s <= 0:
        return held
    first = np.searchsorted(time_ms, time_ms - round(needed_s * 1000.0), side="right") - 1
    spans = [signal[a : b + 1].min() for b, a in enumerate(first.tolist()) if a >= 0]
    return min(held, float(max(spans))) if spans else None
