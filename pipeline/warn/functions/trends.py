"""Trends over a window: the slope, and the time left until a level is reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np

from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.functions.points import CELLS, Points
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

HEARD_SHARE = 0.5
"""Nothing is said before the samples span so much of a window (proposed)."""
SURE_SAMPLES = 8
"""A trend through fewer samples is less sure, in proportion (proposed)."""
RISE_SIGMAS = 4.0
"""A rise over the lowest of the window by less than so much noise is no trend: among 16 samples of
noise alone one in a hundred rises so far (proposed)."""
_PAIRS = np.array(list(combinations(range(CELLS + 1), 2)))


class Rate(WindowFunction):
    """The least-squares slope of the samples of the window, in the quantity's unit an hour.

    The window is at most 15 samples, a thirteenth of it apart, and the newest. A line by ordinary
    least squares, as in any text on regression: `cov(t, x) / var(t)`.
    """

    def __init__(self, rows: int, window_s: float) -> None:
        """Take the number of devices and the window in seconds."""
        self._window_ms = window_s * 1000.0
        self.points = Points.of(rows)

    @property
    def remembered(self) -> tuple[Any, ...]:
        """The values kept."""
        return (self.points,)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the slopes (n,) per hour; a spike is no part of one."""
        signal = np.full(len(row), np.nan)
        kept = np.flatnonzero(~is_spike)
        row, time_ms, value = row[kept], time_ms[kept], value[kept]
        age_h, values, counts = self.points.within(row, time_ms, value, self._window_ms)
        count = counts.sum(axis=0)
        age = np.where(counts, age_h - age_h.sum(axis=0) / count, 0.0)
        spread = (age * age).sum(axis=0)
        is_known = (count >= 2) & (-age_h.min(axis=0) * 3.6e6 >= HEARD_SHARE * self._window_ms)
        slope = (age * values).sum(axis=0) / np.where(spread > 0, spread, 1.0)
        signal[kept] = np.where(is_known & (spread > 0), slope, np.nan)
        self.points.keep(row, time_ms, value, self._window_ms)
        return signal

    def forget(self, row: Rows) -> None:
        """Start the windows of these devices again."""
        self.points.forget(row)


@dataclass(slots=True)
class TrendState:
    """How sure the newest forecast of each device is, 0 to 1 (rows,)."""

    sure: Floats

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.zeros(rows))


class TimeToLevel(WindowFunction):
    """Minutes until a level is reached if the trend goes on; +inf while it is not coming.

    Once it is reached there is nothing left to foretell: nothing is said, a standing alarm stays
    until the level is left again, and the alarm is that of the rule on the level itself.

    The trend is the median of the slopes between all pairs of samples of the window (Theil 1950,
    Sen 1968), through the median of the samples: a few wild samples do not turn it. The forecast
    is as sure as the share of the variance the line explains, times the share of
    `SURE_SAMPLES` it rests on.
    """

    def __init__(
        self, levels: Floats, noise: Floats, figures: Mapping[str, float], *, is_falling: bool
    ) -> None:
        """Take the figures of the trend.

        Args:
            levels: Level of each device (rows,), in the quantity's unit; NaN for none.
            noise: Standard deviation of each device's noise (rows,); a smaller change is no
                trend.
            figures: `window_s`, `horizon_s`, `least_samples`.
            is_falling: Whether the level is reached from above (a freeboard) or from below.
        """
        self._sign = -1.0 if is_falling else 1.0
        self._levels, self._noise = self._sign * levels, noise
        self._window_ms = figures["window_s"] * 1000.0
        self._horizon_min = figures["horizon_s"] / 60.0
        self._least = int(figures["least_samples"])
        self.points, self.state = Points.of(len(levels)), TrendState.of(len(levels))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Values kept and the newest confidence."""
        return (self.points, self.state)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the minutes (n,); NaN for spikes, at the level and where there is none."""
        signal = np.full(len(row), np.nan)
        kept = np.flatnonzero(~is_spike & np.isfinite(self._levels[row]))
        row, time_ms, shown = row[kept], time_ms[kept], self._sign * value[kept]
        left = self._levels[row] - shown
        minutes = np.where(left <= 0, np.nan, np.inf)
        self.state.sure[row] = 0.0
        age_h, values, counts = self.points.within(row, time_ms, shown, self._window_ms)
        lowest = np.where(counts, values, np.inf).min(axis=0)
        is_rising = (left > 0) & (shown - lowest > RISE_SIGMAS * self._noise[row])
        is_rising &= counts.sum(axis=0) >= self._least
        rising = np.flatnonzero(is_rising)
        if len(rising):
            minutes[rising], self.state.sure[row[rising]] = self._forecast(
                age_h[:, rising], values[:, rising], counts[:, rising], self._levels[row[rising]]
            )
        self.points.keep(row, time_ms, shown, self._window_ms)
        signal[kept] = minutes
        return signal

    def forget(self, row: Rows) -> None:
        """Start the windows of these devices again."""
        self.points.forget(row)

    def confidence(self, row: int) -> float:
        """Return how sure the newest forecast of a row is, 0 to 1."""
        return float(self.state.sure[row])

    def _forecast(
        self, age_h: Floats, values: Floats, counts: Bools, level: Floats
    ) -> tuple[Floats, Floats]:
        first, second = _PAIRS[:, 0], _PAIRS[:, 1]
        run_h = age_h[second] - age_h[first]
        is_pair = counts[first] & counts[second] & (run_h != 0.0)
        slopes = (values[second] - values[first]) / np.where(is_pair, run_h, 1.0)
        slope = np.nanmedian(np.where(is_pair, slopes, np.nan), axis=0)
        offsets = np.where(counts, values - slope * age_h, np.nan)
        now = np.nanmedian(offsets, axis=0)
        rest = np.where(counts, offsets - now, 0.0)
        middle = np.nanmean(np.where(counts, values, np.nan), axis=0)
        whole = (np.where(counts, values - middle, 0.0) ** 2).sum(axis=0)
        explained = 1.0 - (rest**2).sum(axis=0) / np.where(whole > 0, whole, 1.0)
        sure = np.clip(explained, 0.0, 1.0)
        sure *= np.minimum(1.0, counts.sum(axis=0) / SURE_SAMPLES)
        minutes = 60.0 * np.maximum(level - now, 0.0) / np.where(slope > 0, slope, np.nan)
        is_coming = (slope > 0) & (minutes <= self._horizon_min)
        return np.where(is_coming, minutes, np.inf), np.where(is_coming, sure, 0.0)
