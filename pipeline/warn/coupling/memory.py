"""What the warning models' view is made of: newest samples, alarms that stand, calls, doubts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import (
    Alarm,
    AlarmState,
    DeviceHealth,
    HealthKind,
    HotlineReport,
    ModelFinding,
)
from pipeline.warn.coupling.site import Site
from sensors.readings import ReadingBatch

_OVER = frozenset({AlarmState.CLEARED, AlarmState.WITHDRAWN})
_KINDS = tuple(HealthKind)
CALLS_MS = 3_600_000
"""How long a call is remembered (proposed)."""
TREND_S = 600
"""A trend is taken over at least so long (proposed: two normal sampling intervals)."""


@dataclass(slots=True)
class Standing:
    """A claim that has been told and not taken back; one of `finding` and `alarm` is set.

    Attributes:
        seen_ms: When the model last said it.
        linger_ms: How long it stands on after that.
    """

    seen_ms: int
    linger_ms: int
    finding: ModelFinding | None = None
    alarm: Alarm | None = None


@dataclass(slots=True)
class CouplingState:
    """Everything the models remember; columns have one entry a registered device.

    Attributes:
        time_s: Sample time of the newest sample in whole seconds, 0 for none.
        value: Newest value, in the quantity's unit.
        quality: Its quality flags.
        was_s: Sample time of an older one, at least `TREND_S` before; 0 for none.
        was: Its value.
        calm_s: When methane was last clean, else first seen; when a pump last ran, else 0.
        doubts: Kinds of doubt that monitor holds against the device, as bits.
        calls: Hotline calls of the last hour, by time and id.
        alarms: Alarm id → newest state of each alarm that stands.
        standing: Model and key → what has been told and not taken back.
    """

    time_s: NDArray[np.uint32]
    value: NDArray[np.float32]
    quality: NDArray[np.uint16]
    was_s: NDArray[np.uint32]
    was: NDArray[np.float32]
    calm_s: NDArray[np.uint32]
    doubts: NDArray[np.uint8]
    calls: list[HotlineReport] = field(default_factory=list)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)

    @classmethod
    def of(cls, devices: int) -> "CouplingState":
        """Return the memory of so many devices of which nothing is known."""
        return cls(
            np.zeros(devices, np.uint32),
            np.full(devices, np.nan, np.float32),
            np.zeros(devices, np.uint16),
            np.zeros(devices, np.uint32),
            np.full(devices, np.nan, np.float32),
            np.zeros(devices, np.uint32),
            np.zeros(devices, np.uint8),
        )

    def take_samples(self, batch: ReadingBatch, site: Site, clean_vol: float) -> None:
        """Take a batch sorted by device and time: the newest sample of each device counts."""
        if not len(batch):
            return
        is_last = np.append(batch.device[1:] != batch.device[:-1], True)
        device = batch.device[is_last].astype(np.intp)
        time_s = (batch.time_ms[is_last] // 1000).astype(np.uint32)
        is_newer = time_s > self.time_s[device]
        if not is_newer.all():
            is_last[np.flatnonzero(is_last)[~is_newer]] = False
            device, time_s = device[is_newer], time_s[is_newer]
        value = batch.value[is_last].astype(np.float32)
        known_s = self.time_s[device]
        is_first = known_s == 0
        is_older = ~is_first & (time_s >= self.was_s[device] + np.uint32(TREND_S))
        rolled = device[is_older]
        self.was_s[rolled], self.was[rolled] = self.time_s[rolled], self.value[rolled]
        with np.errstate(invalid="ignore"):
            is_calm = value * site.to_vol[device] <= clean_vol
        is_calm |= site.is_pump[device] & (value > 0.5)
        calm = is_calm | (is_first & ~site.is_pump[device])
        self.calm_s[device[calm]] = time_s[calm]
        self.time_s[device], self.value[device] = time_s, value
        self.quality[device] = batch.quality[is_last]

    def take_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Take the newest states of alarms."""
        for alarm in alarms:
            if alarm.state in _OVER:
                self.alarms.pop(alarm.id, None)
            else:
                self.alarms[alarm.id] = alarm

    def take_call(self, call: HotlineReport) -> None:
        """Take a call; a second copy is ignored."""
        if all(one.id != call.id for one in self.calls):
            self.calls.append(call)
            self.calls.sort(key=lambda one: (one.time_ms, one.id))

    def take_health(self, health: DeviceHealth, number: int) -> None:
        """Take what monitor says of a device."""
        bit = 1 << _KINDS.index(health.kind)
        doubts = int(self.doubts[number])
        self.doubts[number] = doubts | bit if health.is_on else doubts & ~bit

    def forget(self, now_ms: int) -> None:
        """Drop calls older than an hour."""
        if self.calls and self.calls[0].time_ms < now_ms - CALLS_MS:
            self.calls = [one for one in self.calls if one.time_ms >= now_ms - CALLS_MS]
