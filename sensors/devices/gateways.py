"""What gateways do with the readings they hear: keep them, cut them into frames, send them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sensors.devices.faults import Draw, FaultKind, FaultTable
from sensors.devices.reporting import Reports
from sensors.devices.response import Rows, runs_of, spans
from sensors.readings import Frame, FrameId, Int64s, ReadingBatch


def hold(
    held: Reports, heard: Reports, gateway: Int64s, now_ms: int, faults: FaultTable
) -> tuple[Reports, Reports]:
    """Return the reports that gateways send now, and those that gateways without a link hold.

    Both are sorted by device; the first also by sample time within a device.

    Args:
        held: Reports held so far, in any order.
        heard: Reports heard since, ascending in device.
        gateway: Gateway of each device, by its number in the reports.
        now_ms: When frames are sent.
        faults: The faults that act in this stretch of time.
    """
    outages = faults.of_kind(FaultKind.LINK_OUTAGE)
    outages = outages.take((outages.start_ms <= now_ms) & (now_ms < outages.end_ms))
    if len(outages) == 0 and len(held.device) == 0:
        return heard, held
    is_down = np.zeros(int(gateway[-1]) + 1, dtype=np.bool_)
    is_down[outages.target] = True
    every = Reports.join([held, heard])
    stays = is_down[gateway[every.device]]
    sent = every.take(~stays)
    if len(held.device):
        sent = sent.take(np.lexsort((sent.time_ms, sent.device)))
    return sent, every.take(stays)


@dataclass(frozen=True, slots=True)
class FrameCuts:
    """Where frames begin and end in columns sorted by gateway; one entry a frame."""

    gateway: Int64s
    boot: Int64s
    seq: Int64s
    begin: Int64s
    end: Int64s


def cut_frames(gateways: Rows, size: int, boot: Int64s, next_seq: Int64s) -> FrameCuts:
    """Cut readings into frames of one gateway and at most `size` readings each.

    Args:
        gateways: Number of the gateway of each reading, ascending.
        size: Most readings in a frame.
        boot: Boot of each gateway.
        next_seq: Number of each gateway's next frame.
    """
    first, count = runs_of(gateways)
    frames = -(-count // size)
    run = np.repeat(np.arange(len(first)), frames)
    nth = spans(np.zeros_like(frames), frames)
    gateway = gateways[first][run].astype(np.int64)
    begin = first[run] + nth * size
    end = np.minimum(begin + size, (first + count)[run])
    return FrameCuts(gateway, boot[gateway], next_seq[gateway] + nth, begin, end)


def build_frames(
    cuts: FrameCuts, copies: Int64s, names: Sequence[str], batch: ReadingBatch, sent_ms: int
) -> tuple[Frame, ...]:
    """Return the frames that `cuts` cuts from `batch`, each as often as `copies` says."""
    frames = []
    columns = (cuts.gateway, cuts.boot, cuts.seq, cuts.begin, cuts.end, copies)
    for gateway, boot, seq, begin, end, sends in zip(*map(np.ndarray.tolist, columns), strict=True):
        if sends:
            readings = batch.take(slice(begin, end))
            frame = Frame(FrameId(names[gateway], boot, seq), sent_ms, readings)
            frames.extend([frame] * sends)
    return tuple(frames)


def restarted(faults: FaultTable, start_ms: int, end_ms: int) -> Int64s:
    """Return the gateways whose outage ends from `start_ms` until just before `end_ms`."""
    outages = faults.of_kind(FaultKind.GATEWAY_OUTAGE)
    is_over = (outages.end_ms >= start_ms) & (outages.end_ms < end_ms)
    return outages.target[is_over & (outages.start_ms < outages.end_ms)]


def copies_sent(
    faults: FaultTable, gateways: Rows, time_ms: int, counters: Int64s, uniform: Draw
) -> Int64s:
    """Return how often each frame is sent: 0 when it is lost, 2 when it is replayed.

    Frames are replayed by `frame_replay`, and by a `link_outage` that is over: a gateway that
    connects again does not know what got through.

    Args:
        faults: The faults that act in this stretch of time.
        gateways: Gateway of each frame, ascending.
        time_ms: When the frames are sent.
        counters: A number no other frame of the gateway has.
        uniform: Evenly spread random numbers.
    """
    copies = np.ones(len(gateways), dtype=np.int64)
    if len(faults):
        back = faults.of_kind(FaultKind.LINK_OUTAGE)
        back = back.take(back.end_ms <= time_ms)
        rows, link = back.rows_of(gateways)
        copies[rows[uniform(link.place, counters[rows]) < link.amount]] = 2
        strike = gateways, np.full(len(copies), time_ms), counters, uniform
        copies[faults.struck_by_chance(FaultKind.FRAME_REPLAY, *strike)] = 2
        copies[faults.struck_by_chance(FaultKind.FRAME_LOSS, *strike)] = 0
    return copies
