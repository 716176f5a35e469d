"""How far a sample is from what its device shows at this time of the week."""

from typing import Any

import numpy as np

from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.functions.slots import Slots
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s


class Baseline(WindowFunction):
    """Robust z of a sample against its device's own time of the week (`Slots`)."""

    def __init__(self, slots: Slots) -> None:
        """Take what learns the week of each device."""
        self._slots = slots

    @property
    def remembered(self) -> tuple[Any, ...]:
        """The slots."""
        return (self._slots.state,)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the robust z (n,); NaN while warming up. A spike teaches nothing."""
        usual = self._slots.compare(row, time_ms, value, is_spike)
        known = usual.is_known
        signal: Floats = np.where(known, usual.deviation / np.where(known, usual.spread, 1), np.nan)
        return signal
