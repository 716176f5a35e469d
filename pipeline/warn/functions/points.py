"""Spaced samples of each device, enough of them to look one window back."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.functions.base import NEVER_MS
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

CELLS = 15
"""Samples kept a device: 14 gaps of a thirteenth of the window span more than one window."""
_GAPS = 13
_SLACK = 0.9
"""Gaps are cut by this share: devices do not sample on the dot."""


@dataclass(slots=True)
class Points:
    """A ring of samples a device; cells are the first axis, (CELLS, rows).

    Attributes:
        time_ms: Sample times of the values kept.
        value: The values.
        head: Cell the next one goes to.
        newest_ms: Time of the newest kept.
    """

    time_ms: Int64s
    value: Floats
    head: NDArray[np.int16]
    newest_ms: Int64s

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return empty rings."""
        return cls(
            np.full((CELLS, rows), NEVER_MS, np.int64),
            np.zeros((CELLS, rows)),
            np.zeros(rows, np.int16),
            np.full(rows, NEVER_MS, np.int64),
        )

    def keep(self, row: Rows, time_ms: Int64s, value: Floats, window_ms: float) -> None:
        """Keep values that are far enough from the last one kept."""
        is_due = time_ms - self.newest_ms[row] >= window_ms / _GAPS * _SLACK
        if not is_due.all():
            row, time_ms, value = row[is_due], time_ms[is_due], value[is_due]
        head = self.head[row].astype(np.intp)
        self.time_ms[head, row] = time_ms
        self.value[head, row] = value
        self.head[row] = (head + 1) % CELLS
        self.newest_ms[row] = time_ms

    def forget(self, row: Rows) -> None:
        """Empty the rings of these devices."""
        self.time_ms[:, row] = NEVER_MS
        self.newest_ms[row] = NEVER_MS

    def before(
        self, row: Rows, time_ms: Int64s, value: Floats, window_ms: float
    ) -> tuple[Floats, Bools]:
        """Return the values one window before, and whether the rings reach back so far.

        Between two kept values the course is held to be straight; where none is old enough it
        is the oldest known, the sample itself (`value`) in an empty ring.
        """
        times = np.concatenate([self.time_ms[:, row], time_ms[None]])
        values = np.concatenate([self.value[:, row], value[None]])
        target_ms = time_ms - window_ms
        is_known = times > NEVER_MS
        is_after = is_known & (times >= target_ms)
        place = np.arange(len(row))
        after = np.where(is_after, times, np.iinfo(np.int64).max).argmin(axis=0)
        is_before: Bools = is_known & (times <= target_ms)
        before = np.where(is_before, times, NEVER_MS).argmax(axis=0)
        first, last = values[before, place], values[after, place]
        gap_ms = (times[after, place] - times[before, place]).astype(np.float64)
        share = (target_ms - times[before, place]) / np.where(gap_ms > 0, gap_ms, 1.0)
        between = first + (last - first) * np.clip(share, 0.0, 1.0)
        reaches: Bools = np.any(is_before, axis=0)
        found: Floats = np.where(reaches, between, last)
        return found, reaches

    def within(
        self, row: Rows, time_ms: Int64s, value: Floats, window_ms: float
    ) -> tuple[Floats, Floats, Bools]:
        """Return ages in hours, values and which of them count, all (CELLS + 1, n).

        The last row of each is the sample itself.
        """
        times = np.concatenate([self.time_ms[:, row], time_ms[None]])
        values = np.concatenate([self.value[:, row], value[None]])
        counts = times >= time_ms - window_ms
        counts[:-1] &= times[:-1] < time_ms
        age_h: Floats = np.where(counts, (times - time_ms) / 3_600_000.0, 0.0)
        return age_h, np.where(counts, values, 0.0), counts
