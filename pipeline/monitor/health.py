"""Keeps what is wrong with each device and says when that changes; never colours anything."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import DeviceHealth, HealthKind
from pipeline.monitor.quality import Bools, Flagged, Rows
from pipeline.rules import DeviceLimits
from sensors.readings import Int64s, Quality
from sensors.registry import Registry

Doubts = NDArray[np.uint8]


class HealthReason(StrEnum):
    """Why a device became doubtful, or good again."""

    NO_READING_IN_TIME = "no_reading_in_time"
    READING_CAME = "reading_came"
    VALUE_DOES_NOT_CHANGE = "value_does_not_change"
    VALUE_CHANGED = "value_changed"
    JUMPED_AND_RETURNED = "jumped_and_returned"
    NO_JUMP = "no_jump"
    OUTSIDE_INSTRUMENT_RANGE = "outside_instrument_range"
    INSIDE_INSTRUMENT_RANGE = "inside_instrument_range"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_AGREES = "clock_agrees"
    SAMPLE_TOO_OLD = "sample_too_old"
    SAMPLE_IN_TIME = "sample_in_time"
    BATTERY_LOW = "battery_low"
    BATTERY_CHARGED = "battery_charged"


_REASONS: Mapping[HealthKind, tuple[HealthReason, HealthReason]] = MappingProxyType(
    {
        HealthKind.OFFLINE: (HealthReason.READING_CAME, HealthReason.NO_READING_IN_TIME),
        HealthKind.STUCK: (HealthReason.VALUE_CHANGED, HealthReason.VALUE_DOES_NOT_CHANGE),
        HealthKind.SPIKE: (HealthReason.NO_JUMP, HealthReason.JUMPED_AND_RETURNED),
        HealthKind.RANGE: (
            HealthReason.INSIDE_INSTRUMENT_RANGE,
            HealthReason.OUTSIDE_INSTRUMENT_RANGE,
        ),
        HealthKind.SKEW: (HealthReason.CLOCK_AGREES, HealthReason.CLOCK_AHEAD),
        HealthKind.LATE: (HealthReason.SAMPLE_IN_TIME, HealthReason.SAMPLE_TOO_OLD),
        HealthKind.BATTERY: (HealthReason.BATTERY_CHARGED, HealthReason.BATTERY_LOW),
    }
)
"""Kind → (why it is off, why it is on), in the order of the bits."""
_BIT: Mapping[HealthKind, int] = MappingProxyType(
    {kind: 1 << place for place, kind in enumerate(_REASONS)}
)
_KINDS = tuple(
    (kind, tuple(reason.value for reason in reasons)) for kind, reasons in _REASONS.items()
)
_OF_FLAG = (
    (Quality.RANGE, HealthKind.RANGE),
    (Quality.STUCK, HealthKind.STUCK),
    (Quality.SKEW, HealthKind.SKEW),
    (Quality.LATE, HealthKind.LATE),
)
_DOUBTS_OF_FLAGS: Doubts = np.array(
    [sum(_BIT[kind] for flag, kind in _OF_FLAG if flags & flag) for flags in range(64)], np.uint8
)
_UNSOUND = Quality.RANGE | Quality.SKEW
_ANY_SAMPLE = _BIT[HealthKind.RANGE] | _BIT[HealthKind.SKEW] | _BIT[HealthKind.LATE]
_SOUND_SAMPLE = _ANY_SAMPLE | _BIT[HealthKind.STUCK] | _BIT[HealthKind.SPIKE]


@dataclass(slots=True)
class HealthState:
    """What is wrong with each device (one bit a kind), and when it was last heard."""

    doubts: Doubts
    heard_ms: Int64s
    is_started: bool = False

    @classmethod
    def of(cls, devices: int) -> Self:
        """Return the state before anything was heard."""
        return cls(np.zeros(devices, np.uint8), np.zeros(devices, np.int64))


class HealthWatch:
    """Judges devices by their samples, their silence and their batteries.

    A device is offline when no *reading* came for the longer of so many reporting intervals and
    a fixed time; devices that upload in batches are measured by their upload interval. A
    gateway's heartbeat for the device is not a reading.
    """

    def __init__(
        self, registry: Registry, limits: DeviceLimits, areas: Collection[str] | None = None
    ) -> None:
        """Watch the devices of `areas`, or all; the silence of others means nothing here."""
        self._ids, self._areas = registry.ids, registry.texts("area")
        upload_s = registry.numbers("upload_s")
        reports_s = np.where(upload_s > 0, upload_s, registry.numbers("interval_s"))
        silent_s = np.maximum(reports_s * limits.offline_intervals, limits.offline_min_s)
        self._silent_ms: Int64s = (silent_s * 1000).astype(np.int64)
        expects_late = upload_s > 0
        late_bit = np.uint8(255 - _BIT[HealthKind.LATE])
        self._counts: Doubts = np.where(expects_late, late_bit, np.uint8(255)).astype(np.uint8)
        self._limits = limits
        watched = [areas is None or area in areas for area in self._areas]
        self._is_watched: Bools = np.array(watched, np.bool_)
        self.state = HealthState.of(len(registry))

    def start(self, now_ms: int) -> None:
        """Count silence from the first moment the platform was there to listen."""
        if not self.state.is_started:
            self.state.heard_ms[:] = now_ms
            self.state.is_started = True

    def judge(self, device: Rows, flagged: Flagged) -> None:
        """Judge one sample of each of several different devices."""
        doubts = self.state.doubts
        has_spikes = flagged.returned.any()
        if not (flagged.flags.any() or has_spikes or doubts[device].any()):
            return
        is_judged = (flagged.flags & Quality.OUT_OF_ORDER.value) == 0
        device, flags = device[is_judged], flagged.flags[is_judged]
        new = _DOUBTS_OF_FLAGS[flags]
        if has_spikes:
            new[flagged.returned[is_judged]] |= _BIT[HealthKind.SPIKE]
        is_unsound = (flags & _UNSOUND.value) != 0
        replaced = np.where(is_unsound, _ANY_SAMPLE, _SOUND_SAMPLE).astype(np.uint8)
        doubts[device] = (doubts[device] & ~replaced) | (new & self._counts[device])

    def hear(self, device: Rows, now_ms: int) -> None:
        """Note that readings of these devices came."""
        self.state.heard_ms[device] = now_ms
        self.state.doubts[device] &= np.uint8(255 - _BIT[HealthKind.OFFLINE])

    def note_silence(self, now_ms: int) -> None:
        """Mark the devices that have been silent for too long."""
        is_silent = (now_ms - self.state.heard_ms >= self._silent_ms) & self._is_watched
        self.state.doubts[is_silent] |= np.uint8(_BIT[HealthKind.OFFLINE])

    def note_battery(self, device: int, charge: float) -> None:
        """Note a device's charge, 0 to 1; between the two limits nothing changes."""
        bit = np.uint8(_BIT[HealthKind.BATTERY])
        if charge < self._limits.battery_low:
            self.state.doubts[device] |= bit
        elif charge >= self._limits.battery_recovered:
            self.state.doubts[device] &= ~bit

    def next_due(self) -> int | None:
        """Return when the next device falls silent, None when all are or none is registered."""
        is_heard = ((self.state.doubts & _BIT[HealthKind.OFFLINE]) == 0) & self._is_watched
        if not (self.state.is_started and is_heard.any()):
            return None
        return int((self.state.heard_ms + self._silent_ms)[is_heard].min())

    def transitions(self, before: Doubts, now_ms: int) -> Iterator[DeviceHealth]:
        """Yield what has changed since `before`, by device number and kind."""
        doubts = self.state.doubts
        devices = np.flatnonzero(before != doubts)
        if not len(devices):
            return
        has_changed = np.unpackbits(
            (before ^ doubts)[devices, None], axis=1, count=len(_KINDS), bitorder="little"
        )
        row, bit = np.nonzero(has_changed)
        is_on = (doubts[devices[row]] >> bit.astype(np.uint8)) & 1
        for device, place, on in zip(
            devices[row].tolist(), bit.tolist(), is_on.tolist(), strict=True
        ):
            kind, reasons = _KINDS[place]
            yield DeviceHealth(
                self._ids[device], self._areas[device], kind, bool(on), now_ms, reasons[on]
            )
