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
        kept_s = self.time_s[devices]
        place = np.flatnonzero(kept_s >= max(from_ms // 1000, 1))
        time_ms = kept_s.reshape(-1)[place].astype(np.int64) * 1000
        wanted = np.ones(len(place), np.bool_) if to_ms is None else time_ms <= to_ms
        for start_ms, end_ms in but:
            if end_ms > from_ms and (to_ms is None or start_ms < to_ms):
                wanted &= (time_ms <= start_ms) | (time_ms >= end_ms)
        time_s = np.zeros(kept_s.shape, np.int64)
        time_s.reshape(-1)[place[wanted]] = time_ms[wanted] // 1000
        cell = _newest_first(time_s, self.head[devices], count)
        chosen_s = np.take_along_axis(time_s, cell, axis=1)
        value = np.take_along_axis(self.value[devices], cell, axis=1).astype(np.float64)
        return chosen_s * 1000, np.where(chosen_s > 0, value, np.nan)

    def switches(self, devices: NDArray[np.integer]) -> list[tuple[int, int]]:
        """Return the spans between two samples of a state in which it changed, by time.

        When within a span it changed nobody knows, so what was measured in it cannot be held
        against a model of either state.
        """
        time_s = self.time_s[devices].astype(np.int64)
        order = np.argsort(time_s, axis=1, kind="stable")
        time_ms = np.take_along_axis(time_s, order, axis=1) * 1000
        is_on = np.take_along_axis(self.value[devices], order, axis=1) > 0.5
        changed = (time_ms[:, :-1] > 0) & (is_on[:, :-1] != is_on[:, 1:])
        starts, ends = time_ms[:, :-1][changed].tolist(), time_ms[:, 1:][changed].tolist()
        return sorted(zip(starts, ends, strict=True))

    def next_after(self, devices: NDArray[np.integer], at_ms: int) -> Floats:
        """Return each device's first value at or after `at_ms`, else its newest; NaN for none."""
        time_s = self.time_s[devices].astype(np.int64)
        is_later = (time_s > 0) & (time_s * 1000 >= at_ms)
        later = np.argmin(np.where(is_later, time_s, np.iinfo(np.int64).max), axis=1)
        cell = np.where(is_later.any(axis=1), later, np.argmax(time_s, axis=1))
        return self._at(devices, time_s, cell)

    def last_before(self, devices: NDArray[np.integer], at_ms: int) -> Floats:
        """Return each device's newest value at or before `at_ms`, else its oldest; NaN for none."""
        time_s = self.time_s[devices].astype(np.int64)
        is_known = time_s > 0
        is_earlier = is_known & (time_s * 1000 <= at_ms)
        earlier = np.argmax(np.where(is_earlier, time_s, -1), axis=1)
        oldest = np.argmin(np.where(is_known, time_s, np.iinfo(np.int64).max), axis=1)
        return self._at(devices, time_s, np.where(is_earlier.any(axis=1), earlier, oldest))

    def around(
        self, devices: NDArray[np.integer], at_ms: int, *, is_after: bool
    ) -> tuple[Int64s, Floats]:
        """Return how far from `at_ms` each device's sample on one side is, and its value.

        The samples are those of `next_after` or `last_before`; one on the wrong side counts as
        further away than any on the right one.
        """
        value = (self.next_after if is_after else self.last_before)(devices, at_ms)
        time_ms = self.time_s[devices].astype(np.int64) * 1000
        sign = 1 if is_after else -1
        ahead = np.where(time_ms > 0, sign * (time_ms - at_ms), np.iinfo(np.int64).max)
        right = np.where(ahead >= 0, ahead, np.iinfo(np.int64).max).min(axis=1)
        wrong = np.where(ahead < 0, -ahead, np.iinfo(np.int64).max).min(axis=1)
        has_right = right < np.iinfo(np.int64).max
        return np.where(has_right, right, np.minimum(wrong, 2**61) + 2**61), value

    def _at(self, devices: NDArray[np.integer], time_s: Int64s, cell: NDArray[np.intp]) -> Floats:
        rows = np.arange(len(devices))
        value = self.value[devices][rows, cell].astype(np.float64)
        known: Floats = np.where(time_s[rows, cell] > 0, value, np.nan)
        return known


def _newest_first(time_s: Int64s, head: Int64s, count: int) -> NDArray[np.intp]:
    """Return the cells of the newest `count` samples of each row, newest first; 0 is no sample.

    Samples nearly always come in the order of time: then the ring gives the order, and only
    rows with a late one are sorted.
    """
    rows = np.arange(len(time_s))
    cell = np.zeros((len(rows), min(count, DEPTH)), np.intp)
    is_sorted = np.ones(len(rows), np.bool_)
    newer = np.full(len(rows), np.iinfo(np.int64).max)
    found = np.zeros(len(rows), np.int64)
    empty = np.zeros(len(rows), np.intp)
    for back in range(1, DEPTH + 1):
        place = (head - back) % DEPTH
        time = time_s[rows, place]
        there = time > 0
        is_sorted &= ~there | (time < newer)
        newer = np.where(there, time, newer)
        chosen = there & (found < cell.shape[1])
        cell[rows[chosen], found[chosen]] = place[chosen]
        found += there
        empty = np.where(there, empty, place)
    cell = np.where(np.arange(cell.shape[1]) < found[:, None], cell, empty[:, None])
    late = np.flatnonzero(~is_sorted)
    if len(late):
        order = np.argsort(-time_s[late], axis=1, kind="stable")
        cell[late] = order[:, : cell.shape[1]]
    return cell
