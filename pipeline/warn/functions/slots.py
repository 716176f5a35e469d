"""What each device shows at each time of the week, learned in slots."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.functions.base import NEVER_MS
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s
from sensors.registry import Registry

WEEK_MS = 7 * 86_400_000
_MONDAY_MS = 4 * 86_400_000
"""1970-01-01 was a Thursday: the first Monday came four days later."""
_MOST_COUNT = 65_535
_WEEKS = 8.0
"""Weeks a slot remembers when the rule does not say (proposed)."""


@dataclass(slots=True)
class SlotState:
    """What is learned of each device; slots of the week are the first axis, (slots, rows).

    Ten bytes a slot and device: 1,680 bytes a device with hourly slots, 840 with slots of two
    hours. It is float32, since a robust z needs no more than three digits of it.

    Attributes:
        middle: What the device shows in the slot.
        spread: How far it strays from that, as a standard deviation.
        count: Samples learned from.
        since_ms: First sample of the device (rows,).
    """

    middle: NDArray[np.float32]
    spread: NDArray[np.float32]
    count: NDArray[np.uint16]
    since_ms: Int64s

    @classmethod
    def of(cls, slots: int, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.zeros((slots, rows), np.float32),
            np.zeros((slots, rows), np.float32),
            np.zeros((slots, rows), np.uint16),
            np.full(rows, NEVER_MS, np.int64),
        )


class Usual(NamedTuple):
    """How samples compare with their slot, as columns: deviation, spread, and is it known."""

    deviation: Floats
    spread: Floats
    is_known: Bools


class Slots:
    """Learns what each device shows in each slot of the week.

    In place of median and MAD, which need the samples themselves, each slot keeps a mean and a
    mean deviation whose samples are clipped at `clip_sigmas` (Huber 1964): one wild week moves
    neither. The mean absolute deviation times 1.2533 is a standard deviation for normal noise.
    A slot is known when its device has been heard for a week and the slot `warm_up` times.
    """

    def __init__(
        self, registry: Registry, devices: Rows, figures: Mapping[str, float], utc_offset_ms: int
    ) -> None:
        """Take the devices and the figures.

        Args:
            registry: All devices, for noise and interval.
            devices: Numbers of those to learn.
            figures: `slot_s`, `learning_weeks` (8 when left out), `warm_up`, `floor_sigmas`,
                `clip_sigmas`.
            utc_offset_ms: The city's time minus UTC, for the beginning of its week.
        """
        self._slot_ms = round(figures["slot_s"] * 1000.0)
        self._offset_ms = utc_offset_ms - _MONDAY_MS
        self._clip, self._warm_up = figures["clip_sigmas"], int(figures["warm_up"])
        self._floor = figures["floor_sigmas"] * registry.numbers("accuracy")[devices]
        interval_s = np.maximum(registry.numbers("interval_s")[devices], 1.0)
        a_slot = np.maximum(1.0, figures["slot_s"] / interval_s)
        self._least_share = 1.0 / (figures.get("learning_weeks", _WEEKS) * a_slot)
        self.state = SlotState.of(-(-WEEK_MS // self._slot_ms), len(devices))

    def compare(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Usual:
        """Return how samples compare with their slot, and learn from them; not from spikes."""
        state = self.state
        slot = (time_ms + self._offset_ms) % WEEK_MS // self._slot_ms
        count = state.count[slot, row].astype(np.int64)
        since_ms = np.where(state.since_ms[row] == NEVER_MS, time_ms, state.since_ms[row])
        state.since_ms[row] = since_ms
        spread = np.maximum(self._floor[row], 1.2533 * state.spread[slot, row])
        deviation = value - state.middle[slot, row]
        is_known = (count >= self._warm_up) & (time_ms - since_ms >= WEEK_MS) & (spread > 0)
        clip = self._clip * spread
        moved = np.where(count < self._warm_up, deviation, np.clip(deviation, -clip, clip))
        share = np.maximum(1.0 / (count + 1.0), self._least_share[row])
        share = np.where(is_spike, 0.0, share)
        strayed = np.where(count == 0, 0.0, np.abs(moved))
        state.middle[slot, row] += (share * moved).astype(np.float32)
        old = state.spread[slot, row]
        state.spread[slot, row] = old + (share * (strayed - old)).astype(np.float32)
        state.count[slot, row] = np.minimum(count + ~is_spike, _MOST_COUNT)
        return Usual(deviation, spread, is_known)
