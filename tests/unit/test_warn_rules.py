"""Warn: the level rule and the drop rule, told as stories of one device."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import (
    Alarm,
    AlarmState,
)
from pipeline.rules import Hold
from pipeline.warn.stage import WarnStage
from pipeline.warn.verdicts import AlarmReason
from sensors.levels import Level
from sensors.readings import Quality, Reading
from tests.conformance.pressure_devices import (
    SAMPLE_MS,
    START_MS,
    pressure_registry,
    samples_of,
)
from tests.unit.warn_stories import (
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
    sample_numbers,
    story,
    with_rule,
)

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
    said = feed(stage, samples_of([Reading(0, late_ms, 0.3)], late_ms), now_ms=late_ms)
    (alarm,) = [one for one in said if isinstance(one, Alarm)]
    assert (alarm.state, alarm.reason) == (W, AlarmReason.NO_SAMPLE_IN_TIME)


def test_reference_survives_fast_sampling() -> None:
    values = [0.5] * 400 + [0.3] * 200
    alarms = alarms_of(values, ONLY_DROP, gap_ms=1000)
    assert story(alarms) == [(P, Level.RED), (R, Level.RED)]
    assert alarms[0].before == 0.5
