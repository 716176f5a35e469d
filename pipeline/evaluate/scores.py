"""Verification scores of a run (POD, FAR ratio, CSI, bias) and means that may be undefined."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contingency:
    """Hits, misses and false incidents of a run; correct rejections have no count here.

    Definitions as in forecast verification: FAR is the *ratio* F/(H+F), not the rate. A score
    is None where its denominator is zero.
    """

    hits: int
    misses: int
    false: int

    @property
    def pod(self) -> float | None:
        """Probability of detection, H/(H+M)."""
        return ratio(self.hits, self.hits + self.misses)

    @property
    def far_ratio(self) -> float | None:
        """False alarm ratio, F/(H+F)."""
        return ratio(self.false, self.hits + self.false)

    @property
    def csi(self) -> float | None:
        """Critical success index, H/(H+F+M)."""
        return ratio(self.hits, self.hits + self.false + self.misses)

    @property
    def bias(self) -> float | None:
        """Frequency bias, (H+F)/(H+M)."""
        return ratio(self.hits + self.false, self.hits + self.misses)


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole, None when whole is zero."""
    return part / whole if whole else None


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None, None when there is none."""
    known = sorted(value for value in values if value is not None)
    return ratio(sum(known), len(known))
