from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.devices.response import (
    DAY_MS,
    NoiseState,
    Response,
    Spread,
    WirePrecision,
    respond,
    runs_of,
    spans,
)
from sensors.quantities import FLOW, PRESSURE, QUANTITIES
from sensors.readings import Floats, Int64s

START_MS = 1_750_000_000_000


def instruments(devices: int = 1, **columns: float) -> Response:
    """Perfect instruments but for the given columns."""
    perfect = {
        "gain": 1.0,
        "offset": 0.0,
        "drift_per_day": 0.0,
        "noise": 0.0,
        "decay_per_ms": 1 / 60_000,
        "resolution": 0.0,
        "low": -np.inf,
        "high": np.inf,
    }
    full = {name: np.full(devices, value) for name, value in (perfect | columns).items()}
    return Response(**full, calibrated_ms=START_MS)


def shown(
    response: Response,
    times_ms: Sequence[int] | Int64s,
    truth: float | Sequence[float] | Floats,
    white: Floats | None = None,
) -> Floats:
    """What one instrument shows."""
    times = np.asarray(times_ms, dtype=np.int64)
    truth = np.broadcast_to(np.asarray(truth, dtype=float), times.shape)
    white = np.zeros(len(times)) if white is None else white
    devices = np.zeros(len(times), dtype=np.int64)
    return respond(response, NoiseState.fresh(1), devices, times, truth, white)[0]


def test_a_perfect_instrument_shows_the_truth() -> None:
    truth = np.array([0.25, 0.5, -3.0])
    assert np.array_equal(shown(instruments(), [1, 2, 3], truth), truth)


def test_gain_offset_and_drift_add_up() -> None:
    response = instruments(gain=1.5, offset=0.25, drift_per_day=0.125)
    times = START_MS + DAY_MS * np.array([0, 2])
    assert shown(response, times, 2.0) == pytest.approx([3.25, 3.5])


def test_the_display_has_steps() -> None:
    values = shown(instruments(resolution=0.25), [1, 2, 3], [0.36, 0.38, -0.4])
    assert values.tolist() == [0.25, 0.5, -0.5]


def test_the_display_ends_at_its_range() -> None:
    values = shown(instruments(low=0.0, high=1.6), [1, 2, 3], [-0.1, 0.4, 9.0])
    assert values.tolist() == [0.0, 0.4, 1.6]


def test_nothing_to_measure_shows_nothing_and_does_not_stop_the_noise() -> None:
    white = np.array([1.0, -1.0, 0.5])
    times = [1_000, 61_000, 121_000]
    with_gap = shown(instruments(noise=0.1), times, [1.0, np.nan, 1.0], white)
    without = shown(instruments(noise=0.1), times, 1.0, white)
    assert np.isnan(with_gap[1])
    assert np.array_equal(with_gap[[0, 2]], without[[0, 2]])


def test_noise_has_its_standard_deviation_from_the_first_sample_on() -> None:
    white = np.random.Generator(np.random.Philox(1)).standard_normal((20_000, 3))
    devices = np.repeat(np.arange(20_000), 3)
    times = np.tile([0, 20_000, 500_000], 20_000)
    response = instruments(20_000, noise=0.002)
    state = NoiseState.fresh(20_000)
    values, _ = respond(response, state, devices, times, np.zeros(60_000), white.ravel())
    assert values.reshape(-1, 3).std(axis=0) == pytest.approx([0.002] * 3, rel=0.03)


@pytest.mark.parametrize("gap_s", [1, 30, 60, 200])
def test_noise_forgets_exponentially_at_any_spacing(gap_s: int) -> None:
    white = np.random.Generator(np.random.Philox(2)).standard_normal(40_000)
    devices = np.repeat(np.arange(20_000), 2)
    times = np.tile([7, 7 + gap_s * 1000], 20_000)
    response = instruments(20_000, noise=1.0)
    values, _ = respond(response, NoiseState.fresh(20_000), devices, times, np.zeros(40_000), white)
    pairs = values.reshape(-1, 2)
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(np.exp(-gap_s / 60), abs=0.035)


def test_noise_follows_the_written_recursion() -> None:
    white = np.array([0.3, -1.2, 2.0, 0.1])
    times = np.array([0, 10_000, 95_000, 100_000])
    expected, last = [], None
    for place, fresh in enumerate(white):
        kept = 0.0 if last is None else np.exp(-(times[place] - times[place - 1]) / 60_000)
        last = kept * (last or 0.0) + np.sqrt(1 - kept**2) * fresh
        expected.append(0.5 * last)
    assert shown(instruments(noise=0.5), times, 0.0, white) == pytest.approx(expected)


