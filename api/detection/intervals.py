"""Intervals round shares and means, so that thirty runs are not read as certainty."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

import numpy as np

from simulator.randomness import stream

Z_95 = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""
DRAWS = 2000
"""Resamples of a bootstrap (Efron and Tibshirani 1993 ask for 1000 and more at 95 %)."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; all None where it is not defined.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end; low and high are None when there is too little to say.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


def wilson(part: int, whole: int, z: float = Z_95) -> Estimate:
    """Return a share with its score interval (Wilson 1927); empty when `whole` is 0.

    It stays within 0 and 1 and does not collapse at 0 of n or n of n, as the normal one does.

    Raises:
        ValueError: `part` is no part of `whole`.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole} is no share")
    if whole == 0:
        return Estimate()
    share, square = part / whole, z * z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    spread = share * (1 - share) / whole + square / (4 * whole * whole)
    half = z * sqrt(spread) / (1 + square / whole)
    low = 0.0 if part == 0 else middle - half
    high = 1.0 if part == whole else middle + half
    return Estimate(share, low, high)


def bootstrap(
    clusters: Mapping[Hashable, Sequence[float]],
    of: Callable[[np.ndarray], np.ndarray],
    *,
    draws: int = DRAWS,
) -> Estimate:
    """Return a figure over sums with its percentile interval, resampling whole clusters.

    What belongs to one cluster (the runs of one seed) is drawn together, so that values that
    hang together are not counted as independent. The draws are the same in every process.

    Args:
        clusters: Cluster → its sums, all of one length (such as hits, false, misses).
        of: Figure of sums, arrays (draws, length) → (draws,); NaN where it is not defined.
        draws: Resamples.

    Returns:
        The figure of all clusters; without an interval when fewer than two are there.
    """
    names = sorted(clusters, key=str)
    if not names:
        return Estimate()
    sums = np.array([clusters[name] for name in names], dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(of(sums.sum(axis=0, keepdims=True))[0])
        if np.isnan(value):
            return Estimate()
        if len(names) < 2:
            return Estimate(value)
        picks = stream(1, "detection", "bootstrap").integers(len(names), size=(draws, len(names)))
        drawn = of(sums[picks].sum(axis=1))
    known = drawn[np.isfinite(drawn)]
    low, high = np.percentile(known, (2.5, 97.5))
    return Estimate(value, float(low), float(high))


def mean(clusters: Mapping[Hashable, Sequence[float]]) -> Estimate:
    """Return the mean of all values with its interval by cluster (`bootstrap`)."""
    sums = {name: (sum(values), float(len(values))) for name, values in clusters.items()}
    return bootstrap(sums, lambda both: both[:, 0] / both[:, 1])


def csi(clusters: Mapping[Hashable, tuple[int, int, int]]) -> Estimate:
    """Return the critical success index H/(H+F+M) of (hits, false, misses) by cluster."""
    return bootstrap(clusters, lambda counts: counts[:, 0] / counts.sum(axis=1))
