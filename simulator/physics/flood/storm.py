"""One storm: rain at its centre by time, and how it moves."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm: rain at its centre by time, and how it moves.

    Attributes:
        id: Id in the scenario.
        start_ms: Event time at which it begins.
        step_s: Length of one step of `rate_mm_h`, seconds.
        rate_mm_h: Intensity at the centre, one value a step.
        x_m: Easting of the centre at the start, metres in the city's plane.
        y_m: Northing of the same place.
        vx_m_s: Speed eastward.
        vy_m_s: Speed northward.
        radius_m: Distance at which the rain is down to 1/e of the centre's; inf: the same
            everywhere.
        note: Where the figures come from; says which hours are synthetic fill.
    """

    id: str
    start_ms: int
    step_s: int
    rate_mm_h: tuple[float, ...]
    x_m: float = 0.0
    y_m: float = 0.0
    vx_m_s: float = 0.0
    vy_m_s: float = 0.0
    radius_m: float = float("inf")
    note: str = ""

    def __post_init__(self) -> None:
        if self.step_s <= 0 or not self.radius_m > 0:
            raise ValueError(f"storm {self.id}: step_s and radius_m must be above 0")
        if not all(np.isfinite(rate) and rate >= 0 for rate in self.rate_mm_h):
            raise ValueError(f"storm {self.id}: rate_mm_h must be finite and not below 0")

    @property
    def end_ms(self) -> int:
        """Event time at which it is over."""
        return self.start_ms + len(self.rate_mm_h) * self.step_s * 1000

    @property
    def total_mm(self) -> float:
        """Rain at the centre over the whole storm."""
        return sum(self.rate_mm_h) * self.step_s / 3600
