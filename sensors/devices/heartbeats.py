"""When devices tell that they live, and how much is left in their batteries."""

import numpy as np

from sensors.devices.response import DAY_MS, Rows, spans
from sensors.readings import Floats, Int64s

HEARTBEAT_MS = 12 * 3_600_000
"""Interval of battery heartbeats (NB-IoT terminals, domain reference 2.6)."""


class Heartbeats:
    """The heartbeats and batteries of devices, one entry a device.

    A battery is between half and full at first (proposed) and runs down at an even pace.
    """

    def __init__(self, phase: Floats, charge: Floats, life_years: Floats) -> None:
        """Set the grids.

        Args:
            phase: A number in (0, 1) a device: when it beats.
            charge: A number in (0, 1) a device: how full it is between half and full.
            life_years: Time from full to empty, years; 0 for mains power, which is always full.
        """
        self._phase_ms = (phase * (HEARTBEAT_MS // 1000)).astype(np.int64) * 1000
        has_battery = life_years > 0
        self._charge = np.where(has_battery, 0.5 + 0.5 * charge, 1.0)
        self._life_ms = np.where(has_battery, life_years * (365.0 * DAY_MS), np.inf)
        self._next_ms = self._phase_ms.copy()

    def begin(self, start_ms: int) -> None:
        """Set each device's next beat to its first after `start_ms`."""
        since = start_ms - self._phase_ms
        self._next_ms = self._phase_ms + (since // HEARTBEAT_MS + 1) * HEARTBEAT_MS

    def take_until(self, end_ms: int) -> tuple[Int64s, Int64s]:
        """Return device and time of each beat due by `end_ms`, ascending in device."""
        due = np.flatnonzero(self._next_ms <= end_ms)
        count = (end_ms - self._next_ms[due]) // HEARTBEAT_MS + 1
        device = np.repeat(due, count)
        time_ms = self._next_ms[device] + spans(np.zeros_like(count), count) * HEARTBEAT_MS
        self._next_ms[due] += count * HEARTBEAT_MS
        return device, time_ms

    def left(self, devices: Rows, times_ms: Int64s, since_ms: int) -> Floats:
        """Return the charge left, 0 to 1, of devices that run since `since_ms`."""
        used = (times_ms - since_ms) / self._life_ms[devices]
        charge: Floats = np.clip(self._charge[devices] - used, 0.0, 1.0)
        return charge.round(3)
