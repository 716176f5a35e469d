"""From values of the files to readings: units, wild moments, intervals, what is flagged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from api.importing.devices import Mapped
from api.importing.errors import MappingError
from api.importing.tables import Counts, Series
from api.importing.times import Bools, is_likely
from sensors.readings import Int64s
from sensors.registry import Registry

_DAY_MS = 86_400_000
_YEAR_MS = 366 * _DAY_MS
_SHORTEST_S, _LONGEST_S = 1, 86_400


@dataclass(frozen=True, slots=True)
class Converted:
    """Readings of mapped devices in our units, and the registry with their intervals."""

    series: Series
    mapped: tuple[Mapped, ...]
    registry: Registry


def convert(series: Series, mapped: Sequence[Mapped], counts: Counts) -> Converted:
    """Turn values into our units; count what is doubtful, drop only what has no place in time.

    Args:
        series: What the files hold.
        mapped: The devices among its names.
        counts: Told what was found.

    Raises:
        MappingError: nothing is left.
    """
    place = {one.name: number for number, one in enumerate(mapped)}
    number = np.array([place.get(name, -1) for name in series.names] or [-1], np.int32)
    device = number[series.device]
    is_known = device >= 0
    counts.no_device += int(np.count_nonzero(~is_known))
    series = replace(series, device=device)
    if not is_known.all():
        series = series.take(is_known)
    series = _in_time(series, counts)
    if not len(series.device):
        raise MappingError("no value with a moment and a device is left; see the mapping")
    counts.missing += int(np.count_nonzero(np.isnan(series.value)))
    scale = np.array([one.scale for one in mapped])
    offset = np.array([one.offset for one in mapped])
    value = series.value
    if (scale != 1.0).any() or (offset != 0.0).any():
        value = value * scale[series.device] + offset[series.device]
    order = _by_device_and_time(series)
    ordered, moments = series.device[order], series.time_ms[order]
    is_next = ordered[1:] == ordered[:-1]
    counts.duplicates += int(np.count_nonzero(is_next & (moments[1:] == moments[:-1])))
    counts.out_of_order += int(np.count_nonzero(is_next & (order[1:] < order[:-1])))
    value = _summed(value, order, ordered, moments, mapped)
    intervals = _intervals_s(ordered, moments, len(mapped))
    registry = Registry.of(
        replace(
            one.device,
            interval_s=one.interval_s or int(interval),
            alarm_interval_s=min(one.device.alarm_interval_s, one.interval_s or int(interval)),
        )
        for one, interval in zip(mapped, intervals.tolist(), strict=True)
    )
    low, high = registry.numbers("range_low"), registry.numbers("range_high")
    is_outside = (value < low[series.device]) | (value > high[series.device])
    counts.out_of_range += int(np.count_nonzero(is_outside))
    kept = replace(series, names=registry.ids, value=value)
    return Converted(kept, tuple(mapped), registry)


def _in_time(series: Series, counts: Counts) -> Series:
    """Return the values whose moment is not absurd; absurd arrivals come with their samples."""
    if not len(series.time_ms):
        return series
    is_wild = _is_wild(series.time_ms)
    wild = int(np.count_nonzero(is_wild))
    counts.wild_time += wild
    if wild:
        series = series.take(~is_wild)
    is_late = series.received_ms > series.time_ms
    if not is_late.any():
        return series
    is_wild = is_late & _is_wild(series.received_ms)
    wild = int(np.count_nonzero(is_wild))
    counts.wild_received += wild
    if not wild:
        return series
    return replace(series, received_ms=np.where(is_wild, series.time_ms, series.received_ms))


def _is_wild(time_ms: Int64s) -> Bools:
    """Return which moments are absurdly far from the others.

    Absurd is further from all but one in a thousand at each end (one at least) than those are
    long themselves, a day at least; of four moments or fewer, a year from the middle one; and
    any outside 1900 to 2200.
    """
    is_absurd = ~is_likely(time_ms)
    moments = np.unique(time_ms)  # a bad row of a wide table has a value of each device
    moments = moments[is_likely(moments)]
    if not len(moments):
        return is_absurd
    sample = moments[:: max(1, len(moments) // 100_000)]
    few = min(max(1, len(sample) // 1000), (len(sample) - 1) // 4)
    first, last = int(sample[few]), int(sample[-1 - few])
    margin = max(last - first, _DAY_MS)
    if not few:
        first = last = int(sample[(len(sample) - 1) // 2])
        margin = _YEAR_MS
    is_wild: Bools = is_absurd | (time_ms < first - margin) | (time_ms > last + margin)
    return is_wild


def _by_device_and_time(series: Series) -> np.ndarray:
    span = int(series.time_ms.max()) - int(series.time_ms.min()) + 1
    key = series.device * np.int64(span) + (series.time_ms - series.time_ms.min())
    if (key[1:] >= key[:-1]).all():
        return np.arange(len(key))
    return np.argsort(key, kind="stable")


def _summed(
    value: np.ndarray,
    order: np.ndarray,
    device: np.ndarray,
    time_ms: np.ndarray,
    mapped: Sequence[Mapped],
) -> np.ndarray:
    """Return values of counters as sums since the first; a repeat or a gap adds nothing."""
    is_increment = np.array([one.is_increment for one in mapped])
    if not is_increment.any():
        return value
    rows = is_increment[device]
    added = np.where(rows, np.nan_to_num(value[order]), 0.0)
    added[1:][(device[1:] == device[:-1]) & (time_ms[1:] == time_ms[:-1])] = 0.0
    total = np.cumsum(added)
    starts = np.flatnonzero(np.diff(device, prepend=-1))
    before = (total - added)[starts]
    total -= np.repeat(before, np.diff(starts, append=len(device)))
    summed = value.copy()
    summed[order[rows]] = total[rows]
    return summed


def _intervals_s(device: np.ndarray, time_ms: np.ndarray, devices: int) -> np.ndarray:
    """Return each device's median step, seconds; of a device with one sample that of all."""
    step = np.diff(time_ms)
    is_step = (device[1:] == device[:-1]) & (step > 0)
    step, owner = step[is_step], device[1:][is_step]
    if not len(step):
        return np.full(devices, 60.0)
    common = float(np.median(step))
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    found = np.full(devices, common)
    ends = [*starts[1:].tolist(), len(step)]
    ordered = step[order]
    for start, end in zip(starts.tolist(), ends, strict=True):
        found[owner[order[start]]] = float(np.median(ordered[start:end]))
    return np.clip(np.round(found / 1000.0), _SHORTEST_S, _LONGEST_S)
