"""How far what the network model leaves unexplained has drifted from its usual, block by block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.functions.base import NEVER_MS, WindowFunction
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

ANSWERS = 30
"""Answers of the model kept: meters send the samples of an hour or two at once (2.5 h at 300 s)."""
_MAD = 1.4826
"""Median absolute deviation of normal noise times this is its standard deviation."""


@dataclass(slots=True)
class DriftState:
    """What is remembered of each device; the last axis is the rows.

    Attributes:
        asked_ms: When the model was asked, a ring (ANSWERS, rows).
        answer: What it said then, in the quantity's unit (ANSWERS, rows).
        head: Cell the next answer goes to (rows,).
        block: Number of the block at hand, -1 for none (rows,).
        total: Sum of the residuals in it (rows,).
        size: Sum of the absolute samples in it (rows,).
        count: Samples in it (rows,).
        usual: Mean residuals of the blocks before, NaN for none (blocks, rows).
        next: Cell the next block goes to (rows,).
    """

    asked_ms: Int64s
    answer: NDArray[np.float32]
    head: NDArray[np.int16]
    block: Int64s
    total: Floats
    size: Floats
    count: NDArray[np.int32]
    usual: NDArray[np.float32]
    next: NDArray[np.int16]

    @classmethod
    def of(cls, blocks: int, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.full((ANSWERS, rows), NEVER_MS, np.int64),
            np.full((ANSWERS, rows), np.nan, np.float32),
            np.zeros(rows, np.int16),
            np.full(rows, -1, np.int64),
            np.zeros(rows),
            np.zeros(rows),
            np.zeros(rows, np.int32),
            np.full((blocks, rows), np.nan, np.float32),
            np.zeros(rows, np.int16),
        )


class Drift(WindowFunction):
    """Sigmas by which the mean residual of a block is off the median of the blocks before.

    A leak that grows for hours moves no device between two samples, and a bias that follows
    would learn it; the median of `learning_s` of blocks moves only after half of that time.
    Either side counts: meters between areas read either way. The residual is what a sample is
    outside the span of the model's answers around its time, so that a pump that switched
    between them is no drift.
    """

    def __init__(self, noise: Floats, interval_s: Floats, figures: Mapping[str, float]) -> None:
        """Take noise and sampling interval of each device (rows,), and the figures.

        `figures` are `mean_s` (length of a block), `learning_s`, `warm_up` (blocks before one
        is judged), `floor_sigmas` (least spread in the device's noise), `model_share` (least
        spread as a share of what the device shows) and `reach_s` (a sample further from every
        answer is not used).
        """
        self._block_ms = round(figures["mean_s"] * 1000.0)
        self._reach_ms = round(figures["reach_s"] * 1000.0)
        self._warm_up, self._share = int(figures["warm_up"]), figures["model_share"]
        self._floor = figures["floor_sigmas"] * noise
        self._enough = np.maximum(figures["mean_s"] / np.maximum(interval_s, 1.0) / 2.0, 1.0)
        blocks = max(int(figures["learning_s"] / figures["mean_s"]), self._warm_up)
        self.state = DriftState.of(blocks, len(noise))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Answers and blocks."""
        return (self.state,)

    def take(self, asked_ms: int, answer: Floats) -> None:
        """Take what the model says of the devices (rows,) at one moment, later than any before."""
        state = self.state
        row = np.arange(len(answer))
        state.asked_ms[state.head, row] = asked_ms
        state.answer[state.head, row] = answer
        state.head[:] = (state.head + 1) % ANSWERS

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the drifts (n,): NaN but for the first sample after a block."""
        state = self.state
        block = time_ms // self._block_ms
        signal = np.full(len(row), np.nan)
        over = np.flatnonzero((state.block[row] != block) & (state.block[row] >= 0))
        if len(over):
            signal[over] = self._close(row[over])
        state.block[row] = block
        residual = self._residual(row, time_ms, value)
        used = np.flatnonzero(np.isfinite(residual) & ~is_spike)
        state.total[row[used]] += residual[used]
        state.size[row[used]] += np.abs(value[used])
        state.count[row[used]] += 1
        return signal

    def _residual(self, row: Rows, time_ms: Int64s, value: Floats) -> Floats:
        """Return how far samples are outside the answers around their time, NaN where unknown."""
        asked_ms, answer = self.state.asked_ms[:, row], self.state.answer[:, row]
        since_ms = asked_ms - time_ms
        is_near = (np.abs(since_ms) <= self._reach_ms) & np.isfinite(answer)
        low, high = np.full(len(row), np.inf), np.full(len(row), -np.inf)
        column = np.arange(len(row))
        for side in (is_near & (since_ms <= 0), is_near & (since_ms >= 0)):
            nearest = np.argmin(np.where(side, np.abs(since_ms), 2**62), axis=0)
            there = side[nearest, column]
            shown = answer[nearest, column].astype(np.float64)
            low = np.where(there, np.minimum(low, shown), low)
            high = np.where(there, np.maximum(high, shown), high)
        residual: Floats = np.where(low <= high, value - np.clip(value, low, high), np.nan)
        return residual

    def _close(self, row: Rows) -> Floats:
        """End the blocks at hand of these devices; return their drifts, NaN where unknown."""
        state = self.state
        count = np.maximum(state.count[row], 1)
        mean = np.where(state.count[row] >= self._enough[row], state.total[row] / count, np.nan)
        shown = state.size[row] / count
        state.total[row] = state.size[row] = 0.0
        state.count[row] = 0
        known = state.usual[:, row].astype(np.float64)
        drift = np.full(len(row), np.nan)
        judged = np.isfinite(known).sum(axis=0) >= self._warm_up
        judged &= np.isfinite(mean)
        chosen = np.flatnonzero(judged)
        if len(chosen):
            before = known[:, chosen]
            usual = np.nanmedian(before, axis=0)
            spread = _MAD * np.nanmedian(np.abs(before - usual), axis=0)
            floor = np.hypot(self._floor[row[chosen]], self._share * shown[chosen])
            spread = np.maximum(spread, floor)
            drift[chosen] = np.abs(mean[chosen] - usual) / np.where(spread > 0, spread, np.nan)
        kept = np.flatnonzero(np.isfinite(mean))
        place = state.next[row[kept]].astype(np.intp)
        state.usual[place, row[kept]] = mean[kept]
        state.next[row[kept]] = (place + 1) % len(known)
        return drift
