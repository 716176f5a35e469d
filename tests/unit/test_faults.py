import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.devices.faults import (
    Fault,
    FaultKind,
    FaultMemory,
    FaultTable,
    errors_of,
    scaled,
    shown_times,
    stick,
)
from sensors.devices.gateways import copies_sent, hold, restarted
from sensors.devices.reporting import Reports
from sensors.devices.response import DAY_MS
from sensors.readings import Floats, Int64s

DEVICES = {name: number for number, name in enumerate("abcde")}
GATEWAYS = {"g0": 0, "g1": 1}
MINUTE_MS = 60_000


def table(*faults: Fault) -> FaultTable:
    return FaultTable.of(faults, DEVICES, GATEWAYS)


def draws(places: Int64s, counters: Int64s) -> Floats:
    """Normal numbers by place and counter, from a generator of the tests' own."""
    seeds = [7 + 1000 * place + counter for place, counter in zip(places, counters, strict=True)]
    return np.array([np.random.Generator(np.random.Philox(s)).standard_normal() for s in seeds])


def chances(places: Int64s, counters: Int64s) -> Floats:
    return np.random.Generator(np.random.Philox(9)).random(len(counters))


def minutes(count: int) -> tuple[Int64s, Int64s]:
    """One device `a`, sampled once a minute."""
    return np.zeros(count, dtype=np.int64), MINUTE_MS * np.arange(count)


def added(*faults: Fault, count: int = 10, every: int = 1) -> list[float]:
    """What faults add to device `a`; every nth sample is periodic."""
    devices, times = minutes(count)
    periodic = np.arange(count) % every == 0
    memory = FaultMemory.fresh(len(faults))
    return errors_of(table(*faults), memory, devices, times, periodic, draws)[0].tolist()


def test_bias_adds_its_amount_from_start_until_just_before_end() -> None:
    fault = Fault("a", FaultKind.BIAS, 2 * MINUTE_MS, 5 * MINUTE_MS, 0.25)
    assert added(fault, count=7) == [0, 0, 0.25, 0.25, 0.25, 0, 0]


def test_drift_grows_by_its_amount_a_day() -> None:
    fault = Fault("a", FaultKind.DRIFT, MINUTE_MS, DAY_MS, 1440.0)
    assert added(fault, count=4) == pytest.approx([0, 0, 1.0, 2.0])


def test_noise_has_its_standard_deviation() -> None:
    values = added(Fault("a", FaultKind.NOISE, 0, DAY_MS, 0.02), count=1_400)
    assert np.std(values) == pytest.approx(0.02, rel=0.1)
    assert abs(np.mean(values)) < 5 * 0.02 / np.sqrt(1_400)


def test_a_spike_strikes_one_periodic_sample() -> None:
    fault = Fault("a", FaultKind.SPIKE, MINUTE_MS, DAY_MS, -0.3)
    assert added(fault, count=8, every=3) == [0, 0, 0, -0.3, 0, 0, 0, 0]


def test_faults_of_the_same_kind_add_up() -> None:
    faults = [Fault("a", FaultKind.BIAS, 0, DAY_MS, amount) for amount in (1.0, 0.5)]
    assert added(*faults, count=2) == [1.5, 1.5]


def test_other_devices_are_left_alone() -> None:
    faults = table(Fault("b", FaultKind.BIAS, 0, DAY_MS, 1.0))
    devices, times = np.array([0, 1, 1, 2]), np.array([5, 5, 6, 5])
    errors, _ = errors_of(
        faults, FaultMemory.fresh(1), devices, times, np.ones(4, dtype=np.bool_), draws
    )
    assert errors.tolist() == [0, 1, 1, 0]


def test_a_stuck_device_repeats_the_first_value_of_the_fault() -> None:
    devices, times = minutes(6)
    fault = Fault("a", FaultKind.STUCK, 2 * MINUTE_MS, 5 * MINUTE_MS)
    values, _ = stick(table(fault), FaultMemory.fresh(1), devices, times, np.arange(6.0))
    assert values.tolist() == [0, 1, 2, 2, 2, 5]


