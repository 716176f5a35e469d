from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.devices.faults import Fault, FaultKind
from sensors.errors import RegistryError
from sensors.readings import Floats
from sensors.registry import Device, Registry
from simulator.errors import InjectionError
from simulator.fleet import HEARTBEAT_MS, Fleet, FleetTick

START_MS = 1_750_000_000_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
NONE = float("nan")
PRESSURE = Device(
    id="P1",
    kind="network_pressure",
    quantity="pressure",
    domain="water",
    area="D01",
    element="J1",
    gateway="G1",
    x_m=0.0,
    y_m=0.0,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    range_low=0.0,
    range_high=1.6,
    accuracy=0.002,
    resolution=0.0001,
    alarm_low=0.14,
    alarm_high=NONE,
    max_step=0.6,
)
FLOW = replace(
    PRESSURE,
    id="F1",
    kind="dma_flow",
    quantity="flow",
    alarm_interval_s=300,
    upload_s=3600,
    range_low=-6000.0,
    range_high=6000.0,
    accuracy=0.5,
    resolution=0.01,
    alarm_low=NONE,
    max_step=2000.0,
)
PUMP = replace(
    FLOW, id="S1", quantity="pump_state", interval_s=60, upload_s=0, accuracy=0.0, resolution=1.0
)
EXACT = replace(PRESSURE, accuracy=0.0)
"""A pressure device without errors of its own."""
TOWN = (PRESSURE, FLOW, PUMP, replace(PRESSURE, id="P2", gateway="G2", area="D02"))

Sample = tuple[str, int, float]


def fleet(*devices: Device, seed: int = 1, **options: object) -> Fleet:
    return Fleet(Registry.of(devices), seed, calibrated_ms=START_MS, **options)  # type: ignore[arg-type]


def run(
    fleet: Fleet, truth: Sequence[float] | Floats, minutes: int, step_min: int = 1
) -> list[FleetTick]:
    """Tick through steady truth."""
    column = np.asarray(truth, dtype=np.float64)
    starts = range(START_MS, START_MS + minutes * MINUTE_MS, step_min * MINUTE_MS)
    return [fleet.tick(at, at + step_min * MINUTE_MS, column, column) for at in starts]


def samples(fleet: Fleet, ticks: Iterable[FleetTick]) -> list[Sample]:
    """Every reading sent, once, by device and time."""
    ids = fleet.registry.ids
    frames = {frame.id: frame for tick in ticks for frame in tick.frames}
    rows = [
        (ids[device], time_ms, value)
        for frame in frames.values()
        for device, time_ms, value in zip(
            frame.batch.device.tolist(),
            frame.batch.time_ms.tolist(),
            frame.batch.value.tolist(),
            strict=True,
        )
    ]
    return sorted(rows)


def times_of(fleet: Fleet, ticks: Iterable[FleetTick]) -> list[int]:
    return [time_ms for _, time_ms, _ in samples(fleet, ticks)]


def test_two_runs_are_equal_and_another_seed_differs() -> None:
    truth = [0.4, 120.0, 1.0, 0.4]
    one, same, other = (
        samples(town, run(town, truth, 120))
        for town in (fleet(*TOWN), fleet(*TOWN), fleet(*TOWN, seed=2))
    )
    assert one == same
    assert not {row for row in one if row[0] != "S1"} & set(other)


@given(st.permutations(range(4)), st.booleans())
@settings(max_examples=20)
def test_other_devices_do_not_change_a_devices_numbers(order: list[int], is_alone: bool) -> None:
    truth = {"P1": 0.4, "F1": 120.0, "S1": 1.0, "P2": 0.13}
    devices = [TOWN[place] for place in order][: 1 if is_alone else 4]
    town, whole = fleet(*devices), fleet(*TOWN)
    few = samples(town, run(town, [truth[device.id] for device in devices], 60, 30))
    every = samples(whole, run(whole, [truth[device.id] for device in TOWN], 60, 30))
    ids = {device.id for device in devices}
    assert few == [row for row in every if row[0] in ids]


