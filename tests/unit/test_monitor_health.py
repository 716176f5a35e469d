"""The monitor: health of the devices, and what the intake counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SnapshotError
from pipeline.messages import HealthKind
from pipeline.monitor.intake import Intake
from sensors.codecs import CODEC_NAMES, codec_named
from sensors.errors import RejectReason
from sensors.field import DeviceStatus
from sensors.readings import Quality
from sensors.registry import Registry
from tests.conformance.pressure_devices import (
    SAMPLE_MS,
    START_MS,
    frame_of,
    pressure_registry,
)
from tests.unit.monitor_stories import MINUTE_MS, checked, feed, health, monitor

# health


def test_device_is_offline_when_its_limit_has_passed_and_not_before() -> None:
    stage = monitor()
    feed(stage, frame_of([(0, START_MS, 0.3)]))
    due_ms = START_MS + 900_000
    assert stage.next_due() == due_ms
    assert feed(stage, now_ms=due_ms - 1) == []
    assert health(feed(stage, now_ms=due_ms)) == [("WP-D01-0000", HealthKind.OFFLINE, True)]
    assert feed(stage, now_ms=due_ms + 1) == []
    assert stage.next_due() is None


def test_device_never_heard_is_offline_counted_from_the_start() -> None:
    stage = monitor()
    assert feed(stage) == []
    assert len(health(feed(stage, now_ms=START_MS + 900_000))) == 1


def test_device_that_speaks_again_recovers() -> None:
    stage = monitor()
    feed(stage)
    feed(stage, now_ms=START_MS + 900_000)
    now_ms = START_MS + 960_000
    outputs = feed(stage, frame_of([(0, now_ms, 0.3)]), now_ms=now_ms)
    assert health(outputs) == [("WP-D01-0000", HealthKind.OFFLINE, False)]


def test_device_that_uploads_in_batches_is_measured_by_its_uploads() -> None:
    stage = monitor(pressure_registry(1, upload_s=3600))
    feed(stage)
    assert stage.next_due() == START_MS + 3 * 3_600_000


def test_late_batch_is_flagged_but_no_fault_of_a_device_that_uploads() -> None:
    old_ms = START_MS - 3_600_000
    batching, prompt = pressure_registry(1, upload_s=3600), pressure_registry(1)
    outputs = [feed(monitor(r), frame_of([(0, old_ms, 0.3)])) for r in (batching, prompt)]
    assert [checked(one).quality.tolist() for one in outputs] == [[Quality.LATE]] * 2
    assert [health(one) for one in outputs] == [[], [("WP-D01-0000", HealthKind.LATE, True)]]


def test_mass_outage_gives_one_health_change_a_device_by_number() -> None:
    registry = pressure_registry(1000)
    stage = monitor(registry)
    feed(stage, frame_of([(number, START_MS, 0.3) for number in range(1000)]))
    outputs = feed(stage, now_ms=START_MS + 900_000)
    assert health(outputs) == [(device, HealthKind.OFFLINE, True) for device in registry.ids]


def test_spike_is_a_health_matter_only_once_it_has_returned() -> None:
    stage = monitor()
    said = []
    for number, value in enumerate([0.5, 0.9, 0.5, 0.5, 0.1, 0.1]):
        now_ms = START_MS + number * SAMPLE_MS
        said.append(health(feed(stage, frame_of([(0, now_ms, value)], number), now_ms=now_ms)))
    on, off = ((("WP-D01-0000", HealthKind.SPIKE, is_on)) for is_on in (True, False))
    assert said == [[], [], [on], [off], [], []]


def test_stuck_and_range_go_on_and_off_with_the_newest_sample() -> None:
    stage = monitor()
    kinds = []
    for number, value in enumerate([0.5] * 12 + [1.7, 0.6]):
        now_ms = START_MS + number * MINUTE_MS
        kinds += health(feed(stage, frame_of([(0, now_ms, value)], number), now_ms=now_ms))
    assert [(kind, is_on) for _, kind, is_on in kinds] == [
        (HealthKind.STUCK, True),
        (HealthKind.RANGE, True),
        (HealthKind.STUCK, False),
        (HealthKind.RANGE, False),
    ]


def test_battery_goes_low_and_recovers_with_a_band_between() -> None:
    stage = monitor()
    said = [
        health(feed(stage, DeviceStatus("WP-D01-0000", START_MS, battery)))
        for battery in (0.21, 0.19, 0.22, 0.19, 0.25)
    ]
    low, good = (("WP-D01-0000", HealthKind.BATTERY, is_on) for is_on in (True, False))
    assert said == [[], [low], [], [], [good]]


def test_newest_status_of_a_tick_counts_whatever_the_order() -> None:
    statuses = [DeviceStatus("WP-D01-0000", START_MS + n, b) for n, b in ((1, 0.1), (0, 0.9))]
    assert len(health(feed(monitor(), *statuses))) == 1
    assert len(health(feed(monitor(), *reversed(statuses)))) == 1


def test_statuses_that_make_no_sense_are_counted() -> None:
    stage = monitor()
    bad = (float("nan"), -0.1, 1.1)
    feed(stage, *(DeviceStatus("WP-D01-0000", START_MS, battery) for battery in bad))
    feed(stage, DeviceStatus("nobody", START_MS, 0.5))
    assert (stage.counts.bad_status, stage.counts.unknown_device) == (3, 1)


def test_what_waits_is_due_at_once() -> None:
    stage = monitor()
    stage.on_batch([frame_of([(0, START_MS, 0.3)])], START_MS)
    assert stage.next_due() == START_MS


def test_snapshot_of_another_registry_is_refused() -> None:
    with pytest.raises(SnapshotError, match="of 2 devices, the registry has 1"):
        monitor().restore(monitor(pressure_registry(2)).snapshot())


# intake


def intake(registry: Registry) -> Intake:
    return Intake({name: codec_named(name, registry) for name in CODEC_NAMES})


@pytest.mark.parametrize("codec", CODEC_NAMES)
def test_intake_decodes_what_the_codec_encodes(codec: str) -> None:
    registry = pressure_registry()
    frame = frame_of([(0, START_MS, 0.3)])
    payload = codec_named(codec, registry).encode(frame)
    door = intake(registry)
    decoded = door.decode(codec, "g-D01", payload, START_MS)
    assert decoded is not None
    assert decoded.id == frame.id
    assert decoded.batch.value.tolist() == pytest.approx([0.3])
    assert door.rejected == {}


def test_intake_refuses_a_frame_of_another_gateway_and_counts_its_readings() -> None:
    registry = pressure_registry()
    frame = frame_of([(0, START_MS, 0.3), (0, START_MS + 1, 0.3)])
    payload = codec_named("senml_json", registry).encode(frame)
    door = intake(registry)
    assert door.decode("senml_json", "g-other", payload, START_MS) is None
    assert door.rejected == {RejectReason.BAD_TOPIC: 2}


def test_intake_counts_an_unknown_codec() -> None:
    door = intake(pressure_registry())
    assert door.decode("morse", "g-D01", b"", START_MS) is None
    assert door.rejected == {RejectReason.UNKNOWN_CODEC: 1}


@given(payload=st.binary(max_size=200), codec=st.sampled_from(CODEC_NAMES))
def test_intake_counts_malformed_bytes_and_goes_on(payload: bytes, codec: str) -> None:
    door = intake(pressure_registry())
    assert door.decode(codec, "g-D01", payload, START_MS) is None
    assert sum(door.rejected.values()) == 1


def test_intake_counts_refused_readings_of_a_frame_it_takes() -> None:
    registry = pressure_registry(2)
    payload = codec_named("senml_json", registry).encode(
        frame_of([(0, START_MS, 0.3), (1, START_MS, 0.3)])
    )
    door = intake(registry)
    frame = door.decode(
        "senml_json", "g-D01", payload.replace(b"WP-D01-0001", b"WP-D01-0009"), START_MS
    )
    assert frame is not None
    assert frame.batch.device.tolist() == [0]
    assert door.rejected == {RejectReason.UNKNOWN_DEVICE: 1}
