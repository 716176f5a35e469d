"""Short history of every device: a columnar ring of its newest samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.readings import Floats, Int64s, Quality, ReadingBatch

DEPTH = 48
"""Samples kept a device: 4 h at 300 s, 48 min at 60 s."""
DEPTH_OF_OPERATION = 256
"""The same of a pump or a tank: 4 h at 60 s, for after an outage it must be known how the network
was run before."""
_UNFIT = int(Quality.RANGE | Quality.SPIKE | Quality.STUCK | Quality.SKEW)


@dataclass(slots=True)
class History:
    """The newest `DEPTH` fit samples of each device, and more of those that tell of operation.

    Attributes:
        time_s: Sample time in whole seconds UTC, 0 for an empty cell, (devices, DEPTH).
        value: Value in the quantity's unit, (devices, DEPTH).
        head: Cell the device's next sample goes to.
        row: Row of each device in `operation`, -1 for the others.
        operation: Longer history of the pumps and tanks; None where there are none.
    """

    time_s: NDArray[np.uint32]
    value: NDArray[np.float32]
    head: NDArray[np.int64]
    row: Int64s
    operation: "History | None" = None

    @classmethod
    def of(
        cls, devices: int, operation: Sequence[int] | NDArray[np.integer] = (), depth: int = DEPTH
    ) -> "History":
        """Return an empty history of so many devices.

        `operation` are the numbers of the pumps and tanks, ascending.
        """
        row = np.full(devices, -1, np.int64)
        row[np.asarray(operation, np.int64)] = np.arange(len(operation))
        return cls(
            np.zeros((devices, depth), np.uint32),
            np.zeros((devices, depth), np.float32),
            np.zeros(devices, np.int64),
            row,
            cls.of(len(operation), (), DEPTH_OF_OPERATION) if len(operation) else None,
        )

    def add(self, batch: ReadingBatch) -> None:
        """Keep the fit samples of `batch`, which is sorted by device."""
        fit = ((batch.quality & _UNFIT) == 0) & np.isfinite(batch.value)
        device, time_ms, value = batch.device[fit], batch.time_ms[fit], batch.value[fit]
        self.append(device, time_ms, value)
        if self.operation is not None:
            own = self.row[device] >= 0
            self.operation.append(self.row[device[own]], time_ms[own], value[own])

    def append(
        self, device: NDArray[np.integer], time_ms: Int64s, value: NDArray[np.floating]
    ) -> None:
        """Keep samples, which are sorted by device (rows)."""
        if not len(device):
            return
        depth = self.time_s.shape[1]
        first = np.flatnonzero(np.concatenate(([True], device[1:] != device[:-1])))
        count = np.diff(np.append(first, len(device)))
        rank = np.arange(len(device)) - np.repeat(first, count)
        newest = rank >= np.repeat(count, count) - depth
        cell = (self.head[device] + rank) % depth
        self.time_s[device[newest], cell[newest]] = time_ms[newest] // 1000
        self.value[device[newest], cell[newest]] = value[newest]
        self.head[device[first]] = (self.head[device[first]] + count) % depth

    def newest_ms(self, devices: NDArray[np.integer] | None = None) -> Int64s:
        """Return the newest sample time of each device, or of some; 0 where there is none."""
        time_s = self.time_s if devices is None else self.time_s[devices]
        newest: Int64s = time_s.max(axis=1).astype(np.int64) * 1000
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
        kept, rows = self._longest(devices)
        time_s = kept.time_s[rows].astype(np.int64)
        order = np.argsort(time_s, axis=1, kind="stable")
        time_ms = np.take_along_axis(time_s, order, axis=1) * 1000
        is_on = np.take_along_axis(kept.value[rows], order, axis=1) > 0.5
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
        kept, rows = self._longest(devices)
        value = (kept.next_after if is_after else kept.last_before)(rows, at_ms)
        time_ms = kept.time_s[rows].astype(np.int64) * 1000
        sign = 1 if is_after else -1
        ahead = np.where(time_ms > 0, sign * (time_ms - at_ms), np.iinfo(np.int64).max)
        right = np.where(ahead >= 0, ahead, np.iinfo(np.int64).max).min(axis=1)
        wrong = np.where(ahead < 0, -ahead, np.iinfo(np.int64).max).min(axis=1)
        has_right = right < np.iinfo(np.int64).max
        return np.where(has_right, right, np.minimum(wrong, 2**61) + 2**61), value

    def _longest(self, devices: NDArray[np.integer]) -> tuple["History", NDArray[np.integer]]:
        """Return the longest history there is of all of `devices`, and their rows in it."""
        rows = self.row[devices]
        if self.operation is None or (rows < 0).any():
            return self, devices
        return self.operation, rows

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
    cell = np.zeros((len(rows), min(count, time_s.shape[1])), np.intp)
    is_sorted = np.ones(len(rows), np.bool_)
    newer = np.full(len(rows), np.iinfo(np.int64).max)
    found = np.zeros(len(rows), np.int64)
    empty = np.zeros(len(rows), np.intp)
    for back in range(1, time_s.shape[1] + 1):
        place = (head - back) % time_s.shape[1]
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
