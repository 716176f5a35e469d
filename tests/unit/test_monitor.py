"""The monitor: repeats, gaps, order, and quality flags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.monitor.sequence import BOOTS, WINDOW, Arrival, FrameLedger
from sensors.readings import FrameId, Quality
from tests.conformance.pressure_devices import (
    SAMPLE_MS,
    START_MS,
    frame_of,
    pressure_registry,
)
from tests.unit.monitor_stories import MINUTE_MS, checked, feed, flags_of, health, monitor

# frames


def test_frames_are_new_once_and_duplicates_after() -> None:
    ledger = FrameLedger()
    kinds = [ledger.note(FrameId("g", 1, seq)) for seq in (0, 1, 1, 0, 2)]
    assert kinds == [
        Arrival.NEW,
        Arrival.NEW,
        Arrival.DUPLICATE,
        Arrival.DUPLICATE,
        Arrival.NEW,
    ]


@given(st.lists(st.integers(0, WINDOW), min_size=1, max_size=60))
def test_any_order_of_frames_counts_the_same(seqs: list[int]) -> None:
    ledger = FrameLedger()
    kinds = [ledger.note(FrameId("g", 1, seq)) for seq in seqs]
    assert kinds.count(Arrival.NEW) == len(set(seqs))
    assert kinds.count(Arrival.DUPLICATE) == len(seqs) - len(set(seqs))
    assert ledger.lost == max(seqs) + 1 - len(set(seqs))


def test_late_frame_fills_its_gap() -> None:
    ledger = FrameLedger()
    ledger.note(FrameId("g", 1, 0))
    ledger.note(FrameId("g", 1, 3))
    assert ledger.lost == 2
    assert ledger.note(FrameId("g", 1, 1)) is Arrival.NEW
    assert ledger.lost == 1


def test_frame_beyond_the_window_is_lost_for_good() -> None:
    ledger = FrameLedger()
    for seq in [*range(1, WINDOW + 2)]:
        ledger.note(FrameId("g", 1, seq))
    assert ledger.note(FrameId("g", 1, 0)) is Arrival.STALE
    assert ledger.lost == 1


def test_huge_jump_is_counted_without_being_stored() -> None:
    ledger = FrameLedger()
    ledger.note(FrameId("g", 1, 10**12))
    assert ledger.lost == 10**12
    assert len(ledger.gateways["g"][1].missing) == WINDOW


def test_each_boot_and_gateway_counts_by_itself() -> None:
    ledger = FrameLedger()
    frames = [FrameId("g", 1, 0), FrameId("g", 2, 0), FrameId("h", 1, 0)]
    assert [ledger.note(frame) for frame in frames] == [Arrival.NEW] * 3
    assert ledger.lost == 0


def test_frames_of_a_forgotten_boot_are_stale_and_its_gaps_stay_lost() -> None:
    ledger = FrameLedger()
    ledger.note(FrameId("g", 0, 2))
    for boot in range(1, BOOTS + 1):
        ledger.note(FrameId("g", boot, 0))
    assert ledger.note(FrameId("g", 0, 1)) is Arrival.STALE
    assert ledger.lost == 2


# counts


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(-1, 3), st.integers(0, 3), st.booleans()),
        max_size=30,
    )
)
def test_every_reading_is_counted_once(
    arrivals: list[tuple[int, int, int, bool]],
) -> None:
    stage = monitor(pressure_registry(3))
    for seq, device, minute, ends_tick in arrivals:
        frame = frame_of([(device, START_MS + minute * MINUTE_MS, 0.3)], seq)
        stage.on_batch([frame], START_MS)
        if ends_tick:
            stage.on_time(START_MS)
    stage.on_time(START_MS)
    counts = stage.counts
    total = counts.received + counts.duplicate + counts.stale + counts.unknown_device
    assert total == len(arrivals)


def test_repeated_frame_is_dropped_and_counted() -> None:
    stage = monitor(pressure_registry(2))
    frame = frame_of([(0, START_MS, 0.3), (1, START_MS, 0.3)])
    assert len(checked(feed(stage, frame, frame))) == 2
    assert feed(stage, frame) == []
    assert (stage.counts.received, stage.counts.duplicate) == (2, 4)
    assert (stage.counts.frames, stage.counts.duplicate_frames) == (1, 2)


def test_same_device_and_time_in_another_frame_is_dropped() -> None:
    stage = monitor()
    feed(stage, frame_of([(0, START_MS, 0.3)], 0))
    assert feed(stage, frame_of([(0, START_MS, 0.3)], 1)) == []
    assert (stage.counts.received, stage.counts.duplicate) == (1, 1)


def test_same_device_and_time_twice_in_a_tick_keeps_the_first_frame_s_value() -> None:
    frames = [frame_of([(0, START_MS, value)], seq) for seq, value in enumerate((0.3, 0.4))]
    for arrival in (frames, frames[::-1]):
        stage = monitor()
        assert checked(feed(stage, *arrival)).value.tolist() == [0.3]
        assert (stage.counts.received, stage.counts.duplicate) == (1, 1)


def test_gap_shows_in_the_counts_until_it_is_filled() -> None:
    stage = monitor()
    feed(stage, frame_of([(0, START_MS, 0.3)], 0), frame_of([(0, START_MS + 9, 0.3)], 2))
    assert stage.counts.lost_frames == 1
    feed(stage, frame_of([(0, START_MS + 8, 0.3)], 1))
    assert stage.counts.lost_frames == 0
    assert stage.counts.out_of_order == 1


def test_frames_of_a_tick_are_sorted_before_they_are_judged() -> None:
    stage = monitor(pressure_registry(2))
    later, earlier = START_MS, START_MS - MINUTE_MS
    outputs = feed(
        stage,
        frame_of([(1, later, 0.31), (0, later, 0.30)], 1),
        frame_of([(1, earlier, 0.33), (0, earlier, 0.32)], 0),
    )
    batch = checked(outputs)
    assert batch.device.tolist() == [0, 0, 1, 1]
    assert batch.value.tolist() == [0.32, 0.30, 0.33, 0.31]
    assert batch.quality.tolist() == [0, 0, 0, 0]


def test_readings_of_unknown_devices_are_counted_not_fatal() -> None:
    stage = monitor()
    outputs = feed(stage, frame_of([(-1, START_MS, 0.3), (7, START_MS, 0.3), (0, START_MS, 0.3)]))
    assert checked(outputs).device.tolist() == [0]
    assert stage.counts.unknown_device == 2


# quality


@pytest.mark.parametrize(
    ("age_ms", "value", "flag"),
    [
        (0, 0.3, Quality.GOOD),
        (0, 1.61, Quality.RANGE),
        (0, -0.01, Quality.RANGE),
        (0, float("nan"), Quality.RANGE),
        (-60_000, 0.3, Quality.GOOD),
        (-60_001, 0.3, Quality.SKEW),
        (600_000, 0.3, Quality.GOOD),
        (600_001, 0.3, Quality.LATE),
    ],
)
def test_doubtful_reading_gets_its_flag(age_ms: int, value: float, flag: Quality) -> None:
    stage = monitor()
    outputs = feed(stage, frame_of([(0, START_MS - age_ms, value)]))
    assert checked(outputs).quality.tolist() == [flag]
    expected = {} if flag is Quality.GOOD else {str(flag.name).lower(): 1}
    assert stage.counts.flagged == expected


def test_jump_that_returns_is_one_spike() -> None:
    assert flags_of([0.5, 0.9, 0.51, 0.5]) == [0, Quality.SPIKE, 0, 0]


def test_jump_that_stays_is_doubtful_only_once() -> None:
    assert flags_of([0.5, 0.1, 0.11, 0.1]) == [0, Quality.SPIKE, 0, 0]


def test_jumping_to_and_fro_is_a_spike_each_time() -> None:
    flags = flags_of([0.5, 0.9, 0.1, 0.9, 0.5])
    assert flags == [0, Quality.SPIKE, Quality.SPIKE, Quality.SPIKE, 0]


def test_value_out_of_range_is_no_reference_for_spikes() -> None:
    assert flags_of([0.5, 1.7, 0.51]) == [0, Quality.RANGE, 0]


def test_reading_out_of_order_is_no_reference_and_changes_no_health() -> None:
    stage = monitor()
    feed(stage, frame_of([(0, START_MS, 0.5)], 0))
    old = feed(stage, frame_of([(0, START_MS - 1000, 0.1)], 1))
    assert checked(old).quality.tolist() == [Quality.OUT_OF_ORDER]
    wrong = feed(stage, frame_of([(0, START_MS - 2000, 1.7)], 2))
    assert checked(wrong).quality.tolist() == [Quality.OUT_OF_ORDER | Quality.RANGE]
    assert health(old) == health(wrong) == []
    assert checked(feed(stage, frame_of([(0, START_MS + 1, 0.5)], 3))).quality.tolist() == [0]


def test_same_value_for_a_day_is_stuck() -> None:
    flags = flags_of([0.5] * 290, gap_ms=SAMPLE_MS)
    assert flags[:288] == [0] * 288
    assert flags[288:] == [Quality.STUCK] * 2


def test_same_value_at_alarm_rate_is_stuck_after_twelve_samples() -> None:
    flags = flags_of([0.5] * 13 + [0.51], gap_ms=MINUTE_MS)
    assert flags == [0] * 11 + [Quality.STUCK] * 2 + [0]


@pytest.mark.parametrize(
    ("device", "gap_ms"),
    [({"accuracy": 0.0}, SAMPLE_MS), ({"resolution": 0.01}, MINUTE_MS)],
    ids=["no noise", "noise below the display step, at alarm rate"],
)
def test_device_whose_noise_cannot_show_is_not_stuck(device: dict[str, float], gap_ms: int) -> None:
    assert set(flags_of([0.5] * 300, gap_ms=gap_ms, **device)) == {0}


@pytest.mark.parametrize("end", [0.0, 1.6])
def test_value_at_an_end_of_the_range_is_not_stuck(end: float) -> None:
    assert set(flags_of([end] * 20, gap_ms=MINUTE_MS)) == {0}


def test_sample_from_the_future_does_not_make_later_ones_old() -> None:
    stage = monitor()
    feed(stage, frame_of([(0, START_MS + 3_600_000, 0.3)], 0))
    assert checked(feed(stage, frame_of([(0, START_MS, 0.3)], 1))).quality.tolist() == [0]


values = st.sampled_from([0.3, 0.301, 0.5, 0.9, 1.3, 1.7])


@given(st.lists(st.tuples(values, st.sampled_from([60, 300])), min_size=1, max_size=40))
def test_one_batch_is_flagged_like_sample_by_sample(steps: list[tuple[float, int]]) -> None:
    times = START_MS + np.cumsum([gap for _, gap in steps]) * 1000
    now_ms = int(times[-1])
    readings = [(0, int(at), value) for at, (value, _) in zip(times, steps, strict=True)]
    at_once = checked(feed(monitor(), frame_of(readings), now_ms=now_ms))
    stage = monitor()
    one_by_one = [
        int(checked(feed(stage, frame_of([reading], seq), now_ms=now_ms)).quality[0])
        for seq, reading in enumerate(readings)
    ]
    assert at_once.quality.tolist() == one_by_one
