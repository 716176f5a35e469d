"""A device's own mean and spread, followed slowly, and samples standardised by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.functions.slots import Slots
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

MOST_SHARE = 0.2
"""One sample moves a learned figure by no more than this share (proposed)."""


@dataclass(slots=True)
class SpreadState:
    """What is learned of each device, (rows,).

    Attributes:
        mean: Learned mean.
        variance: Learned square of the spread.
        count: Samples learned from.
        learned_ms: When it was learned from last.
    """

    mean: Floats
    variance: Floats
    count: NDArray[np.int32]
    learned_ms: Int64s

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.zeros(rows), np.zeros(rows), np.zeros(rows, np.int32), np.zeros(rows, np.int64)
        )


@dataclass(slots=True)
class BlockState:
    """What is remembered of each device's block at hand, (rows,).

    Attributes:
        number: Blocks since 1970, -1 for none.
        total: Sum of the samples in it.
        count: Samples in it.
    """

    number: Int64s
    total: Floats
    count: NDArray[np.int32]

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.full(rows, -1, np.int64), np.zeros(rows), np.zeros(rows, np.int32))


class Blocks:
    """Means over blocks of time: a chart asks for samples that do not hang together."""

    def __init__(self, rows: int, mean_s: float) -> None:
        """Take the number of devices and the length of a block, seconds."""
        self._block_ms = round(mean_s * 1000.0)
        self.state = BlockState.of(rows)

    def take(self, row: Rows, time_ms: Int64s, value: Floats) -> Floats:
        """Take samples; return the mean of the block each of them ends, NaN where it ends none."""
        state = self.state
        number = time_ms // self._block_ms
        is_over = (state.number[row] != number) & (state.count[row] > 0)
        mean = np.full(len(row), np.nan)
        over = row[is_over]
        mean[is_over] = state.total[over] / state.count[over]
        state.total[over], state.count[over] = 0.0, 0
        state.number[row] = number
        state.total[row] += value
        state.count[row] += 1
        return mean


class Spreads:
    """Standardises samples: how many of its own sigmas a sample is above the device's own mean.

    Mean and spread follow with a time constant, and a sample moves them by no more than
    `clip_sigmas` (Huber's clipping, 1964), so that an event is slow to become its own yardstick.
    Where a time of the week has a mean of its own, that is taken off first. With blocks it is
    their means that are standardised: a sample that ends none has no score.
    """

    def __init__(
        self, noise: Floats, figures: Mapping[str, float], slots: Slots | None = None
    ) -> None:
        """Take the noise of each device (rows,), the figures, and the slots of the week.

        `figures` are `learning_s`, `warm_up` (samples before a device is judged),
        `floor_sigmas` (least spread, in the device's noise), `clip_sigmas` and `mean_s` (length of
        a block, 0 for none).
        """
        self._learning_ms = figures["learning_s"] * 1000.0
        self._warm_up = int(figures["warm_up"])
        self._clip = figures["clip_sigmas"]
        self._floor = figures["floor_sigmas"] * noise
        self._slots = slots
        mean_s = figures.get("mean_s", 0.0)
        self._blocks = Blocks(len(noise), mean_s) if mean_s else None
        self.state = SpreadState.of(len(noise))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Means and spreads, the slots where there are any, and the blocks likewise."""
        parts = (self, self._slots, self._blocks)
        return tuple(part.state for part in parts if part is not None)

    def standardise(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the samples in sigmas above the mean, NaN while warming up; learn from them."""
        if self._slots is not None:
            usual = self._slots.compare(row, time_ms, value, is_spike)
            value = np.where(usual.is_known, usual.deviation, np.nan)
        if self._blocks is not None:
            used = np.flatnonzero(np.isfinite(value) & ~is_spike)
            means = np.full(len(row), np.nan)
            means[used] = self._blocks.take(row[used], time_ms[used], value[used])
            value = means
        scores = np.full(len(row), np.nan)
        known = np.flatnonzero(np.isfinite(value))
        scores[known] = self._standardise(row[known], time_ms[known], value[known], is_spike[known])
        return scores

    def _standardise(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        state = self.state
        count = state.count[row]
        spread = np.maximum(self._floor[row], np.sqrt(state.variance[row]))
        deviation = value - state.mean[row]
        is_known = (count >= self._warm_up) & (spread > 0)
        scores: Floats = np.where(is_known, deviation / np.where(is_known, spread, 1.0), np.nan)
        if is_spike.any():
            kept = ~is_spike
            row, time_ms, deviation = row[kept], time_ms[kept], deviation[kept]
            spread, count = spread[kept], count[kept]
        self._learn(row, time_ms, deviation, spread, count)
        return scores

    def _learn(
        self,
        row: Rows,
        time_ms: Int64s,
        deviation: Floats,
        spread: Floats,
        count: NDArray[np.int32],
    ) -> None:
        state = self.state
        share = (time_ms - state.learned_ms[row]) / self._learning_ms
        is_young = count < self._warm_up
        share = np.maximum(np.clip(share, 0.0, MOST_SHARE), 1.0 / (count + 1.0))
        clip = self._clip * spread
        moved = np.where(is_young, deviation, np.clip(deviation, -clip, clip))
        state.mean[row] += share * moved
        old = state.variance[row]
        square = np.where(count == 0, 0.0, moved * moved)
        state.variance[row] = old + share * (square - old)
        state.count[row] = count + 1
        state.learned_ms[row] = time_ms