def test_a_stuck_device_waits_for_a_value_to_hold() -> None:
    devices, times = minutes(4)
    truth = np.array([np.nan, 3.0, np.nan, 4.0])
    fault = Fault("a", FaultKind.STUCK, 0, DAY_MS)
    values, _ = stick(table(fault), FaultMemory.fresh(1), devices, times, truth)
    assert np.array_equal(values, [np.nan, 3.0, np.nan, 3.0], equal_nan=True)


@given(st.integers(0, 10))
def test_spikes_and_stuck_values_outlive_the_end_of_a_batch(cut: int) -> None:
    devices, times = minutes(10)
    faults = table(
        Fault("a", FaultKind.SPIKE, MINUTE_MS, DAY_MS, 5.0),
        Fault("a", FaultKind.STUCK, 3 * MINUTE_MS, 8 * MINUTE_MS),
    )
    memory, parts = FaultMemory.fresh(2), []
    for part in (slice(0, cut), slice(cut, 10)):
        rows = devices[part], times[part]
        periodic = np.ones(len(rows[0]), dtype=np.bool_)
        values, memory = errors_of(faults, memory, *rows, periodic, draws)
        values, memory = stick(faults, memory, *rows, values + np.arange(10.0)[part])
        parts.append(values)
    assert np.concatenate(parts).tolist() == [0, 6, 2, 3, 3, 3, 3, 3, 8, 9]


def test_memory_of_old_faults_survives_a_new_one() -> None:
    memory = FaultMemory(np.array([2.5]), np.array([True])).grown(2)
    assert np.array_equal(memory.held, [2.5, np.nan], equal_nan=True)
    assert memory.is_spent.tolist() == [True, False]


def test_outage_strikes_the_samples_in_its_window() -> None:
    devices, times = minutes(5)
    faults = table(Fault("a", FaultKind.OUTAGE, MINUTE_MS, 3 * MINUTE_MS))
    struck = faults.struck(FaultKind.OUTAGE, devices, times)
    assert struck.tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_dropout_strikes_with_its_probability(probability: float) -> None:
    devices, times = minutes(20_000)
    faults = table(Fault("a", FaultKind.DROPOUT, 0, 10**12, probability))
    struck = faults.struck_by_chance(FaultKind.DROPOUT, devices, times, times, chances)
    spread = np.sqrt(probability * (1 - probability) / 20_000)
    assert abs(struck.mean() - probability) <= 5 * spread


def test_clock_skew_shifts_what_the_device_says_the_time_is() -> None:
    devices, times = minutes(3)
    faults = table(Fault("a", FaultKind.CLOCK_SKEW, MINUTE_MS, 2 * MINUTE_MS, -90.5))
    assert shown_times(faults, devices, times).tolist() == [0, -30_500, 2 * MINUTE_MS]


def test_a_reset_clock_jumps_to_its_amount_and_runs_on_from_there() -> None:
    devices, times = minutes(5)
    faults = table(
        Fault("a", FaultKind.CLOCK_RESET, MINUTE_MS + 1, 4 * MINUTE_MS, 946_684_800.0),
        Fault("b", FaultKind.CLOCK_RESET, 0, DAY_MS, 5.0),
    )
    first = 946_684_800_000 + MINUTE_MS - 1
    shown = shown_times(faults, devices, times).tolist()
    assert shown == [0, MINUTE_MS, first, first + MINUTE_MS, 4 * MINUTE_MS]


def test_a_wrong_scale_multiplies_what_is_shown_while_it_lasts() -> None:
    devices, times = minutes(4)
    faults = table(Fault("a", FaultKind.SCALE, MINUTE_MS, 3 * MINUTE_MS, 10.0))
    shown = scaled(faults, devices, times, np.array([1.0, 2.0, np.nan, 4.0]))
    assert np.array_equal(shown, [1.0, 20.0, np.nan, 4.0], equal_nan=True)


