"""Residual scores: how far a value is from what the platform's own model expects, in sigmas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.ports import Conditions, NetworkModel, agreed
from pipeline.warn.verdicts import Rows
from sensors.quantities import PUMP_STATE, WATER_LEVEL
from sensors.readings import Floats, ReadingBatch
from sensors.registry import Registry

REGIMES = 8
"""Pump patterns whose own bias is learned; later ones share the last place."""


class Expectation(Protocol):
    """The one thing needed of the platform's network model (`NetworkModel.expect`)."""

    def expect(self, at_ms: int, conditions: Conditions) -> NDArray[np.float64]:
        """Return what undisturbed devices would show."""
        ...


@dataclass(frozen=True, slots=True)
class ResidualLimits:
    """How a model's error is told from an event; all proposed.

    Attributes:
        renew_ms: The model is asked again after this long, or at once when pumps switch.
        learning_ms: Time constant with which bias and spread follow.
        warm_up: Samples of a device under a pump pattern before it is scored.
        floor_sigmas: Least spread, in standard deviations of the device's own noise.
        clip_sigmas: A single sample moves bias and spread by no more than this.
        settle_ms: Nothing is scored for so long after pumps switched: the network is on its
            way, and devices were sampled on either side of it.
        reach_ms: Samples further than this from the moment the model was asked about are not
            scored: a batch that comes hours late tells of other hours of the day.
    """

    renew_ms: int = 300_000
    learning_ms: int = 3 * 3_600_000
    warm_up: int = 6
    floor_sigmas: float = 1.5
    clip_sigmas: float = 3.0
    settle_ms: int = 6 * 60_000
    reach_ms: int = 15 * 60_000


@dataclass(slots=True)
class ResidualState:
    """What is remembered; arrays are (REGIMES, devices) unless said otherwise.

    Attributes:
        shown: Newest value of each device (devices,), for pumps and tanks.
        shown_ms: Its sample time.
        expected: What the model said last (devices,).
        asked_ms: When it was asked.
        switched_ms: When a pump last changed.
        pattern: Which pumps run now.
        regimes: Pump patterns met so far, in the order they came.
        regime: Place of the pattern now, the last place for all that found none.
        bias: Learned residual.
        variance: Learned square of the spread.
        count: Samples learned from.
        learned_ms: When the device was last learned from (devices,).
    """

    shown: Floats
    shown_ms: NDArray[np.int64]
    expected: Floats
    asked_ms: int
    switched_ms: int
    pattern: str | None
    regimes: list[str]
    regime: int
    bias: Floats
    variance: Floats
    count: NDArray[np.int32]
    learned_ms: NDArray[np.int64]

    @classmethod
    def of(cls, devices: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            shown=np.full(devices, np.nan),
            shown_ms=np.zeros(devices, np.int64),
            expected=np.full(devices, np.nan),
            asked_ms=-(2**62),
            switched_ms=-(2**62),
            pattern=None,
            regimes=[],
            regime=0,
            bias=np.zeros((REGIMES, devices)),
            variance=np.zeros((REGIMES, devices)),
            count=np.zeros((REGIMES, devices), np.int32),
            learned_ms=np.zeros(devices, np.int64),
        )


class Residuals:
    """Scores values against the model; learns, for each pump pattern, what it gets wrong.

    The score is `(expected + bias - value) / spread`: positive when the value is too low.
    """

    def __init__(
        self,
        registry: Registry,
        model: Expectation | NetworkModel,
        limits: ResidualLimits | None = None,
    ) -> None:
        self._model, self._limits = model, limits or ResidualLimits()
        self._floor = self._limits.floor_sigmas * registry.numbers("accuracy")
        self._pumps = _elements(registry, PUMP_STATE.name)
        self._tanks = _elements(registry, WATER_LEVEL.name)
        self.state = ResidualState.of(len(registry))

    def observe(self, batch: ReadingBatch, now_ms: int) -> None:
        """Take what the sensors say of pumps and tanks and ask the model when it is time."""
        state, limits = self.state, self._limits
        state.shown[batch.device] = batch.value
        state.shown_ms[batch.device] = batch.time_ms
        pumps = {element: value >= 0.5 for element, value in self._told(self._pumps).items()}
        pattern = ",".join(sorted(element for element, is_on in pumps.items() if is_on))
        has_switched = state.pattern != pattern
        if has_switched:
            state.pattern, state.regime = pattern, self._regime(pattern)
            state.switched_ms = now_ms
        if has_switched or now_ms - state.asked_ms >= limits.renew_ms:
            levels = self._told(self._tanks)
            state.expected = self._model.expect(now_ms, Conditions(pumps, levels))
            state.asked_ms = now_ms

    def _told(self, devices: Mapping[int, str]) -> dict[str, float]:
        """Return what the newest samples say of each element."""
        numbers = np.fromiter(devices, np.intp, len(devices))
        newest_ms = self.state.shown_ms[numbers]
        return agreed(list(devices.values()), -newest_ms, self.state.shown[numbers])

    def score(self, device: Rows, time_ms: NDArray[np.int64], value: Floats) -> Floats:
        """Return a score for each sample, NaN where there is none, and learn from the samples."""
        state, limits = self.state, self._limits
        regime = state.regime
        is_fit = np.isfinite(state.expected[device]) & np.isfinite(value)
        is_fit &= time_ms >= state.switched_ms + limits.settle_ms
        is_fit &= np.abs(time_ms - state.asked_ms) <= limits.reach_ms
        rows = device[is_fit]
        residual = state.expected[rows] - value[is_fit]
        count = state.count[regime, rows]
        spread = np.maximum(self._floor[rows], np.sqrt(state.variance[regime, rows]))
        deviation = residual + state.bias[regime, rows]
        scores = np.full(len(device), np.nan)
        is_known = (count >= limits.warm_up) & (spread > 0)
        scores[is_fit] = np.where(is_known, deviation / np.where(is_known, spread, 1.0), np.nan)
        self._learn(rows, time_ms[is_fit], deviation, spread, count)
        return scores

    def _learn(
        self,
        rows: Rows,
        time_ms: NDArray[np.int64],
        deviation: Floats,
        spread: Floats,
        count: NDArray[np.int32],
    ) -> None:
        state, limits, regime = self.state, self._limits, self.state.regime
        elapsed_ms = np.clip(time_ms - state.learned_ms[rows], 0, limits.renew_ms)
        share = np.maximum(elapsed_ms / limits.learning_ms, 1.0 / (count + 1.0))
        is_young = count < limits.warm_up
        share = np.where(is_young, 1.0 / (count + 1.0), np.minimum(share, 0.2))
        clip = limits.clip_sigmas * spread
        moved = np.where(is_young, deviation, np.clip(deviation, -clip, clip))
        state.bias[regime, rows] -= share * moved
        square = np.where(is_young & (count == 0), 0.0, moved**2)
        old = state.variance[regime, rows]
        state.variance[regime, rows] = old + share * (square - old)
        state.count[regime, rows] = count + 1
        state.learned_ms[rows] = time_ms

    def _regime(self, pattern: str) -> int:
        regimes = self.state.regimes
        if pattern not in regimes:
            if len(regimes) == REGIMES:
                return REGIMES - 1
            regimes.append(pattern)
        return regimes.index(pattern)


def _elements(registry: Registry, quantity: str) -> Mapping[int, str]:
    """Return the elements of the water devices of a quantity; drains have pumps and levels too."""
    elements: Sequence[str] = registry.texts("element")
    domains = registry.texts("domain")
    return {
        number: elements[number]
        for number in registry.where("quantity", quantity).tolist()
        if domains[number] == "water"
    }
