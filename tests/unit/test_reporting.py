from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.devices.faults import Fault, FaultKind, FaultTable
from sensors.devices.gateways import build_frames, cut_frames
from sensors.devices.reporting import (
    WATCH_MS,
    Reporting,
    ReportReason,
    Reports,
    ReportState,
    decide,
    first_after,
    is_periodic,
    release,
    upload_times,
)
from sensors.readings import FrameId, Int64s, ReadingBatch

NO_FAULTS = FaultTable.of((), {}, {})
NOT_SENT, PERIODIC, WATCH, CHANGE, RECOVERY, ALARM = ReportReason


def device(
    interval_s: float = 300,
    alarm_interval_s: float = 60,
    upload_s: float = 0,
    low: float = 0.14,
    high: float = np.nan,
    delta: float = 0.03,
    phases: tuple[float, float] = (0.0, 0.0),
) -> Reporting:
    """One device; its grids begin at the epoch."""
    one = [np.array([v]) for v in (interval_s, alarm_interval_s, upload_s, low, high, delta)]
    draws = np.array([phases[0]]), np.array([phases[1]])
    return Reporting.drawn(one[0], one[1], one[2], (one[3], one[4]), one[5], draws)


def reasons(reporting: Reporting, values: Sequence[float], first_ms: int = 60_000) -> list[int]:
    """Why one device sends each of its successive looks."""
    times = first_ms + int(reporting.step_ms[0]) * np.arange(len(values))
    rows = np.zeros(len(values), dtype=np.int64)
    periodic = is_periodic(reporting, rows, times)
    state = ReportState.fresh(1)
    return decide(reporting, state, rows, times, np.array(values), periodic)[0].tolist()


def test_a_quiet_device_reports_at_its_normal_interval() -> None:
    assert reasons(device(), [0.4] * 10) == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def test_a_device_crossing_its_limit_reports_at_once_and_goes_on_at_its_alarm_interval() -> None:
    values = [0.150, 0.139, 0.138, 0.137, 0.136, 0.135, 0.134]
    assert reasons(device(), values) == [0] + [ALARM] * 6


def test_a_device_reports_once_when_it_is_back_within_its_limits() -> None:
    values = [0.139, 0.138, 0.141, 0.142, 0.143, 0.143]
    assert reasons(device(), values) == [ALARM, ALARM, RECOVERY, 0, PERIODIC, 0]


def test_the_high_limit_works_like_the_low_one() -> None:
    assert reasons(device(low=np.nan, high=0.6), [0.59, 0.61, 0.59]) == [0, ALARM, RECOVERY]


