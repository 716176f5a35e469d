"""Readings as columns: one batch, one array a field, and the frame that carries it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.uint16]


class Quality(IntFlag):
    """What is doubtful about a reading (domain/README §3.1.1). Never a colour."""

    GOOD = 0
    RANGE = 1
    SPIKE = 2
    STUCK = 4
    SKEW = 8
    LATE = 16
    OUT_OF_ORDER = 32


class Reading(NamedTuple):
    """One reading, for places where one is enough (tests, explanations); never a hot path."""

    device: int
    time_ms: int
    value: float
    quality: int = 0


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Many readings as columns of equal length.

    Attributes:
        device: Registry number of the device, int32.
        time_ms: Sample time, int64 milliseconds UTC.
        value: Value in the unit of the device's quantity, float64.
        quality: `Quality` flags, uint16.
    """

    device: Int32s
    time_ms: Int64s
    value: Floats
    quality: Flags

    def __post_init__(self) -> None:
        if not len(self.device) == len(self.time_ms) == len(self.value) == len(self.quality):
            raise ValueError("the columns of a ReadingBatch must have one length")

    def __len__(self) -> int:
        return len(self.device)

    @classmethod
    def of(
        cls,
        device: Sequence[int] | NDArray[np.integer],
        time_ms: Sequence[int] | NDArray[np.integer],
        value: Sequence[float] | NDArray[np.floating],
        quality: Sequence[int] | NDArray[np.integer] | None = None,
    ) -> Self:
        """Build a batch from anything array-like; `quality` is GOOD when left out."""
        devices = np.asarray(device, dtype=np.int32)
        flags = np.zeros(len(devices), np.uint16) if quality is None else np.asarray(quality)
        return cls(
            devices,
            np.asarray(time_ms, dtype=np.int64),
            np.asarray(value, dtype=np.float64),
            flags.astype(np.uint16, copy=False),
        )

    @classmethod
    def empty(cls) -> Self:
        """Return a batch of no readings."""
        return cls.of([], [], [])

    @classmethod
    def concat(cls, batches: Sequence["ReadingBatch"]) -> "ReadingBatch":
        """Return one batch with the readings of `batches` in the given order."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return cls.empty()
        return cls(
            np.concatenate([batch.device for batch in batches]),
            np.concatenate([batch.time_ms for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.quality for batch in batches]),
        )

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "ReadingBatch":
        """Return the chosen rows: an index array, a mask or a slice."""
        return ReadingBatch(
            self.device[rows], self.time_ms[rows], self.value[rows], self.quality[rows]
        )

    def by_device_and_time(self) -> "ReadingBatch":
        """Return the rows sorted by device, then sample time; equal keys keep their order."""
        if len(self) < 2:
            return self
        low = self.time_ms.min()
        span = int(self.time_ms.max()) - int(low) + 1
        if span * (int(self.device.max()) + 1) >= 2**62:
            return self.take(np.lexsort((self.time_ms, self.device)))
        key = self.device * np.int64(span) + (self.time_ms - low)
        if (key[1:] >= key[:-1]).all():
            return self
        return self.take(np.argsort(key, kind="stable"))

    def rounds(self) -> Iterator[slice | NDArray[np.intp]]:
        """Yield the rows of each device's first sample, then of each second one, and so on.

        The batch must be sorted by device and time. Working round by round is the same as
        working sample by sample, at the speed of columns.
        """
        is_first = np.empty(len(self), np.bool_)
        is_first[:1] = True
        np.not_equal(self.device[1:], self.device[:-1], out=is_first[1:])
        if is_first.all():
            if len(self):
                yield slice(None)
            return
        rows = np.flatnonzero(is_first)
        left = np.diff(rows, append=len(self))
        while len(rows):
            yield rows
            more = left > 1
            rows, left = rows[more] + 1, left[more] - 1


class FrameId(NamedTuple):
    """Identity of a frame: a gateway counts `seq` up from 0 within each `boot`."""

    gateway: str
    boot: int
    seq: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One gateway's message: its identity, when it was sent (event time) and its readings."""

    id: FrameId
    sent_ms: int
    batch: ReadingBatch
