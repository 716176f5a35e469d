"""When devices sample, which samples they send, and when.

A device with limits of its own, or with a change limit, looks more often than it reports: at
`alarm_interval_s` instead of `interval_s`. It sends what the normal interval asks for, and at
once what its limits ask for; `ReportReason` says which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sensors.devices.faults import Bools, FaultKind, FaultTable
from sensors.devices.response import NEVER_MS, Rows, runs_of
from sensors.readings import Floats, Int64s

Reasons = NDArray[np.uint8]

WATCH_MS = 15 * 60_000
"""How long a device goes on at its alarm interval after a change report (proposed)."""


class ReportReason(IntEnum):
    """Why a sample is sent, or that it is not. Above `PERIODIC` it is sent at once."""

    NOT_SENT = 0
    PERIODIC = 1
    WATCH = 2
    CHANGE = 3
    RECOVERY = 4
    ALARM = 5


@dataclass(frozen=True, slots=True)
class Reporting:
    """How each device samples and reports, one entry a device; all times in ms.

    Attributes:
        interval_ms: Normal interval.
        step_ms: Interval at which it looks; the normal one when it has no limits.
        phase_ms: Offset of its sampling grid: it samples at phase + n · step.
        upload_ms: Interval of late batches; 0 when each sample is sent at once.
        upload_phase_ms: Offset of the grid of late batches.
        alarm_low: Low limit of its own; NaN for none.
        alarm_high: High limit of its own; NaN for none.
        delta: Change between two looks that it reports at once; NaN for none.
    """

    interval_ms: Int64s
    step_ms: Int64s
    phase_ms: Int64s
    upload_ms: Int64s
    upload_phase_ms: Int64s
    alarm_low: Floats
    alarm_high: Floats
    delta: Floats

    @classmethod
    def drawn(
        cls,
        interval_s: Floats,
        alarm_interval_s: Floats,
        upload_s: Floats,
        limits: tuple[Floats, Floats],
        report_delta: Floats,
        draws: tuple[Floats, Floats],
    ) -> Self:
        """Make each device's grids of its nominal intervals.

        Args:
            interval_s: Normal interval, above 0.
            alarm_interval_s: Interval while its limits are crossed; 0 for the normal one.
            upload_s: Interval of late batches; 0 for none.
            limits: Low and high limits of its own; NaN for none.
            report_delta: Change that it reports at once; NaN for none.
            draws: A number in (0, 1) a device for the phase of sampling and of late batches;
                both fall on whole seconds.
        """
        has_limits = ~(np.isnan(limits[0]) & np.isnan(limits[1]) & np.isnan(report_delta))
        is_faster = has_limits & (alarm_interval_s > 0) & (alarm_interval_s < interval_s)
        return cls(
            interval_ms=_milliseconds(interval_s),
            step_ms=_milliseconds(np.where(is_faster, alarm_interval_s, interval_s)),
            phase_ms=_milliseconds(np.floor(draws[0] * interval_s)),
            upload_ms=_milliseconds(upload_s),
            upload_phase_ms=_milliseconds(np.floor(draws[1] * upload_s)),
            alarm_low=limits[0],
            alarm_high=limits[1],
            delta=report_delta,
        )

    def take(self, rows: Rows) -> "Reporting":
        """Return the chosen devices."""
        return Reporting(
            self.interval_ms[rows],
            self.step_ms[rows],
            self.phase_ms[rows],
            self.upload_ms[rows],
            self.upload_phase_ms[rows],
            self.alarm_low[rows],
            self.alarm_high[rows],
            self.delta[rows],
        )


@dataclass(frozen=True, slots=True)
class ReportState:
    """What each device remembers: its last value (NaN at first) and until when it watches."""

    value: Floats
    watch_until_ms: Int64s

    @classmethod
    def fresh(cls, devices: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.full(devices, np.nan), np.full(devices, NEVER_MS, dtype=np.int64))

    def take(self, rows: Rows) -> "ReportState":
        """Return the chosen devices."""
        return ReportState(self.value[rows], self.watch_until_ms[rows])


class Reports(NamedTuple):
    """Samples that devices report, as columns, ascending in device.

    Attributes:
        device: Number of the device, in the caller's order.
        time_ms: Sample time, as the device's clock shows it.
        value: What the instrument showed.
        leaves_ms: When the device sends it: `upload_times`.
    """

    device: Int64s
    time_ms: Int64s
    value: Floats
    leaves_ms: Int64s

    @classmethod
    def join(cls, parts: Sequence["Reports"]) -> "Reports":
        """Return the parts one after the other."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            nothing = np.zeros(0, dtype=np.int64)
            return cls(nothing, nothing, np.zeros(0), nothing)
        return cls(
            np.concatenate([part.device for part in parts]),
            np.concatenate([part.time_ms for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.leaves_ms for part in parts]),
        )

    def take(self, rows: Rows | Bools) -> "Reports":
        """Return the chosen reports."""
        return Reports(
            self.device[rows], self.time_ms[rows], self.value[rows], self.leaves_ms[rows]
        )