def test_a_step_is_reported_at_once_and_watched_for_its_time() -> None:
    looks = 3 + WATCH_MS // 60_000
    sent = reasons(device(interval_s=3600), [0.40, 0.36] + [0.36] * looks)
    assert sent == [0, CHANGE] + [WATCH] * (WATCH_MS // 60_000) + [0] * 3


@pytest.mark.parametrize("values", [[0.40, 0.375], [0.40, 0.42], [0.4, 0.38, 0.36, 0.34]])
def test_smaller_steps_are_not_reported(values: list[float]) -> None:
    assert not any(reasons(device(), values))


def test_a_device_without_limits_looks_at_its_normal_interval() -> None:
    reporting = device(low=np.nan, delta=np.nan)
    assert reporting.step_ms.tolist() == [300_000]
    assert reasons(reporting, [0.4, 0.1, 0.9]) == [PERIODIC] * 3


@given(st.integers(1, 900), st.integers(0, 900), st.floats(0, 0.999), st.integers(0, 10**9))
def test_each_normal_interval_has_exactly_one_periodic_sample(
    interval_s: int, alarm_s: int, phase: float, after_ms: int
) -> None:
    reporting = device(interval_s, alarm_s, phases=(phase, 0.0))
    step = int(reporting.step_ms[0])
    first = int(first_after(reporting, after_ms)[0])
    assert after_ms < first <= after_ms + step
    begin = int(reporting.phase_ms[0]) + 1000 * interval_s * 1_000_000
    times = np.arange(int(first_after(reporting, begin - 1)[0]), begin + 5000 * interval_s, step)
    periodic = times[is_periodic(reporting, np.zeros(len(times), dtype=np.int64), times)]
    assert ((periodic - begin) // (1000 * interval_s)).tolist() == [0, 1, 2, 3, 4]


def test_late_batches_leave_at_the_next_upload() -> None:
    reporting = device(upload_s=3600, phases=(0.0, 0.5))
    times = np.array([300_000, 1_800_000, 1_800_001, 5_400_000])
    rows, sent = np.zeros(4, dtype=np.int64), np.full(4, PERIODIC, dtype=np.uint8)
    leaves = upload_times(reporting, rows, times, sent)
    assert leaves.tolist() == [1_800_000, 1_800_000, 5_400_000, 5_400_000]


@pytest.mark.parametrize("reason", [WATCH, CHANGE, RECOVERY, ALARM])
def test_what_limits_ask_for_does_not_wait_for_the_late_batch(reason: ReportReason) -> None:
    row, times = np.zeros(1, dtype=np.int64), np.array([300_000])
    sent = np.array([reason], dtype=np.uint8)
    assert upload_times(device(upload_s=3600), row, times, sent).tolist() == [300_000]


@given(st.lists(st.sampled_from([0.1, 0.15, 0.16, 0.3]), max_size=60), st.integers(0, 60))
def test_cutting_the_samples_at_any_time_changes_no_reason(values: list[float], cut: int) -> None:
    reporting = device()
    rows = np.zeros(len(values), dtype=np.int64)
    times = 60_000 * np.arange(len(values))
    periodic = is_periodic(reporting, rows, times)
    column = np.array(values, dtype=np.float64)
    state, parts = ReportState.fresh(1), []
    for part in (slice(0, cut), slice(cut, None)):
        sent, state = decide(
            reporting, state, rows[part], times[part], column[part], periodic[part]
        )
        parts.append(sent)
    whole, after = decide(reporting, ReportState.fresh(1), rows, times, column, periodic)
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(state.value, after.value, equal_nan=True)
    assert np.array_equal(state.watch_until_ms, after.watch_until_ms)


def test_devices_do_not_mix() -> None:
    both = Reporting.drawn(
        *(np.array([v, v]) for v in (300.0, 60.0, 0.0)),
        (np.array([0.14, np.nan]), np.array([np.nan, np.nan])),
        np.array([np.nan, 0.03]),
        (np.zeros(2), np.zeros(2)),
    )
    rows, times = np.array([0, 0, 1, 1]), np.array([60_000, 120_000, 60_000, 120_000])
    values = np.array([0.4, 0.1, 0.4, 0.1])
    sent, state = decide(
        both, ReportState.fresh(2), rows, times, values, np.zeros(4, dtype=np.bool_)
    )
    assert sent.tolist() == [0, ALARM, 0, CHANGE]
    assert state.watch_until_ms.tolist()[1] == 120_000 + WATCH_MS
    assert state.watch_until_ms[0] < 0


def reports(*rows: tuple[int, int, int]) -> Reports:
    """Rows of device, sample time, time it leaves; the value is the sample time."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Reports(columns[0], columns[1], columns[1] * 1.0, columns[2])


def test_release_keeps_what_waits_and_sorts_what_leaves() -> None:
    kept, fresh = reports((2, 10, 40), (3, 10, 90)), reports((1, 35, 35), (2, 30, 40), (3, 30, 90))
    sent, kept = release(kept, fresh, 40, NO_FAULTS)
    assert list(zip(sent.device.tolist(), sent.time_ms.tolist(), strict=True)) == [
        (1, 35),
        (2, 10),
        (2, 30),
    ]
    assert kept.time_ms.tolist() == [10, 30]


def test_a_device_without_power_sends_its_batch_when_it_is_back() -> None:
    faults = FaultTable.of([Fault("a", FaultKind.OUTAGE, 30, 60)], {"a": 0}, {})
    sent, kept = release(reports((0, 10, 40)), reports(), 50, faults)
    assert (len(sent.device), len(kept.device)) == (0, 1)
    sent, kept = release(kept, reports(), 60, faults)
    assert (sent.time_ms.tolist(), len(kept.device)) == ([10], 0)


def test_a_batch_sent_before_the_power_failed_is_not_kept_back() -> None:
    faults = FaultTable.of([Fault("a", FaultKind.OUTAGE, 45, 60)], {"a": 0}, {})
    sent, kept = release(reports((0, 10, 40)), reports(), 50, faults)
    assert (len(sent.device), len(kept.device)) == (1, 0)


@given(st.lists(st.integers(0, 12), min_size=4, max_size=4), st.integers(1, 5))
def test_frames_hold_each_reading_once_one_gateway_and_no_more_than_their_size(
    counts: list[int], size: int
) -> None:
    gateways = np.repeat(np.arange(4), counts)
    boot, next_seq = np.array([0, 1, 2, 3]), np.array([5, 0, 7, 9])
    cuts = cut_frames(gateways, size, boot, next_seq)
    rows = [r for b, e in zip(cuts.begin, cuts.end, strict=True) for r in range(int(b), int(e))]
    assert rows == list(range(len(gateways)))
    for gateway, begin, end in zip(cuts.gateway, cuts.begin, cuts.end, strict=True):
        assert 0 < end - begin <= size
        assert set(gateways[begin:end].tolist()) == {int(gateway)}
    for gateway in range(4):
        count = -(-counts[gateway] // size)
        own: Int64s = cuts.seq[cuts.gateway == gateway]
        assert own.tolist() == list(range(next_seq[gateway], next_seq[gateway] + count))
    assert np.array_equal(cuts.boot, boot[cuts.gateway])


def test_frames_are_built_as_often_as_they_are_sent() -> None:
    batch = ReadingBatch.of([4, 5, 6, 7], [1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])
    cuts = cut_frames(np.array([0, 0, 1, 1]), 1, np.array([0, 3]), np.array([10, 20]))
    frames = build_frames(cuts, np.array([1, 0, 2, 1]), ["g0", "g1"], batch, 99)
    assert [frame.id for frame in frames] == [
        FrameId("g0", 0, 10),
        FrameId("g1", 3, 20),
        FrameId("g1", 3, 20),
        FrameId("g1", 3, 21),
    ]
    assert [frame.batch.device.tolist() for frame in frames] == [[4], [6], [6], [7]]
    assert {frame.sent_ms for frame in frames} == {99}
