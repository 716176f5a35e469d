"""Control charts over standardised samples: EWMA, CUSUM and the Western Electric zone rules."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.functions.base import WindowFunction
from pipeline.warn.functions.spreads import Spreads
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

CAP = 1.25
"""A cumulative sum goes no higher than this many times the worst limit, so that it finds back
(proposed)."""
ZONE_SCORE = 3.0
"""A broken zone rule counts like one sample beyond three sigmas: the handbook reacts to both."""


@dataclass(slots=True)
class ChartState:
    """Where each device's chart stands, sigmas (rows,)."""

    level: Floats

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.zeros(rows))


class Ewma(WindowFunction):
    """The exponentially weighted mean of standardised samples, in its own standard deviations.

    Roberts (1959): `z = w·x + (1 - w)·z`, whose standard deviation is `sqrt(w / (2 - w))`.
    """

    def __init__(self, spreads: Spreads, weight: float) -> None:
        """Take what standardises the samples, and the weight of the newest."""
        self._weight = weight
        self._scale = float(np.sqrt(weight / (2.0 - weight)))
        self._spreads = spreads
        self.state = ChartState.of(len(spreads.state.mean))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Chart and spreads."""
        return (self.state, *self._spreads.remembered)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the means (n,), sigmas."""
        score = self._spreads.standardise(row, time_ms, value, is_spike)
        level = self.state.level[row]
        moved = level + self._weight * (score - level)
        is_used = np.isfinite(score) & ~is_spike
        self.state.level[row] = np.where(is_used, moved, level)
        signal: Floats = moved / self._scale
        return signal

    def forget(self, row: Rows) -> None:
        """Begin the mean again."""
        self.state.level[row] = 0.0


class Cusum(WindowFunction):
    """The one-sided cumulative sum of standardised samples.

    Page (1954): `C = max(0, C + x - k)` for shifts up; for a rule with direction low the mirror
    image, given as a negative number. It begins again after its alarm has cleared.
    """

    def __init__(self, spreads: Spreads, k: float, *, worst: float, sign: float) -> None:
        """Take what standardises the samples and the allowance `k`, sigmas.

        `worst` is the worst limit, sigmas; `sign` 1 for shifts up, -1 for shifts down.
        """
        self._sign, self._k, self._cap = sign, k, CAP * worst
        self._spreads = spreads
        self.state = ChartState.of(len(spreads.state.mean))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Sums and spreads."""
        return (self.state, *self._spreads.remembered)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the sums (n,), sigmas; a spike shows one and adds nothing."""
        score = self._sign * self._spreads.standardise(row, time_ms, value, is_spike)
        level = self.state.level[row]
        grown = np.clip(level + score - self._k, 0.0, self._cap)
        is_used = np.isfinite(score) & ~is_spike
        self.state.level[row] = np.where(is_used, grown, level)
        signal: Floats = self._sign * grown
        return signal

    def forget(self, row: Rows) -> None:
        """Begin the sums again."""
        self.state.level[row] = 0.0

    def cleared(self, row: Rows) -> None:
        """Begin the sums again after the alarm."""
        self.state.level[row] = 0.0


@dataclass(slots=True)
class ZoneState:
    """The last samples as bits, newest lowest: beyond 2, 1 and 0 sigmas (3, rows)."""

    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.zeros((3, rows), np.uint8))


_ZONES = np.array([2.0, 1.0, 0.0])[:, None]
_LAST = np.array([0b111, 0b11111, 0b11111111], np.uint8)[:, None]
_ENOUGH = np.array([2, 4, 8], np.uint8)[:, None]


class WesternElectric(WindowFunction):
    """The zone rules of the Western Electric handbook (1956), as a score in sigmas.

    One sample beyond 3 sigmas, 2 of 3 beyond 2, 4 of 5 beyond 1 or 8 in a row on one side: each
    gives 3, or the sample's own score where that is worse. One-sided, by the rule's direction.
    """

    def __init__(self, spreads: Spreads, sign: float) -> None:
        """Take what standardises the samples, and the side: 1 up, -1 down."""
        self._sign, self._spreads = sign, spreads
        self.state = ZoneState.of(len(spreads.state.mean))

    @property
    def remembered(self) -> tuple[Any, ...]:
        """Bits and spreads."""
        return (self.state, *self._spreads.remembered)

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the scores (n,), sigmas; a spike shows its own and is no part of a zone rule."""
        score = self._sign * self._spreads.standardise(row, time_ms, value, is_spike)
        before = self.state.bits[:, row]
        bits = ((before << 1) | (score > _ZONES)) & _LAST
        bits = np.where(is_spike | np.isnan(score), before, bits).astype(np.uint8)
        self.state.bits[:, row] = bits
        is_broken = (np.bitwise_count(bits) >= _ENOUGH).any(axis=0) & ~is_spike
        signal: Floats = self._sign * np.where(is_broken, np.maximum(score, ZONE_SCORE), score)
        return signal

    def forget(self, row: Rows) -> None:
        """Begin the zone rules again."""
        self.state.bits[:, row] = 0