def first_after(reporting: Reporting, time_ms: int) -> Int64s:
    """Return each device's first sampling time after `time_ms`."""
    step = reporting.step_ms
    return reporting.phase_ms + ((time_ms - reporting.phase_ms) // step + 1) * step


def is_periodic(reporting: Reporting, devices: Rows, times_ms: Int64s) -> Bools:
    """Return which samples the normal interval asks for: the first look in each interval."""
    if (reporting.step_ms == reporting.interval_ms).all():
        return np.ones(len(devices), dtype=np.bool_)
    since = times_ms - reporting.phase_ms[devices]
    return since % reporting.interval_ms[devices] < reporting.step_ms[devices]


def decide(
    reporting: Reporting,
    state: ReportState,
    devices: Rows,
    times_ms: Int64s,
    values: Floats,
    periodic: Bools,
) -> tuple[Reasons, ReportState]:
    """Return why each sample is sent (a column of `ReportReason`), and the state after.

    Args:
        reporting: The devices.
        state: What they remember.
        devices: Row of `reporting` of each sample, ascending.
        times_ms: When each sample was taken, ascending within a device.
        values: What the instrument showed; no NaN.
        periodic: Which samples the normal interval asks for (`is_periodic`).
    """
    first, count = runs_of(devices)
    owners = devices[first]
    before = np.empty_like(values)
    before[1:] = values[:-1]
    before[first] = state.value[owners]
    low, high = reporting.alarm_low[devices], reporting.alarm_high[devices]
    is_out = (values < low) | (values > high)
    was_out = (before < low) | (before > high)
    has_changed = np.abs(values - before) > reporting.delta[devices]
    reasons = periodic.astype(np.uint8)
    watched, watch_until_ms = _watched(state, devices, times_ms, has_changed, first, count)
    reasons[watched] = ReportReason.WATCH
    reasons[has_changed] = ReportReason.CHANGE
    reasons[was_out] = ReportReason.RECOVERY
    reasons[is_out] = ReportReason.ALARM
    value = state.value.copy()
    value[owners] = values[first + count - 1]
    return reasons, ReportState(value, watch_until_ms)


def upload_times(reporting: Reporting, devices: Rows, times_ms: Int64s, reasons: Reasons) -> Int64s:
    """Return when each sample leaves its device: at once, or with the next late batch.

    Whatever the limits ask for is never kept back.
    """
    upload_ms = reporting.upload_ms[devices]
    waits = (upload_ms > 0) & (reasons == ReportReason.PERIODIC)
    if not waits.any():
        return times_ms
    leaves_ms = times_ms.copy()
    since = times_ms[waits] - reporting.upload_phase_ms[devices[waits]]
    leaves_ms[waits] += -since % upload_ms[waits]
    return leaves_ms


def release(
    kept: Reports, fresh: Reports, now_ms: int, faults: FaultTable
) -> tuple[Reports, Reports]:
    """Return the reports that have left their devices by `now_ms`, and those still kept.

    Both are sorted by device, then sample time. A device without power (outage) sends its
    late batch when it is back.
    """
    if len(kept.device) == 0 and (fresh.leaves_ms <= now_ms).all():
        return fresh, kept
    reports = Reports.join([kept, fresh])
    reports = reports.take(np.lexsort((reports.time_ms, reports.device)))
    now = np.full(len(reports.device), now_ms)
    has_no_power = faults.struck(FaultKind.OUTAGE, reports.device, reports.leaves_ms)
    has_no_power &= faults.struck(FaultKind.OUTAGE, reports.device, now)
    waits = (reports.leaves_ms > now_ms) | has_no_power
    return reports.take(~waits), reports.take(waits)


def _watched(
    state: ReportState,
    devices: Rows,
    times_ms: Int64s,
    has_changed: Bools,
    first: Int64s,
    count: Int64s,
) -> tuple[Bools, Int64s]:
    """Return which samples fall in the watch after a change, and until when each device watches."""
    watched = times_ms <= state.watch_until_ms[devices]
    if not has_changed.any():
        return watched, state.watch_until_ms
    begin = np.repeat(first, count)
    latest = np.maximum.accumulate(np.where(has_changed, np.arange(len(devices)), -1))
    is_own = latest >= begin
    watched |= is_own & (times_ms <= times_ms[latest] + WATCH_MS)
    until_ms = state.watch_until_ms.copy()
    last = first + count - 1
    changed = last[is_own[last]]
    until_ms[devices[changed]] = times_ms[latest[changed]] + WATCH_MS
    return watched, until_ms


def _milliseconds(seconds: Floats) -> Int64s:
    return np.rint(seconds * 1000.0).astype(np.int64)
