"""Percent below or above what the device itself has shown of late."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

_TRIMMED_FROM = 3
"""Samples of a warm-up from which its extremes can be left out."""


@dataclass(slots=True)
class NormalState:
    """What is remembered of each device, (rows,).

    Attributes:
        normal: Learned normal, NaN before the first sample.
        count: Samples learned from.
        learned_ms: When it was learned from last.
        least: Smallest of the samples of the warm-up, infinite before the first.
        most: Largest of them.
        slack: Percent granted to the device's present deviation, NaN while it shows none.
    """

    normal: Floats
    count: NDArray[np.int32]
    learned_ms: Int64s
    least: Floats
    most: Floats
    slack: Floats

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.full(rows, np.nan),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.int64),
            np.full(rows, np.inf),
            np.full(rows, -np.inf),
            np.full(rows, np.nan),
        )


class OwnNormal(WindowFunction):
    """How far, in percent, a value is below (or above) the device's own learned normal.

    The first normal is the mean of the warm-up but for its extremes. It stands still while the
    deviation is beyond the mildest limit, so that an event does not become its own yardstick;
    after `new_normal_s` it follows again. The normal of a shortfall rises by no more than the
    mildest limit at a time, so that the sample after a wild one is no shortfall. An excess stands
    still for shortfalls too, so that the end of a shortfall is no excess.

    Pressure follows demand, so a device that was silent for two hours has some drift granted:
    `drift_per_h` for the time since its normal was learned from last, `drift_most` at most. What
    was granted when a deviation began stays as long as it lasts.
    """

    def __init__(self, bound: Floats, figures: Mapping[str, float], *, is_excess: bool) -> None:
        """Take the mildest limit of each device (rows,), percent, and the figures.

        `figures` are `learning_s` (time constant), `warm_up` (samples), `new_normal_s`,
        `drift_per_h` and `drift_most` (percent).
        """
        self._bound, self._is_excess = bound, is_excess
        self._learning_ms = figures["learning_s"] * 1000.0
        self._new_normal_ms = figures["new_normal_s"] * 1000.0
        self._warm_up = int(figures["warm_up"])
        self._drift_per_ms = figures["drift_per_h"] / 3_600_000.0
        self._drift_most = figures["drift_most"]
        self.state = NormalState.of(len(bound))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """The normals."""
        return (self.state,)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the deviations (n,) in percent; NaN before a normal is known."""
        learned = self.state
        normal = learned.normal[row]
        is_known = (learned.count[row] >= self._warm_up) & (normal > 0)
        signal = 100.0 * (1.0 - value / np.where(is_known, normal, 1.0))
        if self._is_excess:
            signal = -signal
        slack = self._slack(row, time_ms)
        signal = np.sign(signal) * np.maximum(np.abs(signal) - slack, 0.0)
        size = np.abs(signal) if self._is_excess else signal
        is_normal = ~is_known | (size < self._bound[row])
        is_normal |= time_ms - learned.learned_ms[row] > self._new_normal_ms
        is_normal &= ~is_spike
        learned.slack[row] = np.where(
            is_spike, learned.slack[row], np.where(is_normal, np.nan, slack)
        )
        if not self._is_excess:  # one wild sample upwards is no new normal
            most = normal * (1.0 + self._bound[row] / 100.0)
            is_old = time_ms - learned.learned_ms[row] > self._new_normal_ms
            value = np.where(is_known & ~is_old, np.minimum(value, most), value)
        self._learn(row[is_normal], time_ms[is_normal], value[is_normal])
        found: Floats = np.where(is_known, signal, np.nan)
        return found

    def _slack(self, row: Rows, time_ms: Int64s) -> Floats:
        """Return the percent by which demand alone may have moved each device, (n,)."""
        granted, silent_ms = self.state.slack[row], time_ms - self.state.learned_ms[row]
        anew = np.clip(silent_ms * self._drift_per_ms, 0.0, self._drift_most)
        found: Floats = np.where(np.isnan(granted), anew, granted)
        return found

    def _learn(self, row: Rows, time_ms: Int64s, value: Floats) -> None:
        learned = self.state
        count = learned.count[row]
        elapsed_ms = time_ms - learned.learned_ms[row]
        share = np.clip(elapsed_ms / self._learning_ms, 0.0, 0.5)
        share = np.where(elapsed_ms > self._new_normal_ms, 1.0, share)
        share = np.where(count < self._warm_up, 1.0 / (count + 1.0), share)
        before = np.where(count > 0, learned.normal[row], value)
        learned.normal[row] = before + share * (value - before)
        learned.count[row] = np.minimum(count + 1, self._warm_up)
        learned.learned_ms[row] = time_ms
        is_first = count < self._warm_up
        if self._warm_up >= _TRIMMED_FROM and is_first.any():
            self._warm(row[is_first], value[is_first])

    def _warm(self, row: Rows, value: Floats) -> None:
        """End the warm-up with the mean of its samples but the smallest and the largest one.

        One jump among the first three would else be a third of the normal.
        """
        learned, samples = self.state, self._warm_up
        learned.least[row] = np.minimum(learned.least[row], value)
        learned.most[row] = np.maximum(learned.most[row], value)
        done = row[learned.count[row] >= samples]
        both = learned.least[done] + learned.most[done]
        learned.normal[done] = (learned.normal[done] * samples - both) / (samples - 2)
