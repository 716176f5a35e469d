"""The sum rule: how much a counter has gone up within the rule's window, judged by levels."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.compile import CompiledRule
from pipeline.warn.levels import LevelRule
from pipeline.warn.verdicts import MILDEST_FIRST, Bools, Rows, Verdict
from sensors.readings import Floats, Int64s

CELLS = 15
"""Totals kept a device: 14 gaps of a thirteenth of the window span more than one window."""
_GAPS = 13
_RESET = 1.0
"""A counter that falls by more than this (in its unit) was set to zero; less is noise."""
_NEVER_MS = -(2**62)


@dataclass(slots=True)
class CounterState:
    """What is remembered of each counter; cells are the first axis, (CELLS, rows).

    Attributes:
        time_ms: Sample times of the totals kept.
        total: Totals since the device was first heard, resets bridged.
        head: Cell the next total goes to.
        raw: Newest value shown, NaN before the first.
        offset: What was counted before the last reset.
    """

    time_ms: Int64s
    total: Floats
    head: NDArray[np.intp]
    raw: Floats
    offset: Floats

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.full((CELLS, rows), _NEVER_MS, np.int64),
            np.zeros((CELLS, rows)),
            np.zeros(rows, np.intp),
            np.full(rows, np.nan),
            np.zeros(rows),
        )


class SumRule(LevelRule):
    """A level rule on the increase of a counter within one window.

    Between two kept totals the counter is held to have gone up evenly; before a whole window has
    been heard the increase since the first sample counts. A reset to zero loses no rain.
    """

    def __init__(self, columns: CompiledRule) -> None:
        super().__init__(columns)
        self.counter = CounterState.of(len(columns.devices))
        rule = columns.rule
        mildest = next(level for level in MILDEST_FIRST if level in rule.windows_s)
        self._window_ms = rule.windows_s[mildest] * 1000.0

    def step(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> list[Verdict]:
        """Judge the sums of one sample of each of several different devices; spikes count not."""
        if is_spike.any():
            kept = ~is_spike
            row, time_ms, value = row[kept], time_ms[kept], value[kept]
        total = self._total(row, value)
        increase = total - self._before(row, time_ms, total)
        self._keep(row, time_ms, total)
        return super().step(row, time_ms, increase, np.zeros(len(row), np.bool_))

    def _total(self, row: Rows, value: Floats) -> Floats:
        counter = self.counter
        raw = counter.raw[row]
        is_reset = value < raw - _RESET
        counter.offset[row] += np.where(is_reset, raw, 0.0)
        counter.raw[row] = value
        total: Floats = counter.offset[row] + value
        return total

    def _before(self, row: Rows, time_ms: Int64s, total: Floats) -> Floats:
        """Return the totals one window before, the oldest known where none is so old."""
        times = np.vstack([self.counter.time_ms[:, row], time_ms[None]])
        totals = np.vstack([self.counter.total[:, row], total[None]])
        target_ms = time_ms - self._window_ms
        is_known = times > _NEVER_MS
        is_after = is_known & (times >= target_ms)
        place = np.arange(len(row))
        after = np.where(is_after, times, np.iinfo(np.int64).max).argmin(axis=0)
        is_before = is_known & (times <= target_ms)
        before = np.where(is_before, times, _NEVER_MS).argmax(axis=0)
        first, last = totals[before, place], totals[after, place]
        gap_ms = (times[after, place] - times[before, place]).astype(np.float64)
        share = (target_ms - times[before, place]) / np.where(gap_ms > 0, gap_ms, 1.0)
        between = first + (last - first) * np.clip(share, 0.0, 1.0)
        found: Floats = np.where(is_before.any(axis=0), between, last)
        return found

    def _keep(self, row: Rows, time_ms: Int64s, total: Floats) -> None:
        counter = self.counter
        newest_ms = counter.time_ms[:, row].max(axis=0, initial=_NEVER_MS)
        is_due = time_ms - newest_ms >= self._window_ms / _GAPS * 0.9
        row, head = row[is_due], counter.head[row[is_due]]
        counter.time_ms[head, row] = time_ms[is_due]
        counter.total[head, row] = total[is_due]
        counter.head[row] = (head + 1) % CELLS
