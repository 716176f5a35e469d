"""Readings of a run: the newest in memory while it runs, the recorded ones afterwards."""

import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from sensors.readings import Frame, ReadingBatch
from sensors.transports.recording import FOLDER

MOST_READINGS = 500_000
"""Readings kept in memory for a run (about 10 MB); older ones are in the recording."""


class ReadingTail:
    """The newest readings of a run; filled by its thread, asked by any."""

    def __init__(self, most: int = MOST_READINGS) -> None:
        self._most, self._count = most, 0
        self._batches: deque[ReadingBatch] = deque()
        self._lock = threading.Lock()

    def add(self, frames: Sequence[Frame]) -> None:
        """Take the frames of a tick; the oldest ticks are forgotten beyond the limit."""
        batch = ReadingBatch.concat([frame.batch for frame in frames])
        if not len(batch):
            return
        with self._lock:
            self._batches.append(batch)
            self._count += len(batch)
            while self._count > self._most and len(self._batches) > 1:
                self._count -= len(self._batches.popleft())

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._batches.clear()
            self._count = 0

    def of_device(self, device: int, from_ms: int, to_ms: int, limit: int) -> ReadingBatch:
        """Return the newest `limit` readings of a device in a window, oldest first."""
        with self._lock:
            batches = list(self._batches)
        parts = [batch.take(batch.device == device) for batch in batches]
        return newest(ReadingBatch.concat(parts), from_ms, to_ms, limit)


def recorded_readings(
    folder: Path, device: int, from_ms: int, to_ms: int, limit: int
) -> ReadingBatch:
    """Return the same from the complete parts of a recording; empty when there are none."""
    parts = sorted((folder / FOLDER).glob("part-*.parquet"))
    if not parts:
        return ReadingBatch.empty()
    table = pq.read_table(
        parts, columns=["device", "time_ms", "value"], filters=[("device", "=", device)]
    )
    columns = (table.column(name).to_numpy() for name in ("device", "time_ms", "value"))
    return newest(ReadingBatch.of(*columns), from_ms, to_ms, limit)


def newest(batch: ReadingBatch, from_ms: int, to_ms: int, limit: int) -> ReadingBatch:
    """Return the newest `limit` readings sampled in `from_ms` to `to_ms`, oldest first."""
    inside = batch.take((batch.time_ms >= from_ms) & (batch.time_ms <= to_ms))
    return inside.by_device_and_time().take(slice(max(0, len(inside) - limit), None))
