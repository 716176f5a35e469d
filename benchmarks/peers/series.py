"""The series every tool is given, and where they are read from by a program of another venv."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_S = 300
START_S = 1_750_000_000 // STEP_S * STEP_S
LOW_MPA, LOW_OF = 0.14, 3
"""Rule 1: three samples in a row below 0.14 MPa."""
RAIN_MM, RAIN_S = 60.0, 3600
"""Rule 2: more than 60 mm within an hour on a counter."""
MEAN_MPA, MEAN_S = 0.20, 1800
"""Rule 3: mean of half an hour below 0.20 MPa."""


@dataclass(frozen=True)
class Series:
    """Pressure and rain counters; (steps, series) each, one column a device."""

    pressure: NDArray[np.float64]
    rain: NDArray[np.float64]

    @property
    def samples(self) -> int:
        """Samples in all."""
        return self.pressure.size + self.rain.size


def make(devices: int, steps: int) -> Series:
    """Return noise with some deep falls of pressure and some storms, the same every time."""
    noise = np.random.Generator(np.random.Philox(11))
    pressure = noise.uniform(0.25, 0.45, devices) + noise.normal(0, 0.002, (steps, devices))
    falls = noise.choice(devices, max(1, devices // 100), replace=False)
    begin = steps // 3
    pressure[begin : begin + steps // 6, falls] -= 0.25
    shower = noise.exponential(0.1, (steps, devices))
    shower[begin : begin + 12, falls] += 8.0
    return Series(np.round(pressure, 3), np.round(np.cumsum(shower, axis=0), 1))
