"""Supervise: clocks, slips, and closing by the sensors."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import (
    AlarmState,
    Bulletin,
    BulletinKind,
    Closure,
    IncidentStatus,
    Message,
    Milestone,
    Slip,
    WarningStatus,
)
from pipeline.rules import default_rules
from pipeline.supervise.deadlines import Clock, ClockName, tighten
from pipeline.supervise.reasons import Reason
from pipeline.supervise.slips import TIERS, ladder, next_rung, tier
from pipeline.supervise.stage import SuperviseStage
from pipeline.supervise.verify import VerifyLimits
from sensors.field import FeedbackKind
from sensors.levels import Level
from tests.unit.loop_messages import (
    HOUR,
    MIN,
    T0,
    alarm,
    dispatch,
    feedback,
    incident,
    order,
    warning,
)

RULES = default_rules()
VERIFY = VerifyLimits(clear_min=10.0, disagree_min=60.0, unattended_min=120.0)
YELLOW = RULES.response[Level.YELLOW]
CONFIRMED = T0 + 10 * MIN
SENT = T0 + 12 * MIN


def stage_of() -> SuperviseStage:
    return SuperviseStage(RULES.response, RULES.escalation, VERIFY)


def play(stage: SuperviseStage, *ticks: tuple[int, Sequence[Message]]) -> list[Message]:
    out: list[Message] = []
    for now_ms, messages in ticks:
        out += stage.on_batch(messages, now_ms)
        out += stage.on_time(now_ms)
    return out


def of_type(messages: Sequence[Message], kind: type) -> list:
    return [message for message in messages if isinstance(message, kind)]


def sent_stage() -> SuperviseStage:
    """A stage with a yellow burst confirmed, one team sent, its alarm standing."""
    stage = stage_of()
    play(
        stage,
        (T0, [alarm(), warning()]),
        (CONFIRMED, [incident()]),
        (SENT, [dispatch(order())]),
        (SENT + MIN, [_flash()]),
    )
    return stage


def _flash() -> Bulletin:
    return Bulletin(
        "B-I-1-1", BulletinKind.FLASH, 1, "I-1", "", {}, "", SENT + MIN, reason="confirmed"
    )


def test_acknowledge_assess_and_dispatch_run_in_sequence_from_the_draft_warning():
    out = play(
        stage_of(),
        (T0, [alarm(), warning()]),
        (T0 + 4 * MIN, [incident(status=IncidentStatus.ASSESSING, time_ms=T0 + 4 * MIN)]),
        (CONFIRMED, [incident(version=2)]),
        (SENT, [dispatch(order())]),
    )
    milestones = of_type(out, Milestone)
    assert [(item.clock, item.due_ms, item.done_ms) for item in milestones] == [
        ("ack", T0 + 15 * MIN, T0 + 4 * MIN),
        ("assess", T0 + 34 * MIN, CONFIRMED),
        ("dispatch", CONFIRMED + 15 * MIN, SENT),
    ]
    assert all(item.is_in_time and item.reason == Reason.IN_TIME for item in milestones)


def test_without_a_draft_the_clocks_start_when_the_incident_opens():
    out = play(stage_of(), (CONFIRMED, [incident()]))
    assert [(item.clock, item.done_ms) for item in of_type(out, Milestone)] == [
        ("ack", CONFIRMED),
        ("assess", CONFIRMED),
    ]


def test_on_scene_and_contain_are_met_by_feedback_at_its_own_time():
    stage = sent_stage()
    late = SENT + 90 * MIN
    out = play(
        stage,
        (SENT + 20 * MIN, [feedback(FeedbackKind.ARRIVED, SENT + 19 * MIN)]),
        (late, [feedback(FeedbackKind.ISOLATED, late)]),
    )
    milestones = of_type(out, Milestone)
    assert [(item.clock, item.done_ms, item.order) for item in milestones] == [
        ("onsite", SENT + 19 * MIN, "O-I-1-1"),
        ("contain", late, "O-I-1-1"),
    ]


def test_a_clock_met_after_its_due_time_is_late():
    stage = sent_stage()
    late = SENT + 61 * MIN
    out = play(stage, (late, [feedback(FeedbackKind.ARRIVED, late)]))
    milestone = of_type(out, Milestone)[0]
    assert (milestone.is_in_time, milestone.reason) == (False, Reason.LATE)


def test_a_flash_report_meets_the_report_clock():
    stage = stage_of()
    out = play(stage, (CONFIRMED, [incident()]), (SENT + MIN, [_flash()]))
    reports = [item for item in of_type(out, Milestone) if item.clock == "report"]
    assert [item.due_ms for item in reports] == [CONFIRMED + 120 * MIN]


def test_an_untaken_draft_climbs_every_step_once():
    stage = stage_of()
    play(stage, (T0, [alarm(), warning()]))
    out = play(stage, *[(T0 + minute * MIN, []) for minute in range(1, 120)])
    slips = of_type(out, Slip)
    assert [(slip.step, slip.colour, slip.tier) for slip in slips] == [
        (1, "blue", "unit"),
        (2, "yellow", "district"),
        (3, "orange", "city_centre"),
        (4, "red", "city_committee"),
        (5, "none", "city_committee"),
    ]
    assert [slip.due_ms - T0 for slip in slips] == [
        12 * MIN,
        15 * MIN,
        round(22.5 * MIN),
        30 * MIN,
        45 * MIN,
    ]
    assert {(slip.incident, slip.clock) for slip in slips} == {("W-1", "ack")}


def test_orange_and_red_skip_the_extension():
    for level in (Level.ORANGE, Level.RED):
        rungs = ladder(RULES.escalation, level)
        assert [(rung.step, rung.share) for rung in rungs] == [
            (1, 0.8),
            (3, 1.0),
            (4, 2.0),
            (5, 3.0),
        ]
        assert rungs[1].reason == Reason.LIMIT_PASSED


def test_a_jump_over_several_moments_gives_every_slip_in_order():
    stage = stage_of()
    play(stage, (T0, [alarm(), warning()]))
    slips = of_type(play(stage, (T0 + 5 * HOUR, [])), Slip)
    assert [slip.step for slip in slips] == [1, 2, 3, 4, 5]
    assert {slip.time_ms for slip in slips} == {T0 + 5 * HOUR}


def test_next_due_is_the_exact_moment_of_the_next_slip():
    stage = stage_of()
    play(stage, (T0, [alarm(), warning()]))
    due_ms = stage.next_due()
    assert due_ms == T0 + 12 * MIN
    assert play(stage, (due_ms - 1, [])) == []
    assert len(play(stage, (due_ms, []))) == 1


def test_a_cancelled_or_quiet_draft_gives_no_slips():
    for end in (
        warning(WarningStatus.CANCELLED, T0 + MIN),
        alarm(AlarmState.WITHDRAWN, time_ms=T0 + MIN),
    ):
        stage = stage_of()
        out = play(stage, (T0, [alarm(), warning()]), (T0 + MIN, [end]), (T0 + 9 * HOUR, []))
        assert out == []


def test_a_dismissed_incident_stops_all_clocks():
    stage = stage_of()
    gone = incident(status=IncidentStatus.DISMISSED)
    out = play(stage, (T0, [alarm(), warning()]), (CONFIRMED, [gone]), (T0 + 99 * HOUR, []))
    assert [item.clock for item in of_type(out, Milestone)] == ["ack", "assess"]
    assert of_type(out, Slip) == []
    assert stage.next_due() is None


def test_a_draft_in_the_area_of_an_open_case_joins_it_without_a_clock():
    stage = sent_stage()
    before = stage.next_due()
    play(stage, (SENT + 2 * MIN, [warning(id="W-2", time_ms=SENT + 2 * MIN, alarms=("X/r/1",))]))
    assert stage.next_due() == before


def test_the_case_closes_when_done_and_the_sensors_have_been_quiet_long_enough():
    stage = sent_stage()
    done, quiet = SENT + 3 * HOUR, SENT + 3 * HOUR + 5 * MIN
    out = play(
        stage,
        (done, [feedback(FeedbackKind.ARRIVED, done - HOUR), feedback(FeedbackKind.DONE, done)]),
        (quiet, [alarm(AlarmState.CLEARED, time_ms=quiet)]),
        (quiet + 10 * MIN - 1, []),
    )
    assert of_type(out, Closure) == []
    assert stage.next_due() == quiet + 10 * MIN
    out = play(stage, (quiet + 10 * MIN, []))
    milestone, end = out
    assert (milestone.clock, milestone.is_in_time) == ("close", True)
    assert (end.is_verified, end.reason) == (True, Reason.DONE_AND_RECOVERED)
    assert stage.next_due() is None


def test_a_new_alarm_on_a_device_of_the_case_keeps_it_open():
    stage = sent_stage()
    other = alarm(device="WP-1", id="WP-1/water.pressure_head/7", time_ms=SENT + HOUR)
    out = play(
        stage,
        (SENT + HOUR, [other, alarm(AlarmState.CLEARED, time_ms=SENT + HOUR)]),
        (SENT + 2 * HOUR, [feedback(FeedbackKind.DONE, SENT + 2 * HOUR)]),
        (SENT + 2 * HOUR + 30 * MIN, []),
    )
    assert of_type(out, Closure) == []


def test_an_alarm_elsewhere_does_not_keep_the_case_open():
    stage = sent_stage()
    out = play(
        stage,
        (SENT + HOUR, [alarm(device="WP-9"), alarm(AlarmState.CLEARED, time_ms=SENT + HOUR)]),
        (SENT + 2 * HOUR, [feedback(FeedbackKind.DONE, SENT + 2 * HOUR)]),
    )
    assert len(of_type(out, Closure)) == 1


def test_sensors_that_disagree_give_one_slip_and_no_closure():
    stage = sent_stage()
    done = SENT + 50 * MIN
    out = play(
        stage,
        (done, [feedback(FeedbackKind.ARRIVED, done), feedback(FeedbackKind.DONE, done)]),
        *[(done + hour * HOUR, []) for hour in range(1, 4)],
    )
    slips = [slip for slip in of_type(out, Slip) if slip.reason == Reason.SENSORS_DISAGREE]
    assert [(slip.clock, slip.due_ms) for slip in slips] == [("verify", done + HOUR)]
    assert of_type(out, Closure) == []


def test_an_open_order_keeps_a_recovered_case_open():
    stage = sent_stage()
    out = play(stage, (SENT + HOUR, [alarm(AlarmState.CLEARED)]), (SENT + 5 * HOUR, []))
    assert of_type(out, Closure) == []


def test_nothing_found_and_quiet_sensors_close_with_their_own_reason():
    stage = sent_stage()
    at = SENT + HOUR
    ended = [feedback(FeedbackKind.NOT_FOUND, at), feedback(FeedbackKind.DONE, at)]
    out = play(stage, (at, [*ended, alarm(AlarmState.CLEARED, time_ms=at)]), (at + 10 * MIN, []))
    assert [item.reason for item in of_type(out, Closure)] == [Reason.NOTHING_FOUND_AND_RECOVERED]


def test_a_case_no_team_came_to_closes_after_a_long_quiet():
    stage = stage_of()
    play(stage, (T0, [alarm()]), (CONFIRMED, [incident(), dispatch(None)]))
    quiet = CONFIRMED + 5 * MIN
    out = play(
        stage,
        (quiet, [alarm(AlarmState.CLEARED, time_ms=quiet)]),
        (quiet + 119 * MIN, []),
        (quiet + 120 * MIN, []),
    )
    ends = of_type(out, Closure)
    assert [(end.reason, end.time_ms) for end in ends] == [
        (Reason.RECOVERED_UNATTENDED, quiet + 120 * MIN)
    ]


def test_an_amended_order_goes_on_with_the_same_arrival_clock():
    stage = sent_stage()
    play(stage, (SENT + 50 * MIN, []))
    amended = order("O-I-1-2", reason="relocated", issued_ms=SENT + 50 * MIN)
    amended.due_ms.update(order().due_ms)
    out = play(
        stage,
        (SENT + 51 * MIN, [dispatch(amended)]),
        (SENT + 55 * MIN, [feedback(FeedbackKind.ARRIVED, SENT + 55 * MIN, "O-I-1-2")]),
    )
    assert of_type(out, Slip) == []
    milestones = of_type(out, Milestone)
    assert [(item.clock, item.order, item.due_ms) for item in milestones] == [
        ("onsite", "O-I-1-2", SENT + HOUR)
    ]


def test_the_third_overdue_order_at_one_asset_is_listed_at_once():
    stage = stage_of()
    ticks: list[tuple[int, list[Message]]] = []
    for number in range(3):
        at = T0 + number * 24 * HOUR
        name = f"I-{number}"
        given_order = order(f"O-{name}-1", incident=name, issued_ms=at, team=f"T{number}")
        case = incident(
            name, area=f"D{number}", devices=(f"W{number}",), alarms=(), time_ms=at, opened_ms=at
        )
        ticks += [(at, [case, dispatch(given_order)]), (at + HOUR, [])]
    slips = [slip for slip in of_type(play(stage, *ticks), Slip) if slip.clock == "onsite"]
    listed = [slip for slip in slips if slip.step == 4]
    assert [slip.order for slip in listed if slip.reason == Reason.REPEATED_AT_ASSET] == ["O-I-2-1"]
    assert all(slip.reason == Reason.DOUBLE_LIMIT for slip in listed if slip.order != "O-I-2-1")


@pytest.mark.parametrize("level", list(Level))
def test_slips_climb_upward_in_time_colour_and_tier(level: Level):
    rungs = ladder(RULES.escalation, level)
    tiers = ["unit", *TIERS]
    climbed = [tiers.index(tier(rung, level)) for rung in rungs]
    assert climbed == sorted(climbed)
    assert [rung.share for rung in rungs] == sorted(rung.share for rung in rungs)
    assert len({rung.step for rung in rungs}) == len(rungs)


@given(st.sampled_from(list(Level)), st.integers(1, 10**7), st.integers(0, 5))
def test_the_next_slip_is_always_later_than_the_step_before(level: Level, limit: int, step: int):
    rungs = ladder(RULES.escalation, level)
    clock = Clock("ack", "", "", level, T0, T0 + limit, step)
    item = next_rung(clock, rungs)
    if item is None:
        assert step >= rungs[-1].step
    else:
        assert item[0].step > step
        assert item[1] == T0 + round(item[0].share * limit)


def test_a_rise_shortens_a_running_clock_and_a_fall_never_lengthens_it():
    clock = Clock(ClockName.ASSESS, "", "", Level.YELLOW, T0, T0 + 30 * MIN)
    tighten(clock, Level.RED, RULES.response[Level.RED], T0 + 5 * MIN)
    assert clock.due_ms == T0 + 15 * MIN
    tighten(clock, Level.BLUE, RULES.response[Level.BLUE], T0 + 6 * MIN)
    assert (clock.due_ms, clock.level) == (T0 + 15 * MIN, Level.RED)


@given(st.lists(st.integers(1, 6 * 60), min_size=1, max_size=20, unique=True))
def test_slips_do_not_depend_on_how_often_time_is_told(minutes: list[int]):
    stage, coarse = stage_of(), stage_of()
    start = (T0, [alarm(), warning()])
    last = T0 + 6 * HOUR
    often = play(stage, start, *[(T0 + m * MIN, []) for m in sorted(minutes)], (last, []))
    once = play(coarse, start, (last, []))
    assert [(s.step, s.due_ms) for s in often] == [(s.step, s.due_ms) for s in once]
