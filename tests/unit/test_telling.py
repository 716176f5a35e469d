"""What is said of log entries: one line each, with the reason, for everything but minor ones."""

from dataclasses import asdict, replace

import pytest

from api.telling import CHINESE, city_time, level_text, tell
from pipeline.event_log import EventLog
from pipeline.loop import STAGES
from pipeline.messages import (
    AlarmFlood,
    AlarmState,
    Bulletin,
    BulletinKind,
    CaseEvaluation,
    DeviceHealth,
    HealthKind,
    IncidentStatus,
    Milestone,
    OperatorAct,
    OperatorActKind,
    RulesChanged,
    RunEvaluation,
    Slip,
    Transition,
    WarningStatus,
)
from sensors.field import Feedback, FeedbackKind
from sensors.levels import Level
from tests.unit.loop_messages import (
    T0,
    alarm,
    closure,
    dispatch,
    feedback,
    incident,
    order,
    warning,
)

CASE = CaseEvaluation("I-1", "B1", True, 4.2, None, 0.0, 0, 7, 7, T0, "matched")
RUN = RunEvaluation(
    2, 1, 1, 0, 0.5, 0.0, 0.5, 0.5, None, None, 4.0, 10.0, 1.0, 9, {"B1": "I-1"}, T0, "run_ended"
)
BULLETIN = Bulletin("B-1", BulletinKind.FLASH, 1, "I-1", "快报 · Flash", {}, "# x", T0, "confirmed")
HEALTH = DeviceHealth("WP-1", "D01", HealthKind.STUCK, True, T0, "same_value")
SLIP = Slip("I-1", "O-1", "onsite", 2, "yellow", "district", T0, T0, "limit_passed")


def told(message: Transition | Feedback) -> str | None:
    return tell(EventLog().add(message))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            alarm(unit="MPa", value=0.30071),
            "alarm raised: WP-1 pressure 0.301 MPa, level III yellow (water.pressure_drop)",
        ),
        (
            alarm(AlarmState.CLEARED, value=float("nan"), unit="MPa"),
            "alarm cleared: WP-1 pressure, level III yellow (water.pressure_drop)",
        ),
        (HEALTH, "device WP-1 stuck"),
        (replace(HEALTH, is_on=False), "device WP-1 stuck is over"),
        (
            warning(WarningStatus.ISSUED, level=Level.ORANGE, reason="leak_fits"),
            "warning issued: level II orange (leak_fits)",
        ),
        (
            incident(status=IncidentStatus.ASSESSING, confidence=0.0, reason="opened"),
            "looking into 1 alarm in D01, level III yellow (opened) I-1",
        ),
        (
            incident(alarms=("a", "b"), status=IncidentStatus.ASSESSING, confidence=0.0),
            "looking into 2 alarms in D01, level III yellow (leak_fits) I-1",
        ),
        (incident(), "confirmed: burst at P4, level III yellow, 80% sure (leak_fits) I-1"),
        (
            incident(status=IncidentStatus.DISMISSED, candidates=(), reason="weak"),
            "dismissed: burst, 80% sure (weak) I-1",
        ),
        (
            dispatch(order()),
            "T1 sent to P4, 3 min away: inspect, isolate, repair, restore (O-I-1-1)",
        ),
        (
            dispatch(order(targets=())),
            "T1 sent, 3 min away: inspect, isolate, repair, restore (O-I-1-1)",
        ),
        (dispatch(None), "no team for I-1 (nobody_free)"),
        (feedback(FeedbackKind.FOUND, T0, element="P4"), "T1: found P4"),
        (feedback(FeedbackKind.REFUSED, T0, note="no pump"), "T1: refused no pump"),
        (SLIP, "yellow slip (step 2): onsite of I-1"),
        (closure(T0), "closed (done_and_recovered) I-1"),
        (CASE, "true B1, found 4 min after it could be, at its very pipe (matched) I-1"),
        (
            replace(CASE, location_error_pipes=1, detection_delay_min=None),
            "true B1, 1 pipe off (matched) I-1",
        ),
        (
            replace(CASE, location_error_pipes=None),
            "true B1, found 4 min after it could be (matched) I-1",
        ),
        (replace(CASE, is_hit=False, reason="none"), "no true incident matches (none) I-1"),
        (
            replace(CASE, is_hit=False, reason="told_late"),
            "true B1, told too late to count (told_late) I-1",
        ),
        (RUN, "run over: 1 of 2 incidents found, 0 false"),
        (BULLETIN, "快报 · Flash (B-1)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_entry_is_told_in_one_line(message: Transition | Feedback, text: str) -> None:
    assert told(message) == text
    assert "\n" not in text


@pytest.mark.parametrize(
    "message",
    [
        alarm(AlarmState.PROVISIONAL),
        alarm(AlarmState.CHANGED),
        alarm(AlarmState.WITHDRAWN),
        Milestone("I-1", "O-1", "ack", T0, T0, True, T0, "in_time"),
    ],
)
def test_minor_entries_are_not_told(message: Transition) -> None:
    assert told(message) is None


def test_each_stage_has_a_chinese_name() -> None:
    assert list(CHINESE) == list(STAGES)
    assert all(name and not name.isascii() for name in CHINESE.values())


@pytest.mark.parametrize("level", list(Level))
def test_a_level_carries_number_and_colour(level: Level) -> None:
    assert level_text(int(level)) == f"{level.roman} {level.colour}"


def test_event_time_is_shown_in_the_citys_zone() -> None:
    assert city_time(T0, 0) == "07-01 00:00"
    assert city_time(T0, 8 * 3_600_000) == "07-01 08:00"
    assert city_time(T0, -5 * 3_600_000) == "06-30 19:00"


def test_an_alarm_that_operators_are_not_told_of_has_no_line() -> None:
    assert told(alarm(held="grouped")) is None


def test_acts_rules_and_floods_are_told() -> None:
    act = OperatorAct("a-1", OperatorActKind.SHELVE, "WP-1/r/1", "li.wei", "cleaning", T0)
    noted = replace(EventLog().add(alarm()), kind="OperatorAct", data=asdict(act))
    assert tell(noted) == "li.wei: shelve WP-1/r/1: cleaning"
    rules = RulesChanged("m.yaml", "v2", True, ("a",), (), ("b", "c"), T0, "taken")
    assert told(rules) == "rules v2 of m.yaml in force: 1 added, 2 changed (taken)"
    refused = replace(rules, is_taken=False, reason="m.yaml:3: wrong")
    assert told(refused) == "rules refused, v2 stays in force: m.yaml:3: wrong"
    flood = AlarmFlood("D01/water", True, 11, 9, "WP-1/r/1", T0, "many")
    assert told(flood) == "alarm flood: 11 alarms in D01/water, first WP-1/r/1 (many)"
