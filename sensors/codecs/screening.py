"""Refusing single readings by reason, for all rows of a frame at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.codecs.codec import MAX_FUTURE_MS, MAX_PAST_MS, Decoded
from sensors.errors import RejectReason
from sensors.readings import Floats, Frame, FrameId, Int32s, ReadingBatch

Refusals = Sequence[tuple[RejectReason, NDArray[np.bool_]]]
"""Reasons a codec found itself, with the rows each applies to; the first one counts."""


def screened(
    id_: FrameId,
    sent_ms: int,
    device: Int32s,
    time_ms: NDArray[np.float64] | NDArray[np.int64],
    value: Floats,
    now_ms: int,
    refusals: Refusals = (),
) -> Decoded:
    """Return the readings that can be accepted, with the others counted by reason.

    Args:
        id_: Identity of the frame.
        sent_ms: When it was sent.
        device: Registry numbers; rows in `refusals` may hold anything.
        time_ms: Sample times; NaN and infinities are refused as bad.
        value: Values in the own unit; NaN and infinities are refused as bad.
        now_ms: Event time that the limits on time count from.
        refusals: Further reasons, checked before those about value and time.
    """
    rejected: dict[RejectReason, int] = {}
    if refusals or not _is_fine(time_ms, value, now_ms):
        good = (time_ms <= now_ms + MAX_FUTURE_MS) & (time_ms >= now_ms - MAX_PAST_MS)
        good &= np.isfinite(value)
        for _, rows in refusals:
            good &= ~rows
        rejected = _reasons(time_ms, value, now_ms, refusals)
        device, time_ms, value = device[good], time_ms[good], value[good]
    quality = np.zeros(len(device), np.uint16)
    batch = ReadingBatch(device, time_ms.astype(np.int64, copy=False), value, quality)
    return Decoded(Frame(id_, sent_ms, batch), rejected)


def _is_fine(time_ms: NDArray[np.float64] | NDArray[np.int64], value: Floats, now_ms: int) -> bool:
    """Return whether no row needs a closer look; most frames are short, so every call counts."""
    return len(value) > 0 and bool(
        time_ms.max() <= now_ms + MAX_FUTURE_MS
        and time_ms.min() >= now_ms - MAX_PAST_MS
        and np.isfinite(value).all()
    )


def _reasons(
    time_ms: NDArray[np.float64] | NDArray[np.int64],
    value: Floats,
    now_ms: int,
    refusals: Refusals,
) -> dict[RejectReason, int]:
    """Count each refused row once, under the first reason that applies."""
    open_rows = np.ones(len(value), np.bool_)
    counts: dict[RejectReason, int] = {}
    for reason, rows in (
        *refusals,
        (RejectReason.BAD_VALUE, ~np.isfinite(value)),
        (RejectReason.BAD_TIME, ~np.isfinite(time_ms)),
        (RejectReason.FAR_FUTURE, time_ms > now_ms + MAX_FUTURE_MS),
        (RejectReason.FAR_PAST, time_ms < now_ms - MAX_PAST_MS),
    ):
        hit = rows & open_rows
        count = int(np.count_nonzero(hit))
        if count:
            counts[reason] = counts.get(reason, 0) + count
            open_rows &= ~hit
    return counts
