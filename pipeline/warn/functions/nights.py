"""The night flow of a district metered area over that of the nights before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

WARM_UP = 3
"""Nights of a device before one is judged (proposed)."""
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_NONE = -1


@dataclass(slots=True)
class NightState:
    """What is remembered of each meter.

    Attributes:
        night: Number of the night at hand, days since 1970 in local time, -1 for none (rows,).
        part: Part of the night at hand (rows,).
        total: Sum of its samples (rows,).
        count: Samples in it (rows,).
        lowest: Least mean of the parts that are over, +inf before the first (rows,).
        nights: Night flows, NaN for none (nights, rows); nights are the first axis.
        head: Cell the next night goes to (rows,).
    """

    night: NDArray[np.int32]
    part: NDArray[np.int32]
    total: Floats
    count: NDArray[np.int32]
    lowest: Floats
    nights: NDArray[np.float32]
    head: NDArray[np.int16]

    @classmethod
    def of(cls, nights: int, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.full(rows, _NONE, np.int32),
            np.full(rows, _NONE, np.int32),
            np.zeros(rows),
            np.zeros(rows, np.int32),
            np.full(rows, np.inf),
            np.full((nights, rows), np.nan, np.float32),
            np.zeros(rows, np.int16),
        )


class NightRatio(WindowFunction):
    """Least night flow over a percentile of the nights before; one signal a night.

    The night is cut into parts of `mean_s`; the least of their means is its night flow. It is
    told by the first sample after the night, so holds count nights. A percentile of several
    nights, as UKWIR's night-flow practice has it, keeps one leaky night from being the yardstick.
    """

    def __init__(self, rows: int, figures: Mapping[str, float], utc_offset_ms: int) -> None:
        """Take the number of meters, the figures and the city's time minus UTC.

        `figures` are `from_h`, `to_h` (local), `mean_s`, `nights`, `percentile`.
        """
        self._from_ms = round(figures["from_h"] * _HOUR_MS)
        self._to_ms = round(figures["to_h"] * _HOUR_MS)
        self._part_ms = round(figures["mean_s"] * 1000.0)
        self._percentile, self._utc_offset_ms = figures["percentile"], utc_offset_ms
        self.state = NightState.of(int(figures["nights"]), rows)

    @property
    def remembered(self) -> tuple[Any, ...]:
        """The nights."""
        return (self.state,)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the ratios (n,): NaN but for the first sample after a night."""
        state = self.state
        local_ms = time_ms + self._utc_offset_ms
        day, of_day_ms = local_ms // _DAY_MS, local_ms % _DAY_MS
        is_night = (of_day_ms >= self._from_ms) & (of_day_ms < self._to_ms)
        begun = state.night[row]
        is_over = (begun != _NONE) & ((day != begun) | ~is_night)
        signal = np.full(len(row), np.nan)
        over = np.flatnonzero(is_over)
        if len(over):
            signal[over] = self._close(row[over])
        inside = np.flatnonzero(is_night & ~is_spike)
        if len(inside):
            part = (of_day_ms[inside] - self._from_ms) // self._part_ms
            self._add(row[inside], day[inside], part, value[inside])
        return signal

    def _add(self, row: Rows, day: Int64s, part: Int64s, value: Floats) -> None:
        state = self.state
        is_next = state.part[row] != part
        self._end_part(row[is_next])
        state.night[row], state.part[row] = day, part
        state.total[row] += value
        state.count[row] += 1

    def _end_part(self, row: Rows) -> None:
        state = self.state
        row = row[state.count[row] > 0]
        mean = state.total[row] / state.count[row]
        state.lowest[row] = np.minimum(state.lowest[row], mean)
        state.total[row], state.count[row] = 0.0, 0

    def _close(self, row: Rows) -> Floats:
        """End the nights of these meters; return their ratios, NaN where too few are known."""
        state = self.state
        self._end_part(row)
        flow = state.lowest[row]
        known = state.nights[:, row]
        is_enough = np.isfinite(known).sum(axis=0) >= min(WARM_UP, len(known))
        ratio = np.full(len(row), np.nan)
        enough = np.flatnonzero(is_enough & np.isfinite(flow))
        if len(enough):
            usual = np.nanpercentile(known[:, enough].astype(np.float64), self._percentile, axis=0)
            ratio[enough] = flow[enough] / np.where(usual > 0, usual, np.nan)
        head = state.head[row].astype(np.intp)
        state.nights[head, row] = np.where(np.isfinite(flow), flow, np.nan)
        state.head[row] = (head + 1) % len(known)
        state.night[row] = state.part[row] = _NONE
        state.lowest[row] = np.inf
        return ratio
