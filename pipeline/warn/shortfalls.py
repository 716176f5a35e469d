"""The shortfall rule: percent below what the device itself has shown of late, judged by levels."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.compile import CompiledRule
from pipeline.warn.levels import LevelRule
from pipeline.warn.verdicts import Bools, Rows, Verdict
from sensors.readings import Floats, Int64s

LEARNING_MS = 30 * 60_000
"""Time constant with which the normal follows: demand over the day moves a low-pressure network
by some 20 % in two hours, a strike within minutes (proposed)."""
WARM_UP = 3
"""Samples of a device before it is judged (proposed)."""
NEW_NORMAL_MS = 6 * 3_600_000
"""A shortfall that has stood so long is the new normal, as for sudden drops (proposed)."""


@dataclass(slots=True)
class NormalState:
    """What is remembered of each device.

    Attributes:
        normal: Learned normal, NaN before the first sample.
        count: Samples learned from.
        learned_ms: When it was learned from last.
    """

    normal: Floats
    count: NDArray[np.int32]
    learned_ms: Int64s

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.full(rows, np.nan), np.zeros(rows, np.int32), np.zeros(rows, np.int64))


class ShortfallRule(LevelRule):
    """A level rule on how far, in percent, a value is below the device's own learned normal.

    The normal stands still while the shortfall is beyond the mildest limit, so that an event does
    not become its own yardstick; after `NEW_NORMAL_MS` it follows again.
    """

    def __init__(self, columns: CompiledRule) -> None:
        super().__init__(columns)
        self.learned = NormalState.of(len(columns.devices))
        self._bound: Floats = columns.limits.min(axis=0)

    def step(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> list[Verdict]:
        """Judge one sample of each of several different devices."""
        learned = self.learned
        normal = learned.normal[row]
        is_known = (learned.count[row] >= WARM_UP) & (normal > 0)
        shortfall = 100.0 * (1.0 - value / np.where(is_known, normal, 1.0))
        is_normal = ~is_known | (shortfall < self._bound[row])
        is_normal |= time_ms - learned.learned_ms[row] > NEW_NORMAL_MS
        is_normal &= ~is_spike
        self._learn(row[is_normal], time_ms[is_normal], value[is_normal])
        return super().step(row[is_known], time_ms[is_known], shortfall[is_known],
                            is_spike[is_known])  # fmt: skip

    def _learn(self, row: Rows, time_ms: Int64s, value: Floats) -> None:
        learned = self.learned
        count = learned.count[row]
        elapsed_ms = time_ms - learned.learned_ms[row]
        share = np.clip(elapsed_ms / LEARNING_MS, 0.0, 0.5)
        share = np.where(elapsed_ms > NEW_NORMAL_MS, 1.0, share)
        share = np.where(count < WARM_UP, 1.0 / (count + 1.0), share)
        before = np.where(count > 0, learned.normal[row], value)
        learned.normal[row] = before + share * (value - before)
        learned.count[row] = np.minimum(count + 1, WARM_UP)
        learned.learned_ms[row] = time_ms
