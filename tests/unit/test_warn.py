"""Warn: level and drop rules, suppression by design, frozen devices and draft warnings."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RuleError, SnapshotError
from pipeline.messages import (
    Alarm,
    AlarmState,
    DeviceHealth,
    HealthKind,
    Message,
    Samples,
    WarningNotice,
    WarningStatus,
)
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import Hold, Rule, RuleSet, default_rules
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

HEAD, DROP = "water.pressure_head", "water.pressure_drop"
MINUTE_MS = 60_000
RULES = default_rules()
P, R, C, X, W = (
    AlarmState.PROVISIONAL,
    AlarmState.RAISED,
    AlarmState.CHANGED,
    AlarmState.CLEARED,
    AlarmState.WITHDRAWN,
)


def with_rule(rule_id: str, **changes: object) -> RuleSet:
    """The default rules with one rule alone, changed."""
    rule: Rule = replace(RULES.rule(rule_id), **changes)  # type: ignore[arg-type]
    return replace(RULES, rules=MappingProxyType({rule_id: rule}))


ONLY_HEAD, ONLY_DROP = with_rule(HEAD), with_rule(DROP)


def feed(stage: WarnStage, *messages: Message, now_ms: int = START_MS) -> list[Message]:
    stage.on_batch(messages, now_ms)
    return list(stage.on_time(now_ms))


def alarms_of(
    values: Sequence[float],
    rules: RuleSet,
    gap_ms: int = SAMPLE_MS,
    quality: Sequence[int] | None = None,
    stage: WarnStage | None = None,
) -> list[Alarm]:
    """Alarms of one device given one value a tick."""
    stage = stage or WarnStage(pressure_registry(), rules)
    said: list[Message] = []
    for number, value in enumerate(values):
        now_ms = START_MS + number * gap_ms
        flag = quality[number] if quality else 0
        said += feed(stage, samples_of([Reading(0, now_ms, value, flag)], now_ms), now_ms=now_ms)
    return [one for one in said if isinstance(one, Alarm)]


def story(alarms: Sequence[Alarm]) -> list[tuple[AlarmState, Level]]:
    return [(alarm.state, alarm.level) for alarm in alarms]


def sample_numbers(alarms: Sequence[Alarm], gap_ms: int = SAMPLE_MS) -> list[int]:
    return [(alarm.sample_ms - START_MS) // gap_ms for alarm in alarms]


# level rule


@pytest.mark.parametrize(
    ("value", "samples", "level"),
    [
        (0.19, 3, Level.BLUE),
        (0.20, 3, Level.BLUE),
        (0.12, 3, Level.YELLOW),
        (0.08, 2, Level.ORANGE),
        (0.01, 2, Level.RED),
    ],
)
def test_level_is_raised_when_its_hold_is_met(value: float, samples: int, level: Level) -> None:
    alarms = alarms_of([0.3] + [value] * (samples + 3), ONLY_HEAD)
    assert story(alarms)[0] == (R, level)
    assert sample_numbers(alarms)[0] == samples
    assert alarms[0].raised_ms == START_MS + SAMPLE_MS
    assert alarms[0].id == f"WP-D01-0000/{HEAD}/{START_MS + SAMPLE_MS}"
    assert alarms[0].limit == RULES.rule(HEAD).thresholds[level]
    assert alarms[0].reason == AlarmReason.HELD_BEYOND_LIMIT


def test_one_sample_short_of_the_hold_is_no_alarm() -> None:
    assert alarms_of([0.3, 0.19, 0.19, 0.3, 0.01, 0.3, 0.19, 0.19, 0.3], ONLY_HEAD) == []


def test_level_goes_up_at_once_and_down_one_by_one_after_clear_samples() -> None:
    alarms = alarms_of([0.3, 0.19, 0.19, 0.19, 0.01, 0.01] + [0.3] * 20, ONLY_HEAD)
    assert story(alarms) == [
        (R, Level.BLUE),
        (C, Level.RED),
        (C, Level.ORANGE),
        (C, Level.YELLOW),
        (C, Level.BLUE),
        (X, Level.BLUE),
    ]
    assert sample_numbers(alarms) == [3, 5, 10, 15, 20, 25]
    assert len({alarm.id for alarm in alarms}) == 1


def test_clear_count_starts_again_after_a_sample_in_the_deadband() -> None:
    alarms = alarms_of([0.19] * 3 + [0.22] * 4 + [0.205] + [0.22] * 5, ONLY_HEAD)
    assert sample_numbers(alarms) == [2, 12]


@given(
    level=st.sampled_from(list(Level)),
    offsets=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60),
)
def test_oscillation_within_half_a_deadband_gives_one_alarm_and_no_chatter(
    level: Level, offsets: list[float]
) -> None:
    rule = RULES.rule(HEAD)
    limit = rule.thresholds[level]
    held = [limit - 0.4 * rule.deadband] * 3
    wave = [limit + offset * rule.deadband for offset in offsets]
    alarms = alarms_of(held + wave, ONLY_HEAD)
    assert [alarm.state for alarm in alarms].count(R) == 1
    assert len(alarms) <= 2
    assert alarms[-1].level is level
    assert not {X, W} & {alarm.state for alarm in alarms}


def test_m_of_n_needs_m_not_in_a_row() -> None:
    rules = with_rule(HEAD, holds=MappingProxyType(dict.fromkeys(Level, Hold(2, 3))))
    assert sample_numbers(alarms_of([0.19, 0.3, 0.19], rules)) == [2]
    assert alarms_of([0.19, 0.3, 0.3, 0.19, 0.3, 0.3], rules) == []


def test_rule_stops_at_the_level_it_may_give_alone() -> None:
    rules = with_rule(HEAD, max_level_alone=Level.YELLOW)
    assert story(alarms_of([0.01] * 5, rules)) == [(R, Level.YELLOW)]


AT_ONCE = with_rule(HEAD, holds=MappingProxyType(dict.fromkeys(Level, Hold(1, 1))))


def test_orange_on_one_sample_is_provisional_until_the_next_agrees() -> None:
    alarms = alarms_of([0.3, 0.08, 0.08], AT_ONCE)
    # blue and yellow are held by the same sample, so the alarm stands at yellow at once
    assert story(alarms) == [(R, Level.YELLOW), (C, Level.ORANGE)]
    slow = with_rule(
        HEAD, holds=MappingProxyType({**RULES.rule(HEAD).holds, Level.RED: Hold(1, 1)})
    )
    alarms = alarms_of([0.3, 0.01, 0.01], slow)
    assert story(alarms) == [(P, Level.RED), (R, Level.RED)]
    assert len({alarm.id for alarm in alarms}) == 1


def test_provisional_level_is_withdrawn_when_the_next_sample_disagrees() -> None:
    slow = with_rule(
        HEAD, holds=MappingProxyType({**RULES.rule(HEAD).holds, Level.RED: Hold(1, 1)})
    )
    alarms = alarms_of([0.3, 0.01, 0.19, 0.19, 0.19], slow, quality=[0, Quality.SPIKE, 0, 0, 0])
    assert story(alarms) == [(P, Level.RED), (W, Level.RED), (R, Level.BLUE)]
    assert alarms[1].reason == AlarmReason.NEXT_SAMPLE_DISAGREES
    assert alarms[1].id == alarms[0].id != alarms[2].id


# drop rule


def test_drop_is_provisional_then_raised_at_the_normal_rate() -> None:
    alarms = alarms_of([0.4, 0.4, 0.34, 0.34, 0.34], ONLY_DROP)
    assert story(alarms) == [(P, Level.YELLOW), (R, Level.YELLOW)]
    assert sample_numbers(alarms) == [2, 3]
    assert alarms[1].before == 0.4
    assert alarms[1].raised_ms == START_MS + 2 * SAMPLE_MS
    assert alarms[1].reason == AlarmReason.DROP_NOT_RECOVERED


@pytest.mark.parametrize(
    ("fall", "level", "minutes"),
    [(0.04, Level.BLUE, 5), (0.06, Level.YELLOW, 5), (0.15, Level.ORANGE, 2), (0.25, Level.RED, 2)],
)
def test_large_drop_is_confirmed_sooner_at_alarm_rate(
    fall: float, level: Level, minutes: int
) -> None:
    alarms = alarms_of([0.5] * 10 + [0.5 - fall] * 10, ONLY_DROP, gap_ms=MINUTE_MS)
    assert story(alarms) == [(P, level), (R, level)]
    assert sample_numbers(alarms, MINUTE_MS) == [10, 10 + minutes]


@pytest.mark.parametrize(("back", "state"), [(0.69, R), (0.71, W)])
def test_drop_is_withdrawn_when_seventy_percent_recovered(back: float, state: AlarmState) -> None:
    alarms = alarms_of([0.5, 0.5, 0.4, 0.4 + 0.1 * back], ONLY_DROP)
    assert [alarm.state for alarm in alarms] == [P, state]
    if state is W:
        assert alarms[1].reason == AlarmReason.DROP_RECOVERED


def test_drop_that_ends_far_below_the_mildest_limit_is_withdrawn() -> None:
    alarms = alarms_of([0.5, 0.5, 0.469, 0.482], ONLY_DROP)
    assert story(alarms) == [(P, Level.BLUE), (W, Level.BLUE)]
    assert alarms[1].reason == AlarmReason.DROP_BELOW_LIMIT


def test_worse_level_of_a_standing_drop_needs_two_samples() -> None:
    values = [0.5, 0.5, 0.44, 0.44, 0.2, 0.44, 0.2, 0.2]
    alarms = alarms_of(values, ONLY_DROP)
    assert story(alarms) == [(P, Level.YELLOW), (R, Level.YELLOW), (C, Level.RED)]
    assert sample_numbers(alarms)[-1] == 7
    assert alarms[-1].reason == AlarmReason.DROP_GREW


def test_standing_drop_shrinks_one_level_at_a_time() -> None:
    alarms = alarms_of([0.6] * 2 + [0.3] * 2 + [0.46] * 8, ONLY_DROP)
    assert story(alarms) == [(P, Level.RED), (R, Level.RED), (C, Level.ORANGE)]
    assert sample_numbers(alarms)[-1] == 6


def test_mildest_drop_does_not_shrink_away_before_it_has_recovered() -> None:
    alarms = alarms_of([0.6] * 2 + [0.565] * 2 + [0.584] * 6, ONLY_DROP)
    assert story(alarms) == [(P, Level.BLUE), (R, Level.BLUE)]


def test_recovery_is_measured_from_the_drop_that_was_confirmed() -> None:
    alarms = alarms_of([0.6] * 2 + [0.3, 0.45] + [0.53] * 8, ONLY_DROP)
    assert [alarm.state for alarm in alarms] == [P, R, C]


def test_provisional_drop_remembers_its_deepest_sample() -> None:
    alarms = alarms_of([0.6] * 6 + [0.56, 0.3, 0.53], ONLY_DROP, gap_ms=MINUTE_MS)
    assert [alarm.state for alarm in alarms] == [P, W]


def test_drop_clears_after_three_recovered_samples() -> None:
    alarms = alarms_of([0.5] * 2 + [0.4] * 2 + [0.48, 0.48, 0.42] + [0.48] * 4, ONLY_DROP)
    assert story(alarms)[-1][0] is X
    assert alarms[-1].reason == AlarmReason.DROP_RECOVERED
    assert sample_numbers(alarms)[-1] == 9


def test_drop_that_stands_for_six_hours_is_the_new_normal() -> None:
    alarms = alarms_of([0.5] * 2 + [0.4] * 100, ONLY_DROP)
    assert [alarm.state for alarm in alarms] == [P, R, X]
    assert alarms[-1].reason == AlarmReason.NEW_NORMAL
    assert alarms[-1].sample_ms - alarms[-1].raised_ms == 6 * 3_600_000 + SAMPLE_MS


@given(st.floats(0.0, 0.0295))
def test_slow_decline_is_no_drop(step: float) -> None:
    assert alarms_of([0.9 - number * step for number in range(20)], ONLY_DROP) == []


def test_value_older_than_three_windows_is_no_reference() -> None:
    assert alarms_of([0.5, 0.3, 0.3], ONLY_DROP, gap_ms=901_000) == []
    assert len(alarms_of([0.5, 0.3, 0.3], ONLY_DROP, gap_ms=900_000)) == 2


def test_drop_whose_next_sample_comes_too_late_is_withdrawn() -> None:
    stage = WarnStage(pressure_registry(), ONLY_DROP)
    alarms_of([0.5, 0.3], ONLY_DROP, stage=stage)
    late_ms = START_MS + 3_600_000
    (alarm,) = feed(stage, samples_of([Reading(0, late_ms, 0.3)], late_ms), now_ms=late_ms)
    assert isinstance(alarm, Alarm)
    assert (alarm.state, alarm.reason) == (W, AlarmReason.NO_SAMPLE_IN_TIME)


def test_reference_survives_fast_sampling() -> None:
    values = [0.5] * 400 + [0.3] * 200
    alarms = alarms_of(values, ONLY_DROP, gap_ms=1000)
    assert story(alarms) == [(P, Level.RED), (R, Level.RED)]
    assert alarms[0].before == 0.5


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
    alarm, draft = feed(stage, samples_of(readings, now_ms), now_ms=now_ms)
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
    assert said == []


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
    assert [columns.rule.id for columns in compiled] == [DROP, HEAD]
    assert {tuple(columns.devices) for columns in compiled} == {(1,)}
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
    assert [type(one) for one in said] == [Alarm]


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
