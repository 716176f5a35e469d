"""The sum: how much a counter has gone up within the window; and the change of any value."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.functions.points import Points
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s


@dataclass(slots=True)
class CounterState:
    """What is remembered of each counter besides its totals, (rows,).

    Attributes:
        raw: Newest value shown, NaN before the first.
        offset: What was counted before the last reset.
    """

    raw: Floats
    offset: Floats

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.full(rows, np.nan), np.zeros(rows))


class CounterSum(WindowFunction):
    """The increase of a counter within one window.

    Between two kept totals the counter is held to have gone up evenly; before a whole window has
    been heard the increase since the first sample counts. A reset to zero loses no rain.
    """

    def __init__(self, rows: int, window_s: float, reset: float) -> None:
        """Take the number of devices, the window, and the fall that is a reset and no noise."""
        self._window_ms, self._reset = window_s * 1000.0, reset
        self.points = Points.of(rows)
        self.counter = CounterState.of(rows)

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Totals and counters."""
        return (self.points, self.counter)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the increases (n,) in the counter's unit; NaN for spikes, which count not."""
        if is_spike.any():
            signal = np.full(len(row), np.nan)
            kept = np.flatnonzero(~is_spike)
            signal[kept] = self._apply(row[kept], time_ms[kept], value[kept])
            return signal
        return self._apply(row, time_ms, value)

    def _apply(self, row: Rows, time_ms: Int64s, value: Floats) -> Floats:
        raw = self.counter.raw[row]
        self.counter.offset[row] += np.where(value < raw - self._reset, raw, 0.0)
        self.counter.raw[row] = value
        total: Floats = self.counter.offset[row] + value
        before, _ = self.points.before(row, time_ms, total, self._window_ms)
        self.points.keep(row, time_ms, total, self._window_ms)
        increase: Floats = total - before
        return increase


class Delta(WindowFunction):
    """Newest value minus that of one window before; nothing before a window has been heard."""

    def __init__(self, rows: int, window_s: float) -> None:
        """Take the number of devices and the window in seconds."""
        self._window_ms = window_s * 1000.0
        self.points = Points.of(rows)

    @property
    def remembered(self) -> tuple[Any, ...]:
        """The values kept."""
        return (self.points,)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the changes (n,) in the quantity's unit; a spike is compared and not kept."""
        before, reaches = self.points.before(row, time_ms, value, self._window_ms)
        kept = slice(None) if not is_spike.any() else np.flatnonzero(~is_spike)
        self.points.keep(row[kept], time_ms[kept], value[kept], self._window_ms)
        signal: Floats = np.where(reaches, value - before, np.nan)
        return signal

    def forget(self, row: Rows) -> None:
        """Start the windows of these devices again."""
        self.points.forget(row)
