"""How an instrument turns the truth into the value it shows, for many devices as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sensors.quantities import Quantity
from sensors.readings import Floats, Int64s

DAY_MS = 86_400_000
NEVER_MS = -(2**62)
"""A time before every sample, for devices that have not sampled yet."""

Rows = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Spread:
    """How far single instruments stray from their data sheet (proposed figures, no source).

    Attributes:
        offset: Standard deviation of the constant error, in accuracies.
        gain: Standard deviation of the gain error at full scale, in accuracies.
        drift_per_year: Standard deviation of the drift in a year, in accuracies.
        noise_time_s: Autocorrelation time of the noise, seconds; 0 for white noise.
        counter_gain: Standard deviation of the gain of counters (rain gauges), which have no
            other error.
    """

    offset: float = 0.5
    gain: float = 0.5
    drift_per_year: float = 1.0
    noise_time_s: float = 60.0
    counter_gain: float = 0.03


@dataclass(frozen=True, slots=True)
class Response:
    """The instruments' true characters, one entry a device; the platform never sees them.

    Attributes:
        gain: Factor on the truth.
        offset: Constant error, in the quantity's unit.
        drift_per_day: Growth of the error a day since `calibrated_ms`.
        noise: Standard deviation of the AR(1) noise.
        decay_per_ms: Inverse of the noise's autocorrelation time; inf for white noise.
        resolution: Step of the display; 0 for none.
        low: Lowest value it can show.
        high: Highest value it can show.
        calibrated_ms: When the drift was zero.
    """

    gain: Floats
    offset: Floats
    drift_per_day: Floats
    noise: Floats
    decay_per_ms: Floats
    resolution: Floats
    low: Floats
    high: Floats
    calibrated_ms: int

    @classmethod
    def drawn(
        cls,
        accuracy: Floats,
        resolution: Floats,
        low: Floats,
        high: Floats,
        draws: tuple[Floats, Floats, Floats],
        *,
        calibrated_ms: int,
        spread: Spread | None = None,
        is_counter: NDArray[np.bool_] | None = None,
    ) -> Self:
        """Make single instruments of nominal ones.

        Args:
            accuracy: Standard deviation of the noise, from the registry.
            resolution: Step of the display, from the registry.
            low: Lower end of the range; NaN for none.
            high: Upper end of the range; NaN for none.
            draws: Standard normal numbers a device for gain, offset and drift.
            calibrated_ms: When the drift is zero.
            spread: How far they stray.
            is_counter: Which ones count (tips of a bucket): they show whole steps that are
                full and never run back; None for none.
        """
        spread = Spread() if spread is None else spread
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        full_scale = np.maximum(np.abs(low), np.abs(high))
        time_ms = spread.noise_time_s * 1000.0
        decay = np.full(len(accuracy), 1.0 / time_ms if time_ms > 0 else np.inf)
        gain = 1.0 + spread.gain * draws[0] * accuracy / np.where(full_scale > 0, full_scale, 1)
        counts = np.zeros(len(accuracy), dtype=np.bool_) if is_counter is None else is_counter
        noise = np.where(counts, 0.0, accuracy)
        half_step = np.where(counts, 0.5 * resolution, 0.0)
        return cls(
            gain=np.where(counts, 1.0 + spread.counter_gain * draws[0], gain),
            offset=spread.offset * draws[1] * noise - half_step,
            drift_per_day=spread.drift_per_year / 365.0 * draws[2] * noise,
            noise=noise,
            decay_per_ms=decay,
            resolution=resolution.copy(),
            low=low,
            high=high,
            calibrated_ms=calibrated_ms,
        )

    def take(self, rows: Rows) -> "Response":
        """Return the chosen devices."""
        return Response(
            self.gain[rows],
            self.offset[rows],
            self.drift_per_day[rows],
            self.noise[rows],
            self.decay_per_ms[rows],
            self.resolution[rows],
            self.low[rows],
            self.high[rows],
            self.calibrated_ms,
        )


@dataclass(frozen=True, slots=True)
class NoiseState:
    """The last noise of each device: in standard deviations, and when (`NEVER_MS` at first)."""

    noise: Floats
    time_ms: Int64s

    @classmethod
    def fresh(cls, devices: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.zeros(devices), np.full(devices, NEVER_MS, dtype=np.int64))

    def take(self, rows: Rows) -> "NoiseState":
        """Return the chosen devices."""
        return NoiseState(self.noise[rows], self.time_ms[rows])


@dataclass(frozen=True, slots=True)
class WirePrecision:
    """How finely the wire carries each device's values, one entry a device."""

    scale: Floats
    steps: Floats
    back: Floats

    @classmethod
    def of(cls, quantities: Sequence[Quantity]) -> Self:
        """Take the precision of each device's quantity."""
        return cls(
            np.array([quantity.wire_scale for quantity in quantities]),
            np.array([10.0**quantity.wire_decimals for quantity in quantities]),
            np.array([quantity.accepted[quantity.wire_unit] for quantity in quantities]),
        )

    def rounded(self, devices: Rows, values: Floats) -> Floats:
        """Return the values as they come back from the wire, bit by bit."""
        steps = self.steps[devices]
        values = values * self.scale[devices]
        values *= steps
        np.rint(values, out=values)
        values /= steps
        values *= self.back[devices]
        values += 0.0  # no minus zero
        return values


