"""How sure a share is that was counted: Wilson's score interval."""

from math import sqrt
from typing import NamedTuple

from pipeline.evaluate.scores import Contingency

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


class Interval(NamedTuple):
    """A share and the bounds it lies between with 95 % confidence."""

    share: float
    low: float
    high: float


def wilson(part: int, whole: int, z: float = Z_95) -> Interval | None:
    """Return part / whole with its score interval (Wilson 1927); None when whole is zero.

    Raises:
        ValueError: `part` is negative or more than `whole`.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole} is no share: give 0 <= part <= whole")
    if whole == 0:
        return None
    share, square = part / whole, z * z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    half = z / (1 + square / whole) * sqrt(share * (1 - share) / whole + square / (4 * whole**2))
    low = 0.0 if part == 0 else max(0.0, middle - half)
    high = 1.0 if part == whole else min(1.0, middle + half)
    return Interval(share, low, high)


def intervals_of(counts: Contingency) -> dict[str, Interval | None]:
    """Return POD, FAR ratio and CSI of counts with their intervals; None where nothing counted.

    Each is taken for a share of independent trials: hits among true ones, false among found
    ones, hits among both.
    """
    hits, misses, false = counts.hits, counts.misses, counts.false
    return {
        "pod": wilson(hits, hits + misses),
        "far_ratio": wilson(false, hits + false),
        "csi": wilson(hits, hits + misses + false),
    }
