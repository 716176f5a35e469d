"""Short history of every device: a columnar ring of its newest samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.readings import Floats, Int64s, Quality, ReadingBatch

DEPTH = 48
"""Samples kept a device: 4 h at 300 s, 48 min at 60 s."""
_UNFIT = int(Quality.RANGE | Quality.SPIKE | Quality.STUCK | Quality.SKEW)


@dataclass(slots=True)
class History:
    """The newest `DEPTH` fit samples of each device.

    Attributes:
        time_s: Sample time in whole seconds UTC, 0 for an empty cell, (devices, DEPTH).
        value: Value in the quantity's unit, (devices, DEPTH).
        head: Cell the device's next sample goes to.
    """

    time_s: NDArray[np.uint32]
    value: NDArray[np.float32]
    head: NDArray[np.int64]

    @classmethod
    def of(cls, devices: int) -> "History":
        """Return an empty history of so many devices."""
        return cls(
            np.zeros((devices, DEPTH), np.uint32),
            np.zeros((devices, DEPTH), np.float32),
            np.zeros(devices, np.int64),
        )

    def add(self, batch: ReadingBatch) -> None:
        """Keep the fit samples of `batch`, which is sorted by device."""
        fit = ((batch.quality & _UNFIT) == 0) & np.isfinite(batch.value)
        device = batch.device[fit]
        if not len(device):
            return
        first = np.flatnonzero(np.concatenate(([True], device[1:] != device[:-1])))
        count = np.diff(np.append(first, len(device)))
        rank = np.arange(len(device)) - np.repeat(first, count)
        newest = rank >= np.repeat(count, count) - DEPTH
        cell = (self.head[device] + rank) % DEPTH
        self.time_s[device[newest], cell[newest]] = batch.time_ms[fit][newest] // 1000
        self.value[device[newest], cell[newest]] = batch.value[fit][newest]
        self.head[device[first]] = (self.head[device[first]] + count) % DEPTH

    def newest(self, up_to_ms: int | None = None) -> tuple[Int64s, Floats]:
        """Return (time_ms, value) of each device's newest sample up to `up_to_ms`.

        The value is NaN and the time 0 where there is none.
        """
        time_s = self.time_s
        if up_to_ms is not None:
            time_s = np.where(time_s <= max(0, up_to_ms // 1000), time_s, 0)
        return self._pick(time_s, np.argmax(time_s, axis=1))

    def next_after(self, device: int, at_ms: int) -> float:
        """Return a device's first value at or after `at_ms`, else its newest; NaN for none."""
        time_s = self.time_s[device].astype(np.int64)
        known = time_s > 0
        if not known.any():
            return float("nan")
        later = known & (time_s * 1000 >= at_ms)
        cell = np.argmin(np.where(later, time_s, np.iinfo(np.int64).max)) if later.any() else None
        return float(self.value[device, np.argmax(time_s) if cell is None else cell])

    def last_before(self, device: int, at_ms: int) -> float:
        """Return a device's newest value at or before `at_ms`, else its oldest; NaN for none."""
        time_s = self.time_s[device].astype(np.int64)
        known = time_s > 0
        if not known.any():
            return float("nan")
        earlier = known & (time_s * 1000 <= at_ms)
        if earlier.any():
            return float(self.value[device, np.argmax(np.where(earlier, time_s, -1))])
        oldest = np.argmin(np.where(known, time_s, np.iinfo(np.int64).max))
        return float(self.value[device, oldest])

    def _pick(self, time_s: NDArray[np.uint32], cell: NDArray[np.intp]) -> tuple[Int64s, Floats]:
        rows = np.arange(len(cell))
        chosen = time_s[rows, cell].astype(np.int64)
        value = np.where(chosen > 0, self.value[rows, cell].astype(np.float64), np.nan)
        return chosen * 1000, value
