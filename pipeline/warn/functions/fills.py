"""How full a drain is, from the freeboard its device measures."""

import numpy as np

from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

DEPTH, DIAMETER = "invert_depth_m", "diameter_m"
"""The device constants it needs: ground to the invert of the pipe, and the pipe's diameter."""


class Fill(WindowFunction):
    """Depth of water over the pipe's diameter, h/D: 1 when full, more when it is surcharged."""

    def __init__(self, depth_m: Floats, diameter_m: Floats) -> None:
        """Take the constants of each device (rows,), metres; NaN where unknown."""
        self._depth_m = depth_m
        self._diameter_m = np.where(diameter_m > 0, diameter_m, np.nan)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return h/D (n,) for freeboards in metres; NaN where a constant is unknown."""
        fill: Floats = np.maximum(0.0, self._depth_m[row] - value) / self._diameter_m[row]
        return fill
