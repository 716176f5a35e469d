"""Warn: acceptance, frozen devices, suppression by design, draft warnings and the stage."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RuleError, SnapshotError
from pipeline.messages import (
    Alarm,
    AlarmFlood,
    DeviceHealth,
    HealthKind,
    Message,
    Samples,
    WarningNotice,
    WarningStatus,
)
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import RuleSet
from pipeline.warn.compile import SuppressionReason, compile_rules
from pipeline.warn.stage import WarnStage
from pipeline.warn.verdicts import AlarmReason
from sensors.levels import Level
from sensors.readings import Quality, Reading
from sensors.registry import Registry
from tests.conformance.pressure_devices import (
    SAMPLE_MS,
    START_MS,
    frame_of,
    pressure_device,
    pressure_registry,
    samples_of,
)
from tests.unit.warn_stories import (
    DROP,
    HEAD,
    MINUTE_MS,
    ONLY_DROP,
    ONLY_HEAD,
    RULES,
    C,
    P,
    R,
    W,
    X,
    alarms_of,
    feed,
    story,
    with_rule,
)

# acceptance


@pytest.mark.parametrize("max_step", [0.3, float("nan")], ids=["flagged", "not flagged"])
def test_spike_of_five_times_red_leaves_no_raised_alarm(max_step: float) -> None:
    registry = Registry.of([pressure_device(max_step=max_step)])
    monitor, warn = MonitorStage(registry, RULES.device), WarnStage(registry, RULES)
    said: list[Message] = []
    for number, value in enumerate([1.2, 1.2, 1.2, 0.2, 1.2, 1.2, 1.2, 1.2]):
        now_ms = START_MS + number * SAMPLE_MS
        monitor.on_batch([frame_of([(0, now_ms, value)], number)], now_ms)
        said += feed(warn, *monitor.on_time(now_ms), now_ms=now_ms)
    assert not any(isinstance(one, WarningNotice) for one in said)
    alarms = [one for one in said if isinstance(one, Alarm)]
    assert story(alarms) == [(P, Level.RED), (W, Level.RED)]
    assert alarms[1].reason == AlarmReason.DROP_RECOVERED


def test_late_batch_gives_old_sample_time_and_present_event_time() -> None:
    stage = WarnStage(pressure_registry(), ONLY_HEAD)
    now_ms = START_MS + 4 * 3_600_000
    readings = [Reading(0, START_MS + n * SAMPLE_MS, 0.01, Quality.LATE) for n in range(3)]
    alarm, _, draft = feed(stage, samples_of(readings, now_ms), now_ms=now_ms)
    assert isinstance(alarm, Alarm)
    assert isinstance(draft, WarningNotice)
    assert alarm.sample_ms == START_MS + SAMPLE_MS
    assert alarm.raised_ms == START_MS
    assert alarm.time_ms == draft.time_ms == now_ms


def test_silence_of_a_thousand_devices_colours_nothing() -> None:
    registry = pressure_registry(1000)
    monitor, warn = MonitorStage(registry, RULES.device), WarnStage(registry, RULES)
    first = frame_of([(number, START_MS, 0.3) for number in range(1000)])
    monitor.on_batch([first], START_MS)
    said = feed(warn, *monitor.on_time(START_MS))
    now_ms = START_MS + 900_000
    health = monitor.on_time(now_ms)
    said += feed(warn, *health, now_ms=now_ms)
    assert [type(one) for one in health] == [DeviceHealth] * 1000
    assert [(type(one), one.group) for one in said] == [(AlarmFlood, "D01/offline")]


@pytest.mark.parametrize("flag", [Quality.RANGE, Quality.STUCK, Quality.SKEW, Quality.OUT_OF_ORDER])
@pytest.mark.parametrize("rules", [ONLY_HEAD, ONLY_DROP], ids=["level", "drop"])
def test_doubtful_samples_feed_no_rule(flag: Quality, rules: RuleSet) -> None:
    values = [0.5] * 3 + [0.01] * 4
    assert alarms_of(values, rules, quality=[0] * 3 + [flag | Quality.LATE] * 4) == []
    assert alarms_of(values, rules, quality=[0] * 3 + [Quality.LATE] * 4) != []


@given(st.lists(st.sampled_from([Quality.GOOD, Quality.SPIKE]), min_size=8, max_size=8))
def test_spikes_alone_raise_nothing(flags: list[Quality]) -> None:
    values = [0.5] * 4 + [0.01 if flag else 0.5 for flag in flags]
    alarms = alarms_of(values, RULES, quality=[0] * 4 + [int(flag) for flag in flags])
    assert not {R, C, X} & {alarm.state for alarm in alarms}


steps = st.tuples(
    st.floats(0.0, 0.6), st.sampled_from([60, 120, 300, 900]), st.sampled_from([0, 0, 0, 2])
)


@given(st.lists(steps, min_size=5, max_size=60))
def test_every_alarm_lives_a_lawful_life(walk: list[tuple[float, int, int]]) -> None:
    stage = WarnStage(pressure_registry(), RULES)
    alive: dict[str, str] = {}
    ended: set[str] = set()
    now_ms = START_MS
    for value, gap_s, flag in walk:
        now_ms += gap_s * 1000
        for one in feed(stage, samples_of([Reading(0, now_ms, value, flag)], now_ms)):
            if not isinstance(one, Alarm):
                continue
            assert one.id not in ended
            standing = alive.get(one.rule)
            if one.state is P or (one.state is R and standing is None):
                assert standing is None
                alive[one.rule] = one.id
            else:
                assert standing == one.id
            if one.state in (X, W):
                ended.add(alive.pop(one.rule))


# frozen devices


def doubt(kind: HealthKind, is_on: bool) -> DeviceHealth:
    return DeviceHealth("WP-D01-0000", "D01", kind, is_on, START_MS, "test")


@pytest.mark.parametrize("kind", [HealthKind.OFFLINE, HealthKind.STUCK])
def test_offline_or_stuck_device_keeps_its_colour(kind: HealthKind) -> None:
    stage = WarnStage(pressure_registry(), ONLY_HEAD)
    alarms_of([0.19] * 3, ONLY_HEAD, stage=stage)
    feed(stage, doubt(kind, True))
    assert alarms_of([0.5] * 10, ONLY_HEAD, stage=stage) == []
    feed(stage, doubt(kind, False))
    assert story(alarms_of([0.5] * 10, ONLY_HEAD, stage=stage)) == [(X, Level.BLUE)]


def test_hold_starts_again_after_a_silence() -> None:
    stage = WarnStage(pressure_registry(), ONLY_HEAD)
    assert alarms_of([0.19] * 2, ONLY_HEAD, stage=stage) == []
    feed(stage, doubt(HealthKind.OFFLINE, True))
    feed(stage, doubt(HealthKind.OFFLINE, False))
    assert alarms_of([0.19] * 2, ONLY_HEAD, stage=stage) == []
    assert len(alarms_of([0.19], ONLY_HEAD, stage=stage)) == 1


def test_device_that_is_stuck_and_offline_needs_both_to_end() -> None:
    stage = WarnStage(pressure_registry(), ONLY_HEAD)
    feed(stage, doubt(HealthKind.STUCK, True), doubt(HealthKind.OFFLINE, True))
    feed(stage, doubt(HealthKind.OFFLINE, False))
    assert alarms_of([0.19] * 5, ONLY_HEAD, stage=stage) == []
    feed(stage, doubt(HealthKind.STUCK, False))
    assert len(alarms_of([0.19] * 5, ONLY_HEAD, stage=stage)) == 1


def test_low_battery_freezes_nothing() -> None:
    stage = WarnStage(pressure_registry(), ONLY_HEAD)
    feed(stage, doubt(HealthKind.BATTERY, True))
    assert len(alarms_of([0.19] * 3, ONLY_HEAD, stage=stage)) == 1


# suppression and compiling


def test_level_that_a_site_normally_violates_is_suppressed_by_design() -> None:
    stage = WarnStage(pressure_registry(), ONLY_HEAD, normal_low=np.array([0.13]))
    assert [(one.level, one.reason) for one in stage.suppressed] == [
        (Level.BLUE, SuppressionReason.NORMALLY_BEYOND_LIMIT),
        (Level.YELLOW, SuppressionReason.NORMALLY_BEYOND_LIMIT),
    ]
    assert alarms_of([0.13] * 10, ONLY_HEAD, stage=stage) == []
    alarms = alarms_of([0.08] * 2 + [0.13] * 9, ONLY_HEAD, stage=stage)
    assert story(alarms) == [(R, Level.ORANGE), (X, Level.ORANGE)]


def test_level_that_a_site_could_not_clear_is_suppressed_too() -> None:
    low = [0.205, 0.215, float("nan")]
    stage = WarnStage(pressure_registry(3), ONLY_HEAD, normal_low=np.array(low))
    assert [one.device for one in stage.suppressed] == ["WP-D01-0000"]


def test_rules_watch_only_their_kind_of_device() -> None:
    devices = [
        pressure_device(0, kind="dma_flow", quantity="flow"),
        pressure_device(1),
        pressure_device(2, kind="fire_pressure"),
    ]
    compiled, _ = compile_rules(Registry.of(devices), RULES)
    assert {columns.rule.id: tuple(columns.devices) for columns in compiled} == {
        DROP: (1,),
        HEAD: (1,),
        "water.dma_cusum": (0,),
        "water.dma_night_ratio": (0,),
    }
    stage = WarnStage(Registry.of(devices), ONLY_HEAD)
    readings = [Reading(d, START_MS + n, 0.01) for d in range(3) for n in range(3)]
    alarms = [one for one in feed(stage, samples_of(readings, START_MS)) if isinstance(one, Alarm)]
    assert [alarm.device for alarm in alarms] == ["WP-D01-0001"]


def test_registry_without_pressure_devices_has_no_rules() -> None:
    stage = WarnStage(pressure_registry(1, kind="dma_flow", quantity="flow"), RULES)
    assert feed(stage, samples_of([Reading(0, START_MS, 0.0)], START_MS)) == []


def test_rule_in_another_unit_than_its_quantity_is_refused() -> None:
    with pytest.raises(RuleError, match=r"water\.pressure_head\.unit = 'kPa'.*'MPa'"):
        WarnStage(pressure_registry(), with_rule(HEAD, unit="kPa"))


# drafts


def raise_head(stage: WarnStage, device: int, value: float, now_ms: int) -> list[Message]:
    readings = [Reading(device, now_ms - (3 - n) * SAMPLE_MS, value) for n in range(3)]
    return feed(stage, samples_of(readings, now_ms), now_ms=now_ms)


def drafts(said: Sequence[Message]) -> list[WarningNotice]:
    return [one for one in said if isinstance(one, WarningNotice)]


def test_alarms_of_one_moment_share_a_draft_at_the_worst_level() -> None:
    stage = WarnStage(pressure_registry(2), ONLY_HEAD)
    readings = [
        Reading(device, START_MS + n * SAMPLE_MS, value)
        for device, value in enumerate((0.19, 0.01))
        for n in range(3)
    ]
    said = feed(stage, samples_of(readings, START_MS))
    (draft,) = drafts(said)
    raised = [one.id for one in said if isinstance(one, Alarm) and one.state is R]
    assert len(raised) == 2
    assert set(draft.alarms) == set(raised)
    assert (draft.level, draft.status, draft.version) == (Level.RED, WarningStatus.DRAFT, 1)
    assert draft.id == f"W-D01-water-{START_MS}"
    assert draft.incident == ""


@pytest.mark.parametrize(("later_ms", "count"), [(30 * MINUTE_MS - 1, 0), (30 * MINUTE_MS, 1)])
def test_later_alarm_joins_the_draft_for_half_an_hour(later_ms: int, count: int) -> None:
    stage = WarnStage(pressure_registry(2), ONLY_HEAD)
    assert len(drafts(raise_head(stage, 0, 0.19, START_MS))) == 1
    assert len(drafts(raise_head(stage, 1, 0.19, START_MS + later_ms))) == count


def test_each_area_has_its_own_draft_in_order() -> None:
    devices = [pressure_device(0, "D02", id="WP-first"), pressure_device(0, "D01", id="WP-second")]
    registry = Registry.of(devices)
    readings = [Reading(d, START_MS + n, 0.01) for d in range(2) for n in range(2)]
    said = feed(WarnStage(registry, ONLY_HEAD), samples_of(readings, START_MS))
    assert [draft.area for draft in drafts(said)] == ["D01", "D02"]


def test_provisional_alarm_opens_no_draft() -> None:
    stage = WarnStage(pressure_registry(), ONLY_DROP)
    readings = [Reading(0, START_MS + n * SAMPLE_MS, v) for n, v in enumerate([0.5, 0.5, 0.3])]
    said = feed(stage, samples_of(readings, START_MS))
    assert [one for one in said if isinstance(one, Alarm)]
    assert not drafts(said)


# the stage


def test_alarms_come_by_sample_time_then_device_then_rule() -> None:
    stage = WarnStage(pressure_registry(3), RULES)
    values = [0.5, 0.5, 0.05, 0.05, 0.05]
    readings = [
        Reading(device, START_MS + n * SAMPLE_MS + (device == 0), value)
        for device in range(3)
        for n, value in enumerate(values)
    ]
    said = [one for one in feed(stage, samples_of(readings, START_MS)) if isinstance(one, Alarm)]
    keys = [(alarm.sample_ms, alarm.device, alarm.rule) for alarm in said]
    assert len(keys) > 8
    assert keys == sorted(keys)


def test_what_waits_is_due_at_once() -> None:
    stage = WarnStage(pressure_registry(), RULES)
    assert stage.next_due() is None
    stage.on_batch([samples_of([Reading(0, START_MS, 0.3)], START_MS)], START_MS)
    assert stage.next_due() == START_MS
    stage.on_time(START_MS)
    assert stage.next_due() is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (WarnStage(pressure_registry(2), RULES), "of 2 devices"),
        (WarnStage(pressure_registry(), ONLY_DROP), "no state of rule water.pressure_head"),
        (MonitorStage(pressure_registry(), RULES.device), "monitor"),
    ],
)
def test_snapshot_of_another_stage_or_city_is_refused(
    other: WarnStage | MonitorStage, message: str
) -> None:
    with pytest.raises(SnapshotError, match=message):
        WarnStage(pressure_registry(), RULES).restore(other.snapshot())


def test_samples_in_one_message_or_many_give_the_same() -> None:
    values = [0.5, 0.5, 0.3, 0.3, 0.1, 0.1, 0.1]
    readings = [Reading(0, START_MS + n * SAMPLE_MS, value) for n, value in enumerate(values)]
    one = feed(WarnStage(pressure_registry(), ONLY_HEAD), samples_of(readings, START_MS))
    parts: list[Samples] = [samples_of([reading], START_MS) for reading in readings]
    many = feed(WarnStage(pressure_registry(), ONLY_HEAD), *parts)
    assert [str(message) for message in one] == [str(message) for message in many]
    assert one
