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


class Spreads:
    """Standardises samples: how many of its own sigmas a sample is above the device's own mean.

    Mean and spread follow with a time constant, and a sample moves them by no more than
    `clip_sigmas` (Huber's clipping, 1964), so that an event is slow to become its own yardstick.
    Where a time of the week has a mean of its own, that is taken off first.
    """

    def __init__(
        self, noise: Floats, figures: Mapping[str, float], slots: Slots | None = None
    ) -> None:
        """Take the noise of each device (rows,), the figures, and the slots of the week.

        `figures` are `learning_s`, `warm_up` (samples before a device is judged),
        `floor_sigmas` (least spread, in the device's noise) and `clip_sigmas`.
        """
        self._learning_ms = figures["learning_s"] * 1000.0
        self._warm_up = int(figures["warm_up"])
        self._clip = figures["clip_sigmas"]
        self._floor = figures["floor_sigmas"] * noise
        self._slots = slots
        self.state = SpreadState.of(len(noise))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Means and spreads, and the slots where there are any."""
        return (self.state,) if self._slots is None else (self.state, self._slots.state)

    def standardise(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the samples in sigmas above the mean, NaN while warming up; learn from them."""
        if self._slots is None:
            return self._standardise(row, time_ms, value, is_spike)
        scores = np.full(len(row), np.nan)
        usual = self._slots.compare(row, time_ms, value, is_spike)
        known = np.flatnonzero(usual.is_known)
        scores[known] = self._standardise(
            row[known], time_ms[known], usual.deviation[known], is_spike[known]
        )
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
        share = np.where(is_young, 1.0 / (count + 1.0), np.clip(share, 0.0, MOST_SHARE))
        clip = self._clip * spread
        moved = np.where(is_young, deviation, np.clip(deviation, -clip, clip))
        state.mean[row] += share * moved
        old = state.variance[row]
        square = np.where(count == 0, 0.0, moved * moved)
        state.variance[row] = old + share * (square - old)
        state.count[row] = np.minimum(count + 1, self._warm_up)
        state.learned_ms[row] = time_ms