_faults = st.builds(
    lambda target, start, length: Fault(target, FaultKind.BIAS, start, start + length, 1.0),
    st.sampled_from("abcde"),
    st.integers(0, 50),
    st.integers(0, 20),
)


@given(
    st.lists(_faults, max_size=8),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), max_size=30),
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted),
)
def test_find_returns_what_a_loop_over_all_pairs_finds(
    faults: list[Fault], samples: list[tuple[int, int]], window: list[int]
) -> None:
    rows = sorted(sample for sample in samples if window[0] <= sample[1] <= window[1])
    devices = np.array([device for device, _ in rows], dtype=np.int64)
    times = np.array([time_ms for _, time_ms in rows], dtype=np.int64)
    found, struck = table(*faults).during(*window).find(FaultKind.BIAS, devices, times)
    assert list(zip(found.tolist(), struck.place.tolist(), strict=True)) == [
        (row, place)
        for place, fault in enumerate(faults)
        for row, (device, time_ms) in enumerate(rows)
        if DEVICES[fault.target] == device and fault.start_ms <= time_ms < fault.end_ms
    ]


def test_a_gateway_restarts_once_when_its_outage_ends() -> None:
    faults = table(Fault("g1", FaultKind.GATEWAY_OUTAGE, 10, 20))
    starts = [restarted(faults, start, start + 5).tolist() for start in (5, 10, 15, 20, 25)]
    assert starts == [[], [], [], [1], []]


@pytest.mark.parametrize(
    ("kinds", "sends"),
    [
        ([], 1),
        ([FaultKind.FRAME_LOSS], 0),
        ([FaultKind.FRAME_REPLAY], 2),
        ([FaultKind.FRAME_REPLAY, FaultKind.FRAME_LOSS], 0),
    ],
)
def test_frames_of_a_struck_gateway_are_lost_or_sent_twice(
    kinds: list[FaultKind], sends: int
) -> None:
    faults = table(*(Fault("g1", kind, 0, 100, 1.0) for kind in kinds))
    copies = copies_sent(faults, np.array([0, 1, 1]), 50, np.arange(3), chances)
    assert copies.tolist() == [1, sends, sends]


def reports(*rows: tuple[int, int]) -> Reports:
    """Rows of device and sample time; the value is the sample time."""
    device, time_ms = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return Reports(device, time_ms, time_ms * 1.0, time_ms)


def test_a_gateway_without_a_link_holds_what_it_hears_and_sends_it_sorted_when_it_is_back() -> None:
    faults = table(Fault("g1", FaultKind.LINK_OUTAGE, 10, 30, 0.0))
    gateway = np.array([0, 1, 1])
    sent, held = hold(reports(), reports((0, 11), (1, 12), (2, 13)), gateway, 15, faults)
    assert (sent.device.tolist(), held.device.tolist()) == ([0], [1, 2])
    sent, held = hold(held, reports((1, 22)), gateway, 29, faults)
    assert (len(sent.device), len(held.device)) == (0, 3)
    sent, held = hold(held, reports((0, 31), (2, 32)), gateway, 30, faults)
    assert list(zip(sent.device.tolist(), sent.time_ms.tolist(), strict=True)) == [
        (0, 31),
        (1, 12),
        (1, 22),
        (2, 13),
        (2, 32),
    ]
    assert len(held.device) == 0


@pytest.mark.parametrize(("time_ms", "sends"), [(29, 1), (30, 2)])
def test_frames_are_sent_twice_when_a_link_is_back(time_ms: int, sends: int) -> None:
    faults = table(Fault("g1", FaultKind.LINK_OUTAGE, 10, 30, 1.0))
    copies = copies_sent(faults, np.array([0, 1, 1]), time_ms, np.arange(3), chances)
    assert copies.tolist() == [1, sends, sends]


def test_devices_and_gateways_are_told_apart_by_kind() -> None:
    with pytest.raises(KeyError, match="g0"):
        table(Fault("g0", FaultKind.STUCK, 0, 1))
    with pytest.raises(KeyError, match="'a'"):
        table(Fault("a", FaultKind.FRAME_LOSS, 0, 1))