FAULTS = (
    Fault("P1", FaultKind.STUCK, START_MS + 20 * MINUTE_MS, START_MS + 50 * MINUTE_MS),
    Fault("P1", FaultKind.SPIKE, START_MS + 2 * MINUTE_MS, START_MS + HOUR_MS, 0.2),
    Fault("P1", FaultKind.NOISE, START_MS, START_MS + HOUR_MS, 0.01),
    Fault("P2", FaultKind.DROPOUT, START_MS, START_MS + HOUR_MS, 0.3),
    Fault("P2", FaultKind.OUTAGE, START_MS + 15 * MINUTE_MS, START_MS + 25 * MINUTE_MS),
    Fault("F1", FaultKind.DRIFT, START_MS, START_MS + HOUR_MS, 50.0),
    Fault("S1", FaultKind.CLOCK_SKEW, START_MS + 7_000, START_MS + HOUR_MS, 75.0),
)


@given(
    st.lists(st.integers(1, HOUR_MS - 1), max_size=12, unique=True),
    st.sampled_from([(0.4, 0.4), (0.4, 0.1), (0.1, 0.2), (0.4, NONE)]),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_where_ticks_begin_and_end_does_not_change_the_samples(
    cuts: list[int], ends: tuple[float, float], has_faults: bool
) -> None:
    begin, end = (np.array([level, 300 * level, 1.0, level / 2]) for level in ends)
    faults = FAULTS if has_faults else ()
    whole, cut = fleet(*TOWN, faults=faults), fleet(*TOWN, faults=faults)
    edges = [0, *sorted(cuts), HOUR_MS]
    middle = {edge: begin + (end - begin) * (edge / HOUR_MS) for edge in edges}
    ticks = [cut.tick(START_MS + a, START_MS + b, middle[a], middle[b]) for a, b in pairwise(edges)]
    once = whole.tick(START_MS, START_MS + HOUR_MS, begin, end)
    assert samples(cut, ticks) == samples(whole, [once])
    assert sum(tick.sampled for tick in ticks) == once.sampled
    assert sum(tick.dropped_readings for tick in ticks) == once.dropped_readings


@pytest.mark.parametrize("block", [1, 3, 50])
def test_the_size_of_a_working_block_does_not_change_the_samples(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    truth = [0.4, 120.0, 1.0, 0.1]
    whole, cut = fleet(*TOWN, faults=FAULTS), fleet(*TOWN, faults=FAULTS)
    expected = samples(whole, run(whole, truth, 60, 15))
    monkeypatch.setattr("simulator.fleet._BLOCK", block)
    assert samples(cut, run(cut, truth, 60, 15)) == expected


def test_values_run_straight_between_the_ends_of_a_tick() -> None:
    one = fleet(replace(EXACT, interval_s=1, alarm_interval_s=0, resolution=0.0), report_delta={})
    tick = one.tick(START_MS, START_MS + 10_000, np.array([0.2]), np.array([0.3]))
    assert [value for _, _, value in samples(one, [tick])] == pytest.approx(
        [0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.27, 0.28, 0.29, 0.30], abs=1e-6
    )


def test_devices_stray_and_scatter_as_far_as_their_data_sheet_says() -> None:
    devices = [replace(PRESSURE, id=f"P{n}", interval_s=600) for n in range(400)]
    town = fleet(*devices, report_delta={})
    rows = samples(town, run(town, np.full(400, 0.4), 1440, 1440))
    errors = np.array([value for _, _, value in rows]).reshape(400, -1) - 0.4
    # 10 min apart the noise has forgotten itself (e^-10); spread of means: offset and gain.
    assert errors.std(axis=1).mean() == pytest.approx(0.002, rel=0.02)
    expected = 0.002 * np.sqrt(0.5**2 + (0.5 * 0.4 / 1.6) ** 2 + 1 / 144)
    assert errors.mean(axis=1).std() == pytest.approx(expected, rel=0.15)


def test_a_crossed_limit_is_reported_within_the_alarm_interval_and_so_is_the_recovery() -> None:
    one = fleet(EXACT, report_delta={})
    levels = [0.4] * 20 + [0.1] * 7 + [0.4] * 20
    reported = [
        len(samples(one, run_once(one, minute, level))) for minute, level in enumerate(levels)
    ]
    assert reported[20:28] == [1] * 8
    assert sum(reported[:20]) == 4
    assert sum(reported[28:]) <= 4


def run_once(fleet: Fleet, minute: int, level: float) -> list[FleetTick]:
    at, column = START_MS + minute * MINUTE_MS, np.array([level])
    return [fleet.tick(at, at + MINUTE_MS, column, column)]


def test_a_sudden_drop_above_the_limit_is_reported_at_once_and_watched() -> None:
    one = fleet(EXACT)
    levels = [0.40] * 20 + [0.36] * 30
    reported = [
        len(samples(one, run_once(one, minute, level))) for minute, level in enumerate(levels)
    ]
    assert reported[20:36] == [1] * 16
    assert sum(reported[36:]) <= 3


def test_late_batches_keep_their_sample_times() -> None:
    one = fleet(FLOW)
    ticks = run(one, [120.0], 180)
    batches = [tick for tick in ticks if tick.readings]
    sent = [frame.sent_ms for tick in batches for frame in tick.frames]
    assert len(batches) == 3
    assert np.diff(sent).tolist() == [HOUR_MS, HOUR_MS]
    assert np.diff(times_of(one, ticks)).tolist() == [300_000] * (len(times_of(one, ticks)) - 1)
    for tick in batches[1:]:
        times = tick.frames[0].batch.time_ms
        assert len(times) == 12
        assert HOUR_MS - 6 * MINUTE_MS < tick.frames[0].sent_ms - times[0] < HOUR_MS + MINUTE_MS
    assert one.waiting == 36 - sum(tick.readings for tick in ticks)


def test_without_supply_pressure_reads_nought_and_other_devices_nothing() -> None:
    town = fleet(EXACT, replace(FLOW, upload_s=0))
    rows = samples(town, run(town, [NONE, NONE], 30))
    assert {device for device, _, _ in rows} == {"P1"}
    assert {value for _, _, value in rows} == {0.0}


def test_a_pump_that_starts_within_a_tick_reads_one_from_its_middle_on() -> None:
    one = fleet(PUMP)
    tick = one.tick(START_MS, START_MS + HOUR_MS, np.zeros(1), np.ones(1))
    states = [
        (time_ms - START_MS > HOUR_MS / 2, value) for _, time_ms, value in samples(one, [tick])
    ]
    assert set(states) == {(False, 0.0), (True, 1.0)}


@pytest.mark.parametrize("size", [1, 7, 100])
def test_frames_are_numbered_sorted_and_of_one_gateway(size: int) -> None:
    devices = [replace(EXACT, id=f"P{n:02d}", gateway=f"G{n % 3}") for n in range(40)]
    town = fleet(*devices, frame_size=size)
    gateways = town.registry.texts("gateway")
    for tick in run(town, np.full(40, 0.4), 20, 5):
        ids = [frame.id for frame in tick.frames]
        assert ids == sorted(ids)
        for frame in tick.frames:
            assert 0 < len(frame.batch) <= size
            assert {gateways[number] for number in frame.batch.device} == {frame.id.gateway}
            keys = list(zip(frame.batch.device.tolist(), frame.batch.time_ms.tolist(), strict=True))
            assert keys == sorted(keys)
        ticks_ids = Counter(frame.id.gateway for frame in tick.frames)
        assert len(ids) == sum(ticks_ids.values()) == len(set(ids))
    assert town.gateway_topics == {f"G{n}": ("D01", "water") for n in range(3)}


def test_seq_runs_on_from_tick_to_tick() -> None:
    one = fleet(EXACT)
    seqs = [frame.id.seq for tick in run(one, [0.4], 30) for frame in tick.frames]
    assert seqs == list(range(6))


def test_an_outage_sends_nothing_and_a_mended_device_goes_on() -> None:
    one = fleet(EXACT)
    one.inject(Fault("P1", FaultKind.OUTAGE, START_MS, START_MS + DAY_MS))
    assert times_of(one, run(one, [0.4], 20)) == []
    assert one.mend("P1", START_MS + 20 * MINUTE_MS) == 1
    column = np.array([0.4])
    later = one.tick(START_MS + 20 * MINUTE_MS, START_MS + 40 * MINUTE_MS, column, column)
    assert later.readings == 4
    assert one.fault_truth()[0][0].end_ms == START_MS + 20 * MINUTE_MS


def test_an_injected_fault_does_not_disturb_a_running_one() -> None:
    one = fleet(PRESSURE, faults=[Fault("P1", FaultKind.STUCK, START_MS, START_MS + DAY_MS)])
    first = samples(one, run(one, [0.4], 10))
    one.inject(Fault("P1", FaultKind.CLOCK_SKEW, START_MS, START_MS + 1, 5.0))
    column = np.array([0.5])
    later = one.tick(START_MS + 10 * MINUTE_MS, START_MS + HOUR_MS, column, column)
    assert {value for _, _, value in samples(one, [later])} == {value for _, _, value in first}


def test_clock_skew_moves_the_sample_times() -> None:
    right = fleet(EXACT)
    wrong = fleet(EXACT, faults=[Fault("P1", FaultKind.CLOCK_SKEW, 0, 2 * START_MS, 90.0)])
    shifted = [time_ms + 90_000 for time_ms in times_of(right, run(right, [0.4], 60))]
    assert times_of(wrong, run(wrong, [0.4], 60)) == shifted


def test_a_wrong_scale_is_sent_and_a_stuck_device_holds_it() -> None:
    until_ms = START_MS + HOUR_MS
    scale = Fault("P1", FaultKind.SCALE, START_MS, until_ms, 10.0)
    stuck = Fault("P1", FaultKind.STUCK, START_MS, until_ms)
    one = fleet(EXACT, faults=[scale, stuck])
    assert {value for _, _, value in samples(one, run(one, [0.4], 60))} == {4.0}


def test_every_reading_is_received_or_declared_lost() -> None:
    devices = [
        replace(EXACT, id=f"P{n:03d}", gateway=f"G{n % 4}", interval_s=60) for n in range(200)
    ]
    end_ms = START_MS + DAY_MS
    lossy = fleet(
        *devices,
        frame_size=10,
        faults=[
            Fault("G0", FaultKind.FRAME_LOSS, START_MS, end_ms, 0.2),
            Fault("G1", FaultKind.FRAME_REPLAY, START_MS, end_ms, 0.3),
            Fault(
                "G2", FaultKind.GATEWAY_OUTAGE, START_MS + 5 * MINUTE_MS, START_MS + HOUR_MS // 2
            ),
            Fault("P003", FaultKind.DROPOUT, START_MS, end_ms, 0.5),
        ],
    )
    ticks = run(lossy, np.full(200, 0.4), 60)
    received = len(samples(lossy, ticks))
    lost, dropped = (
        sum(getattr(tick, name) for tick in ticks) for name in ("lost_readings", "dropped_readings")
    )
    assert received == sum(tick.readings for tick in ticks)
    assert received + lost + dropped == 200 * 60
    copies = Counter(frame.id for tick in ticks for frame in tick.frames)
    assert sum(tick.duplicates for tick in ticks) == len([n for n in copies.values() if n == 2])
    assert {identity.gateway for identity, sends in copies.items() if sends == 2} == {"G1"}
    seqs = {identity.seq for identity in copies if identity.gateway == "G0"}
    lost_frames = sum(tick.lost_frames for tick in ticks)
    assert lost_frames == pytest.approx(0.2 * 300, abs=5 * np.sqrt(300 * 0.16))
    assert len(seqs) + lost_frames == 300
    boots = [identity.boot for identity in copies if identity.gateway == "G2"]
    assert sorted(set(boots)) == [0, 1]
    assert dropped == pytest.approx(30, abs=5 * np.sqrt(15))


@pytest.mark.parametrize("step_min", [1, 10])
def test_a_link_outage_delays_readings_and_loses_none(step_min: int) -> None:
    devices = [
        replace(EXACT, id=f"P{n:03d}", gateway=f"G{n % 4}", interval_s=60) for n in range(40)
    ]
    back_ms = START_MS + 40 * MINUTE_MS
    cut = [
        Fault(f"G{n}", FaultKind.LINK_OUTAGE, START_MS + 10 * MINUTE_MS, back_ms, 0.5, "station")
        for n in (1, 2)
    ]
    whole, torn = fleet(*devices), fleet(*devices, faults=cut, frame_size=10)
    truth = np.full(40, 0.4)
    calm, storm = run(whole, truth, 60, step_min), run(torn, truth, 60, step_min)
    assert samples(torn, storm) == samples(whole, calm)
    assert [tick.lost_readings for tick in storm] == [0] * len(storm)
    silent = [
        tick for tick in storm if not {"G1", "G2"} & {frame.id.gateway for frame in tick.frames}
    ]
    assert len(silent) == 30 // step_min
    late = max(storm, key=lambda tick: tick.readings)
    assert {frame.sent_ms for frame in late.frames} == {back_ms}
    held = 20 * 31 if step_min == 1 else 20 * 40
    assert late.readings == held + 20 * step_min
    assert [tick.duplicates > 0 for tick in storm] == [tick is late for tick in storm]
    held_frames = 62 if step_min == 1 else 80
    assert abs(late.duplicates - held_frames / 2) < 5 * np.sqrt(held_frames / 4)


def test_readings_held_at_a_gateway_are_waiting() -> None:
    one = fleet(EXACT, faults=[Fault("G1", FaultKind.LINK_OUTAGE, START_MS, START_MS + DAY_MS)])
    ticks = run(one, [0.4], 60)
    assert (len(samples(one, ticks)), one.waiting) == (0, 12)


@pytest.mark.parametrize("step_min", [60, 1440])
def test_batteries_are_reported_twice_a_day_and_run_down(step_min: int) -> None:
    town = fleet(*TOWN)
    statuses = [
        status
        for tick in run(town, [0.4, 120.0, 1.0, 0.4], 3 * 1440, step_min)
        for status in tick.statuses
    ]
    assert Counter(status.device for status in statuses) == {device.id: 6 for device in TOWN}
    own = [status for status in statuses if status.device == "P1"]
    assert np.diff([status.time_ms for status in own]).tolist() == [HEARTBEAT_MS] * 5
    assert 0.5 < own[-1].battery < own[0].battery <= 1.0
    assert statuses == sorted(statuses, key=lambda status: status.time_ms)


@pytest.mark.parametrize("kind", [FaultKind.GATEWAY_OUTAGE, FaultKind.LINK_OUTAGE])
def test_a_dead_device_or_gateway_has_no_heartbeat(kind: FaultKind) -> None:
    end_ms = START_MS + DAY_MS
    town = fleet(
        *TOWN,
        faults=[
            Fault("S1", FaultKind.OUTAGE, START_MS, end_ms),
            Fault("G2", kind, START_MS, end_ms),
        ],
    )
    ticks = run(town, [0.4, 120.0, 1.0, 0.4], 1440, 60)
    assert {status.device for tick in ticks for status in tick.statuses} == {"P1", "F1"}


def test_fault_truth_names_areas_in_the_order_of_time() -> None:
    late = Fault("P1", FaultKind.STUCK, START_MS + 5, START_MS + 9)
    early = Fault("G2", FaultKind.FRAME_LOSS, START_MS, START_MS + 9, 0.1)
    assert fleet(*TOWN, faults=[late, early]).fault_truth() == [(early, "D02"), (late, "D01")]


@pytest.mark.parametrize(
    ("kind", "target"), [(FaultKind.STUCK, "P9"), (FaultKind.FRAME_LOSS, "P1")]
)
def test_a_fault_of_something_unknown_is_refused(kind: FaultKind, target: str) -> None:
    with pytest.raises(InjectionError, match=target):
        fleet(*TOWN).inject(Fault(target, kind, 0, 1))


def test_a_gateway_of_two_areas_is_refused() -> None:
    with pytest.raises(RegistryError, match="G1"):
        fleet(PRESSURE, replace(PRESSURE, id="P2", area="D02"))


def test_time_does_not_go_back() -> None:
    one = fleet(EXACT)
    run(one, [0.4], 2)
    with pytest.raises(ValueError, match="must run on"):
        run(one, [0.4], 1)


def test_truth_of_another_registry_is_refused() -> None:
    with pytest.raises(ValueError, match="one true value"):
        run(fleet(EXACT), [0.4, 0.4], 1)


def test_a_gap_between_ticks_skips_its_samples() -> None:
    one = fleet(EXACT)
    run(one, [0.4], 5)
    column, later_ms = np.array([0.4]), START_MS + DAY_MS
    tick = one.tick(later_ms, later_ms + HOUR_MS, column, column)
    assert tick.sampled == 60
    assert tick.readings == 12