def test_white_noise_does_not_remember() -> None:
    white = np.array([0.3, -1.2, 2.0])
    values = shown(instruments(noise=2.0, decay_per_ms=np.inf), [0, 1, 2], 0.0, white)
    assert values == pytest.approx(2.0 * white)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 400_000)), min_size=1, max_size=30),
    st.integers(0, 500_000),
)
def test_cutting_the_samples_at_any_time_changes_nothing(
    samples: list[tuple[int, int]], cut_ms: int
) -> None:
    rows = sorted(set(samples))
    devices = np.array([device for device, _ in rows])
    times = START_MS + np.array([time_ms for _, time_ms in rows])
    random = np.random.Generator(np.random.Philox(3))
    white, truth = random.standard_normal(len(rows)), random.random(len(rows))
    response = instruments(5, noise=0.01, gain=1.01, drift_per_day=0.1, resolution=0.001)
    state = NoiseState.fresh(5)
    whole, after = respond(response, state, devices, times, truth, white)
    parts = np.empty_like(whole)
    for part in (times < START_MS + cut_ms, times >= START_MS + cut_ms):
        parts[part], state = respond(
            response, state, devices[part], times[part], truth[part], white[part]
        )
    assert np.array_equal(parts, whole)
    assert np.array_equal(state.noise, after.noise)
    assert np.array_equal(state.time_ms, after.time_ms)


def test_respond_leaves_the_given_state_alone() -> None:
    state = NoiseState.fresh(1)
    respond(
        instruments(noise=1.0), state, np.zeros(1, int), np.ones(1, int), np.ones(1), np.ones(1)
    )
    assert state.noise.tolist() == [0.0]


def test_single_instruments_stray_as_far_as_stated() -> None:
    devices = 20_000
    draws = np.random.Generator(np.random.Philox(4)).standard_normal((3, devices))
    column = np.full(devices, 0.002)
    response = Response.drawn(
        column,
        np.full(devices, 0.001),
        np.zeros(devices),
        np.full(devices, 1.6),
        (draws[0], draws[1], draws[2]),
        calibrated_ms=START_MS,
        spread=Spread(offset=0.5, gain=0.25, drift_per_year=2.0),
    )
    assert response.offset.std() == pytest.approx(0.5 * 0.002, rel=0.03)
    assert (response.gain - 1).std() * 1.6 == pytest.approx(0.25 * 0.002, rel=0.03)
    assert response.drift_per_day.std() * 365 == pytest.approx(2.0 * 0.002, rel=0.03)
    assert np.array_equal(response.noise, column)


def test_an_exact_device_without_a_range_is_perfect() -> None:
    draws = (np.ones(1), np.ones(1), np.ones(1))
    none = np.full(1, np.nan)
    response = Response.drawn(np.zeros(1), np.zeros(1), none, none, draws, calibrated_ms=0)
    assert shown(response, [DAY_MS], 123.456, np.ones(1)).tolist() == [123.456]


def test_a_counter_shows_full_steps_and_has_no_error_but_its_gain() -> None:
    one = np.ones(3)
    counters = Response.drawn(
        *(value * one for value in (0.1, 0.2, 0.0, 1000.0)),
        draws=(np.array([0.0, 1.0, -1.0]), 5 * one, 5 * one),
        calibrated_ms=START_MS,
        spread=Spread(counter_gain=0.5),
        is_counter=one > 0,
    )
    rows, times = np.arange(3), np.full(3, START_MS + 100 * DAY_MS)
    fresh = NoiseState.fresh(3)
    values, _ = respond(counters, fresh, rows, times, np.array([0.39, 0.39, 0.39]), 9 * one)
    assert values == pytest.approx([0.2, 0.4, 0.0])


@given(st.sampled_from(sorted(QUANTITIES)), st.floats(-1e4, 1e4))
def test_rounded_values_come_back_from_the_wire_bit_by_bit(name: str, value: float) -> None:
    quantity = QUANTITIES[name]
    rounded = WirePrecision.of([quantity]).rounded(np.zeros(1, int), np.array([value]))
    written = np.round(rounded * quantity.wire_scale, quantity.wire_decimals)
    assert (written * quantity.accepted[quantity.wire_unit]).tolist() == rounded.tolist()


def test_wire_rounding_keeps_each_devices_own_precision() -> None:
    wire = WirePrecision.of([PRESSURE, FLOW])
    values = wire.rounded(np.array([0, 1]), np.array([0.123_456_789, 0.123_456_789]))
    assert values == pytest.approx([0.123_456_8, 0.000_034_294 * 3600], abs=1e-12)


def test_runs_and_spans_are_each_others_inverse() -> None:
    devices = np.array([2, 2, 2, 5, 7, 7])
    first, count = runs_of(devices)
    assert (first.tolist(), count.tolist()) == ([0, 3, 4], [3, 1, 2])
    assert spans(first, count).tolist() == [0, 1, 2, 3, 4, 5]
    assert len(runs_of(devices[:0])[0]) == len(spans(first[:0], count[:0])) == 0
