"""Short history of every device: a columnar ring of its newest samples."""

from collections.abc import Sequence
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

    def newest_ms(self) -> Int64s:
        """Return the time of each device's newest sample, 0 where there is none."""
        newest: Int64s = self.time_s.max(axis=1).astype(np.int64) * 1000
        return newest

    def recent(
        self,
        devices: NDArray[np.integer],
        count: int,
        from_ms: int,
        to_ms: int | None = None,
        but: Sequence[tuple[int, int]] = (),
    ) -> tuple[Int64s, Floats]:
        """Return the newest `count` samples of `devices` between two moments, both included.

        Samples strictly inside one of the spans of time `but` are left out. Arrays (devices,
        count) of time_ms and value, newest first; time 0 and NaN where there are fewer.
        """
        time_s = self.time_s[devices].astype(np.int64)
        wanted = (time_s > 0) & (time_s * 1000 >= from_ms // 1000 * 1000)
        if to_ms is not None:
            wanted &= time_s * 1000 <= to_ms
        for start_ms, end_ms in but:
            wanted &= (time_s * 1000 <= start_ms) | (time_s * 1000 >= end_ms)
        time_s = np.where(wanted, time_s, 0)
        cell = np.argsort(-time_s, axis=1, kind="stable")[:, :count]
        chosen_s = np.take_along_axis(time_s, cell, axis=1)
        value = np.take_along_axis(self.value[devices].astype(np.float64), cell, axis=1)
        return chosen_s * 1000, np.where(chosen_s > 0, value, np.nan)

    def switches(self, devices: NDArray[np.integer]) -> list[tuple[int, int]]:
        """Return the spans between two samples of a state in which it changed, by time.

        When within a span it changed nobody knows, so what was measured in it cannot be held
        against a model of either state.
        """
        spans: list[tuple[int, int]] = []
        for device in devices.tolist():
            order = np.argsort(self.time_s[device], kind="stable")
            order = order[self.time_s[device, order] > 0]
            time_ms = self.time_s[device, order].astype(np.int64) * 1000
            changed = np.flatnonzero(np.diff(self.value[device, order] > 0.5))
            spans += zip(time_ms[changed].tolist(), time_ms[changed + 1].tolist(), strict=True)
        return sorted(spans)

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