def respond(
    response: Response,
    state: NoiseState,
    devices: Rows,
    times_ms: Int64s,
    truth: Floats,
    white: Floats,
    extra: Floats | None = None,
) -> tuple[Floats, NoiseState]:
    """Return what the instruments show, and the state after.

    Args:
        response: The instruments.
        state: Noise of each instrument's last sample.
        devices: Row of `response` of each sample, ascending.
        times_ms: When each sample is taken, ascending within a device.
        truth: True value of each sample; NaN (nothing to measure) comes out as NaN.
        white: One standard normal number a sample.
        extra: Further errors before the display (faults), in the quantity's unit.

    Returns:
        The values within range and on the steps of the display, and the new state. Cutting
        the samples at any moment and going on from the state gives the same values.
    """
    noise, after = _coloured(response, state, devices, times_ms, white)
    noise *= response.noise[devices]
    days = (times_ms - response.calibrated_ms) * (1.0 / DAY_MS)
    days *= response.drift_per_day[devices]
    values = response.gain[devices] * truth
    values += response.offset[devices]
    values += days
    values += noise
    if extra is not None:
        values += extra
    return _shown(response, devices, values), after


def runs_of(devices: Rows) -> tuple[Int64s, Int64s]:
    """Return where each run of equal devices begins, and how long it is."""
    if len(devices) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first = np.concatenate([[0], np.flatnonzero(devices[1:] != devices[:-1]) + 1])
    return first, np.diff(first, append=len(devices))


def spans(begin: Rows, count: Rows) -> Int64s:
    """Return the whole numbers of many ranges, one range after the other."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(begin - (ends - count), count) + np.arange(total)


def _coloured(
    response: Response, state: NoiseState, devices: Rows, times_ms: Int64s, white: Floats
) -> tuple[Floats, NoiseState]:
    """Return stationary AR(1) noise of unit variance; any spacing of the samples is exact.

    With a = exp(-gap / noise time): noise = a · last noise + sqrt(1 - a²) · white.
    """
    first, count = runs_of(devices)
    owners = devices[first]
    gap = np.empty(len(devices))
    gap[1:] = np.diff(times_ms)
    gap[first] = times_ms[first] - state.time_ms[owners]
    gap *= -response.decay_per_ms[devices]
    kept = np.exp(gap, out=gap)
    noise: Floats = np.sqrt(1.0 - kept * kept)
    noise *= white
    noise[first] += kept[first] * state.noise[owners]
    for nth in range(1, int(count.max(initial=0))):
        rows = first[count > nth] + nth
        noise[rows] += kept[rows] * noise[rows - 1]
    after = NoiseState(state.noise.copy(), state.time_ms.copy())
    last = first + count - 1
    after.noise[owners] = noise[last]
    after.time_ms[owners] = times_ms[last]
    return noise, after


def _shown(response: Response, devices: Rows, values: Floats) -> Floats:
    step = response.resolution[devices]
    has_step = step > 0
    if has_step.all():
        values /= step
        np.rint(values, out=values)
        values *= step
    elif has_step.any():
        values[has_step] = np.rint(values[has_step] / step[has_step]) * step[has_step]
    np.maximum(values, response.low[devices], out=values)
    np.minimum(values, response.high[devices], out=values)
    return values
