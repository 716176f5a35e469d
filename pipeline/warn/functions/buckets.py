"""Mean, least and greatest over a sliding window, kept as twelve buckets of a twelfth of it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.rules import Function
from pipeline.warn.functions.base import NEVER_MS, WindowFunction
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

CELLS = 12
"""Buckets a window: it is exact to a twelfth of its length, whatever the sampling (proposed)."""
HEARD_SHARE = 0.5
"""Nothing is said before so much of a window has been heard, so that one sample is no mean of an
hour (proposed)."""
_EMPTY = -1
_START: dict[Function, float] = {Function.MEAN: 0.0, Function.MIN: np.inf, Function.MAX: -np.inf}


@dataclass(slots=True)
class BucketState:
    """What is remembered of each device; buckets are the first axis, (CELLS, rows).

    Attributes:
        bucket: Number of the bucket since 1970, -1 for an empty cell.
        total: Sum, least or greatest of its samples.
        count: Samples in it.
        since_ms: First sample of the device since it was heard again (rows,).
    """

    bucket: NDArray[np.int64]
    total: Floats
    count: NDArray[np.int32]
    since_ms: Int64s

    @classmethod
    def of(cls, rows: int, start: float) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.full((CELLS, rows), _EMPTY, np.int64),
            np.full((CELLS, rows), start),
            np.zeros((CELLS, rows), np.int32),
            np.full(rows, NEVER_MS, np.int64),
        )


class Bucketed(WindowFunction):
    """Mean, least or greatest of the samples of the window; spikes are not among them."""

    def __init__(self, rows: int, function: Function, window_s: float) -> None:
        """Take the number of devices, one of MEAN, MIN, MAX, and the window in seconds."""
        self._function, self._start = function, _START[function]
        self._window_ms = window_s * 1000.0
        self._width_ms = max(1, round(window_s * 1000.0 / CELLS))
        self.state = BucketState.of(rows, self._start)

    @property
    def remembered(self) -> tuple[Any, ...]:
        """The buckets."""
        return (self.state,)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the mean, least or greatest (n,) in the quantity's unit."""
        signal = np.full(len(row), np.nan)
        if is_spike.any():
            kept = np.flatnonzero(~is_spike)
            signal[kept] = self._apply(row[kept], time_ms[kept], value[kept])
            return signal
        return self._apply(row, time_ms, value)

    def forget(self, row: Rows) -> None:
        """Start the windows of these devices again."""
        self.state.bucket[:, row] = _EMPTY
        self.state.since_ms[row] = NEVER_MS

    def _apply(self, row: Rows, time_ms: Int64s, value: Floats) -> Floats:
        state = self.state
        now = time_ms // self._width_ms
        cell = now % CELLS
        is_new = state.bucket[cell, row] != now
        state.bucket[cell, row] = now
        before = np.where(is_new, self._start, state.total[cell, row])
        state.count[cell, row] = np.where(is_new, 1, state.count[cell, row] + 1)
        if self._function is Function.MEAN:
            state.total[cell, row] = before + value
        elif self._function is Function.MIN:
            state.total[cell, row] = np.minimum(before, value)
        else:
            state.total[cell, row] = np.maximum(before, value)
        since_ms = np.where(state.since_ms[row] == NEVER_MS, time_ms, state.since_ms[row])
        state.since_ms[row] = since_ms
        signal = self._over(row, now)
        signal[time_ms - since_ms < HEARD_SHARE * self._window_ms] = np.nan
        return signal

    def _over(self, row: Rows, now: Int64s) -> Floats:
        is_in = self.state.bucket[:, row] > now - CELLS
        total = np.where(is_in, self.state.total[:, row], self._start)
        found: Floats
        if self._function is Function.MEAN:
            found = total.sum(axis=0) / np.where(is_in, self.state.count[:, row], 0).sum(axis=0)
        elif self._function is Function.MIN:
            found = total.min(axis=0)
        else:
            found = total.max(axis=0)
        return found
