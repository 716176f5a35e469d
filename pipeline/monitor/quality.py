"""Flags what is doubtful about readings, as columns over all devices (domain/README §3.1.1)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.rules import DeviceLimits
from sensors.readings import Flags, Floats, Int64s, Quality, ReadingBatch
from sensors.registry import Registry

NEVER_MS = -(2**62)
"""A time before every sample."""
_WIDEST = 1e300
"""Range of a device without one: differences of such values do not overflow."""
_ALARM_RATE_SLACK = 1.5
"""Samples this many alarm intervals apart still count as sampled at alarm rate."""

Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class QualityState:
    """What is remembered of each device's last sound sample.

    A sound sample is in range, in order and not from the future.

    Attributes:
        newest_ms: Its time.
        raw: Its value.
        accepted: Newest value that was not a spike.
        is_spike: Whether it was a spike.
        same_since_ms: Since when the raw value has been the same.
        repeats: How often it was repeated at alarm rate.
    """

    newest_ms: Int64s
    raw: Floats
    accepted: Floats
    is_spike: Bools
    same_since_ms: Int64s
    repeats: NDArray[np.int32]

    @classmethod
    def of(cls, devices: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            newest_ms=np.full(devices, NEVER_MS, np.int64),
            raw=np.full(devices, np.nan),
            accepted=np.full(devices, np.nan),
            is_spike=np.zeros(devices, np.bool_),
            same_since_ms=np.full(devices, NEVER_MS, np.int64),
            repeats=np.zeros(devices, np.int32),
        )


@dataclass(frozen=True, slots=True)
class Flagged:
    """The verdict on one round: flags, and whose last spike has just proved to be one."""

    flags: Flags
    returned: Bools


class QualityCheck:
    """Flags samples, round by round.

    A sample is a *spike* when it jumps from the last accepted and from the last raw value by
    more than the device's `max_step`: the first sample of a jump is doubtful, the second one at
    the same place shows the change was real, a return shows it was not.
    """

    def __init__(self, registry: Registry, limits: DeviceLimits) -> None:
        low, high = registry.numbers("range_low"), registry.numbers("range_high")
        self._low = np.maximum(_or(low, -_WIDEST), -_WIDEST)
        self._high = np.minimum(_or(high, _WIDEST), _WIDEST)
        self._max_step = _or(registry.numbers("max_step"), np.inf)
        self._late_ms = (registry.numbers("interval_s") * limits.late_intervals * 1e3).astype(int)
        self._skew_ms = round(limits.skew_s * 1000)
        self._stuck_ms = round(limits.stuck_s * 1000)
        self._most_repeats = limits.stuck_samples - 1
        accuracy = registry.numbers("accuracy")
        alarm_s = registry.numbers("alarm_interval_s")
        self._has_noise = accuracy > 0
        shows_noise = self._has_noise & (accuracy >= registry.numbers("resolution"))
        has_alarm_rate = shows_noise & (alarm_s < registry.numbers("interval_s"))
        self._alarm_gap_ms = np.where(has_alarm_rate, alarm_s * _ALARM_RATE_SLACK * 1e3, -1.0)
        self.state = QualityState.of(len(registry))

    def is_repeated(self, batch: ReadingBatch, device: Rows) -> Bools:
        """Return which readings of a sorted batch have come before, by device and time."""
        repeated: Bools = batch.time_ms == self.state.newest_ms[device]
        repeated[1:] |= (batch.device[1:] == batch.device[:-1]) & (
            batch.time_ms[1:] == batch.time_ms[:-1]
        )
        return repeated

    def flag(self, device: Rows, time_ms: Int64s, value: Floats, now_ms: int) -> Flagged:
        """Flag one sample of each of several different devices, and remember it."""
        state = self.state
        in_range = (value >= self._low[device]) & (value <= self._high[device])
        is_skewed = time_ms > now_ms + self._skew_ms
        is_late = time_ms < now_ms - self._late_ms[device]
        is_old = time_ms < state.newest_ms[device]
        flags = np.zeros(len(device), np.uint16)
        flags[~in_range] |= Quality.RANGE.value
        flags[is_skewed] |= Quality.SKEW.value
        flags[is_late] |= Quality.LATE.value
        flags[is_old] |= Quality.OUT_OF_ORDER.value
        is_sound = in_range & ~is_skewed & ~is_old
        if is_sound.all():
            sound_flags, returned = self._judge(device, time_ms, value)
            flags |= sound_flags
            return Flagged(flags, returned)
        returned = np.zeros(len(device), np.bool_)
        rows = np.flatnonzero(is_sound)
        sound_flags, returned[rows] = self._judge(device[rows], time_ms[rows], value[rows])
        flags[rows] |= sound_flags
        return Flagged(flags, returned)

    def _judge(self, device: Rows, time_ms: Int64s, value: Floats) -> tuple[Flags, Bools]:
        """Judge sound samples against each device's last one."""
        state = self.state
        raw = state.raw[device]
        accepted = state.accepted[device]
        step = self._max_step[device]
        is_spike = np.abs(value - raw) > step
        if is_spike.any():
            is_spike &= np.abs(value - accepted) > step
        returned = state.is_spike[device]
        if returned.any():
            returned &= ~is_spike & (np.abs(value - accepted) <= step)
        flags = self._stuck(device, time_ms, self._is_same(device, value, raw))
        flags[is_spike] |= Quality.SPIKE.value
        state.raw[device] = value
        state.accepted[device] = np.where(is_spike, accepted, value)
        state.is_spike[device] = is_spike
        state.newest_ms[device] = time_ms
        return flags, returned

    def _is_same(self, device: Rows, value: Floats, raw: Floats) -> Bools:
        """Return where the raw value is repeated; at an end of the range no noise can show."""
        is_same: Bools = value == raw
        rows = np.flatnonzero(is_same)
        if len(rows):
            device, value = device[rows], value[rows]
            is_same[rows] = (value > self._low[device]) & (value < self._high[device])
        return is_same

    def _stuck(self, device: Rows, time_ms: Int64s, is_same: Bools) -> Flags:
        """Flag values that have not changed for too long; only repeats need a closer look."""
        state = self.state
        flags = np.zeros(len(device), np.uint16)
        changed = device[~is_same]
        state.same_since_ms[changed] = time_ms[~is_same]
        state.repeats[changed] = 0
        rows = np.flatnonzero(is_same)
        if not len(rows):
            return flags
        device, time_ms = device[rows], time_ms[rows]
        at_alarm_rate = time_ms - state.newest_ms[device] <= self._alarm_gap_ms[device]
        repeats = np.where(at_alarm_rate, state.repeats[device] + 1, 0)
        state.repeats[device] = repeats
        is_stuck = (time_ms - state.same_since_ms[device] >= self._stuck_ms) & self._has_noise[
            device
        ]
        is_stuck |= repeats >= self._most_repeats
        flags[rows[is_stuck]] = Quality.STUCK.value
        return flags


def _or(column: Floats, missing: float) -> Floats:
    return np.where(np.isnan(column), missing, column)
