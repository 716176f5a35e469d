"""Recent values of each device, spaced so that a value about one window old is always at hand."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.verdicts import Rows
from sensors.readings import Floats, Int64s

CELLS = 8
"""Values kept a device."""
SPACING = 0.15
"""Shortest time between two kept values, in windows: 7 gaps span more than one window."""
YOUNGEST = 0.9
"""A value this many windows old serves as the reference: devices do not sample on the dot."""
OLDEST = 3.0
"""An older value does not: too much has changed by itself."""
_NEVER_MS = -(2**62)


@dataclass(slots=True)
class Recent:
    """A ring of values a device; cells are the first axis, (CELLS, rows).

    `highest` is the largest value in each ring, so that most devices need no closer look.
    """

    time_ms: Int64s
    value: Floats
    head: NDArray[np.intp]
    newest_ms: Int64s
    highest: Floats

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return empty rings."""
        return cls(
            np.full((CELLS, rows), _NEVER_MS, np.int64),
            np.full((CELLS, rows), -np.inf),
            np.zeros(rows, np.intp),
            np.full(rows, _NEVER_MS, np.int64),
            np.full(rows, -np.inf),
        )

    def reference(self, row: Rows, time_ms: Int64s, window_ms: float) -> Floats:
        """Return the newest value about a window old, NaN where there is none."""
        times = self.time_ms[:, row]
        age_ms = time_ms - times
        fits = (age_ms >= YOUNGEST * window_ms) & (age_ms <= OLDEST * window_ms)
        cell = np.where(fits, times, _NEVER_MS).argmax(axis=0)
        found: Floats = np.where(fits.any(axis=0), self.value[cell, row], np.nan)
        return found

    def keep(self, row: Rows, time_ms: Int64s, value: Floats, window_ms: float) -> None:
        """Keep values that are far enough from the last one kept."""
        is_due = time_ms - self.newest_ms[row] >= SPACING * window_ms
        if not is_due.all():
            row, time_ms, value = row[is_due], time_ms[is_due], value[is_due]
        head = self.head[row]
        self.time_ms[head, row] = time_ms
        highest = self.highest[row]
        gone = np.flatnonzero(self.value[head, row] >= highest)
        self.value[head, row] = value
        self.head[row] = (head + 1) % CELLS
        self.newest_ms[row] = time_ms
        highest = np.maximum(highest, value)
        highest[gone] = self.value[:, row[gone]].max(axis=0)
        self.highest[row] = highest
