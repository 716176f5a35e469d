"""Tells devices that show one wrong factor at once, as a batch with its units mixed up does."""

import numpy as np
from numpy.typing import NDArray

from sensors.readings import Floats


def of_one_factor(
    before: Floats, after: Floats, *, least: float, tolerance: float, fewest: int = 3
) -> NDArray[np.bool_]:
    """Return which devices fell or rose by one and the same factor.

    Water and gas lose pressure by an amount, which is another share at each height and distance
    from the source, and all of it where nothing is left; no loss divides several pressures by the
    same number. All False when fewer than `fewest` do.

    Args:
        before: What each showed, in the quantity's unit, (devices,); NaN for unknown.
        after: What each shows now.
        least: Smallest factor looked at, up or down.
        tolerance: Largest distance from the median factor, as a share of it.
        fewest: Devices that make a batch.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(before > 0.0, after / before, np.nan)
    deep = np.isfinite(factor) & (factor > 0.0)
    deep &= (factor <= 1.0 / least) | (factor >= least)
    if int(deep.sum()) < fewest:
        return np.zeros(len(before), np.bool_)
    middle = float(np.median(factor[deep]))
    alike = deep & (np.abs(factor - middle) <= tolerance * middle)
    found: NDArray[np.bool_] = alike & (int(alike.sum()) >= fewest)
    return found
