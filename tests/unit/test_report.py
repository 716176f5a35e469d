"""Report: flash, follow-ups, final and summary; required fields are never empty."""

from collections.abc import Sequence

import pytest

from pipeline.messages import (
    AlarmState,
    Bulletin,
    BulletinKind,
    CaseEvaluation,
    Cause,
    FindingEffect,
    IncidentStatus,
    Message,
    Milestone,
    ModelFinding,
    RunEvaluation,
    Slip,
    WarningStatus,
)
from pipeline.report.markdown import document, table
from pipeline.report.reasons import Reason
from pipeline.report.stage import ReportStage
from pipeline.report.words import UNKNOWN, CityTime, level_text
from pipeline.rules import default_rules
from sensors.field import FeedbackKind
from sensors.levels import Level
from tests.unit.loop_messages import (
    HOUR,
    MIN,
    T0,
    alarm,
    closure,
    dispatch,
    feedback,
    incident,
    order,
    town,
    warning,
)

NOW = T0 + 10 * MIN
LIMITS = default_rules().response

FLASH_FIELDS = [
    "number",
    "kind",
    "status",
    "level",
    "time_of_event",
    "time_of_report",
    "place",
    "source",
    "domain",
    "nature",
    "suspected_cause",
    "affected",
    "casualties",
    "loss",
    "measures",
    "units_on_scene",
    "trend",
    "advice",
    "help_needed",
    "next_report",
    "author",
    "approver",
    "sent_to",
]
FOLLOW_UP_FIELDS = [
    "number",
    "kind",
    "refers_to",
    "changes",
    "level",
    "next_report",
    "author",
    "sent_to",
]
FINAL_FIELDS = [
    "number",
    "kind",
    "cause",
    "course",
    "measures",
    "loss",
    "responsibility",
    "lessons",
    "rectification",
    "evaluation",
    "author",
    "sent_to",
]


def stage_of() -> ReportStage:
    return ReportStage(town(), LIMITS)


def play(stage: ReportStage, *ticks: tuple[int, Sequence[Message]]) -> list[Bulletin]:
    out: list[Message] = []
    for now_ms, messages in ticks:
        out += stage.on_batch(messages, now_ms)
        out += stage.on_time(now_ms)
    bulletins = [message for message in out if isinstance(message, Bulletin)]
    return [bulletin for bulletin in bulletins if bulletin.kind is not BulletinKind.NOTICE]


def case_evaluation(time_ms: int, **changes: object) -> CaseEvaluation:
    fields: dict[str, object] = {
        "incident": "I-1",
        "truth": "B1",
        "is_hit": True,
        "detection_delay_min": 9.0,
        "lead_time_min": None,
        "location_error_m": 100.0,
        "location_error_pipes": 1,
        "clocks_due": 7,
        "clocks_in_time": 6,
        "time_ms": time_ms,
        "reason": "matched",
    }
    return CaseEvaluation(**(fields | changes))


def run_evaluation(**changes: object) -> RunEvaluation:
    fields: dict[str, object] = {
        "true": 1,
        "found": 1,
        "missed": 0,
        "false": 0,
        "pod": 1.0,
        "far_ratio": 0.0,
        "csi": 1.0,
        "bias": 1.0,
        "lead_time_min": None,
        "lead_time_all_min": None,
        "detection_delay_min": 9.0,
        "location_error_m": 100.0,
        "timeliness": 6 / 7,
        "alarms": 4,
        "matches": {"B1": "I-1"},
        "time_ms": T0 + 24 * HOUR,
        "reason": "run_ended",
    }
    return RunEvaluation(**(fields | changes))


def story() -> list[tuple[int, list[Message]]]:
    """A yellow burst from confirmation to evaluation."""
    late = Milestone(
        "I-1", "O-I-1-1", "onsite", T0 + HOUR, T0 + 70 * MIN, False, T0 + 70 * MIN, "late"
    )
    done = T0 + 4 * HOUR
    return [
        (NOW, [incident(), warning(WarningStatus.ISSUED, NOW, incident="I-1"), dispatch(order())]),
        (NOW + MIN, [feedback(FeedbackKind.ACCEPTED, NOW + MIN)]),
        (T0 + 70 * MIN, [feedback(FeedbackKind.ARRIVED, T0 + 70 * MIN), late]),
        (T0 + 80 * MIN, [feedback(FeedbackKind.FOUND, T0 + 80 * MIN, element="P4")]),
        (T0 + 90 * MIN, [feedback(FeedbackKind.ISOLATED, T0 + 90 * MIN, element="P4")]),
        (T0 + 200 * MIN, [feedback(FeedbackKind.REPAIRED, T0 + 200 * MIN, element="P4")]),
        (
            done,
            [
                feedback(FeedbackKind.RESTORED, done, element="P4"),
                feedback(FeedbackKind.DONE, done),
            ],
        ),
        (done + 30 * MIN, [closure(done + 30 * MIN), case_evaluation(done + 30 * MIN)]),
        (T0 + 24 * HOUR, [run_evaluation()]),
    ]


def kinds(bulletins: Sequence[Bulletin]) -> list[str]:
    return [bulletin.kind.value for bulletin in bulletins]


def test_a_flash_goes_out_in_the_tick_of_confirmation_with_the_teams_sent():
    flash = play(stage_of(), story()[0])[0]
    assert (flash.id, flash.kind, flash.number) == ("B-I-1-1", BulletinKind.FLASH, 1)
    assert (flash.time_ms, flash.reason) == (NOW, Reason.CONFIRMED)
    assert flash.fields["units_on_scene"] == "Crew T1 (T1): sent"
    assert flash.fields["time_of_event"] == "2026-07-01 08:00"
    assert flash.fields["level"] == "III yellow (level 3)"
    assert flash.fields["source"].startswith("rule water.pressure_drop;")
    assert flash.fields["responsibility"] == "Water company"
    assert flash.sent_to == LIMITS[Level.YELLOW].notify


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("cause", [Cause.BURST, Cause.PUMP_OUTAGE, Cause.UNKNOWN])
def test_required_fields_are_never_empty_even_when_little_is_known(level: Level, cause: Cause):
    bare = incident(
        level=level, cause=cause, candidates=(), alarms=(), devices=(), households=0.0, area="D99"
    )
    later = T0 + 25 * HOUR
    bulletins = play(
        stage_of(),
        (NOW, [bare, dispatch(None)]),
        (later, [feedback(FeedbackKind.ARRIVED, later)]),
        (later + HOUR, [closure(later + HOUR), case_evaluation(later + HOUR, is_hit=False)]),
    )
    assert kinds(bulletins) == ["flash", "follow_up", "final"]
    for bulletin, names in zip(
        bulletins, (FLASH_FIELDS, FOLLOW_UP_FIELDS, FINAL_FIELDS), strict=True
    ):
        assert [name for name in names if not bulletin.fields[name].strip()] == []
    assert bulletins[0].fields["affected"] == UNKNOWN
    assert "nobody free" in bulletins[0].fields["help_needed"]


def test_nothing_is_reported_before_confirmation():
    open_one = incident(status=IncidentStatus.ASSESSING)
    gone = incident(version=2, status=IncidentStatus.DISMISSED)
    assert play(stage_of(), (NOW, [open_one]), (NOW + 9 * HOUR, [gone])) == []


def test_the_whole_story_is_numbered_and_dated():
    bulletins = play(stage_of(), *story())
    assert kinds(bulletins) == ["flash", "follow_up", "follow_up", "final", "summary"]
    assert [item.id for item in bulletins] == [
        *(f"B-I-1-{number}" for number in range(1, 5)),
        "B-run-1",
    ]
    assert bulletins[1].fields["refers_to"] == "B-I-1-1"
    assert bulletins[3].reason == Reason.CASE_CLOSED


def test_a_follow_up_lists_only_what_changed_since_the_one_before():
    first, second = play(stage_of(), *story())[1:3]
    assert "arrived" in first.fields["changes"]
    assert "sent to" not in first.fields["changes"]
    assert "arrived" not in second.fields["changes"]
    assert "isolated" in second.fields["changes"]


def test_a_yellow_case_without_news_has_no_follow_up():
    assert kinds(play(stage_of(), (NOW, [incident()]), (NOW + 9 * HOUR, []))) == ["flash"]


@pytest.mark.parametrize("level", [Level.ORANGE, Level.RED])
def test_orange_and_red_are_followed_up_hourly_without_news(level: Level):
    stage = stage_of()
    ticks = [(NOW + minute * MIN, []) for minute in range(1, 181)]
    bulletins = play(stage, (NOW, [incident(level=level)]), *ticks)
    assert [item.time_ms - NOW for item in bulletins] == [0, HOUR, 2 * HOUR, 3 * HOUR]
    assert bulletins[1].fields["changes"] == "No change since the report before"
    assert stage.next_due() == NOW + 4 * HOUR


def test_news_of_a_yellow_case_waits_for_an_hour_since_the_last_report():
    stage = stage_of()
    play(stage, (NOW, [incident()]))
    news = feedback(FeedbackKind.ARRIVED, NOW + 5 * MIN)
    assert play(stage, (NOW + 5 * MIN, [news]), (NOW + 59 * MIN, [])) == []
    assert stage.next_due() == NOW + HOUR
    assert [item.reason for item in play(stage, (NOW + HOUR, []))] == [Reason.NEWS]


def test_a_raised_level_is_followed_up_at_once():
    stage = stage_of()
    play(stage, (NOW, [incident()]))
    out = play(stage, (NOW + MIN, [incident(version=2, level=Level.RED, time_ms=NOW + MIN)]))
    assert [item.reason for item in out] == [Reason.LEVEL_RAISED]
    assert out[0].fields["trend"].startswith("worsening")


def test_an_incident_withdrawn_after_its_flash_is_reported_once_more():
    stage = stage_of()
    play(stage, (NOW, [incident(level=Level.ORANGE)]))
    gone = incident(version=2, status=IncidentStatus.DISMISSED, time_ms=NOW + MIN)
    out = play(stage, (NOW + MIN, [gone]), (NOW + 5 * HOUR, []))
    assert [(item.reason, item.time_ms) for item in out] == [(Reason.WITHDRAWN, NOW + MIN)]


def test_the_final_tells_course_evaluation_and_lessons():
    final = play(stage_of(), *story())[3]
    text = final.markdown
    for heading in ("## Course", "## Evaluation", "## Lessons", "## To be put right"):
        assert heading in text
    assert "Location error: 100 m, 1 pipe\n" in text
    assert "Late: arrival on scene 10 min late" in text
    assert "supply disturbed for about 4.0 h" in final.fields["loss"]


@pytest.mark.parametrize(
    ("other", "is_told"),
    [
        ({"domain": "flood", "cause": Cause.PONDING, "place": (450.0, 900.0)}, True),
        ({"domain": "flood", "cause": Cause.PONDING, "place": (450.0, 1100.0)}, False),
        ({"domain": "rain", "cause": Cause.STORM, "place": (450.0, 9000.0)}, True),
        ({"domain": "flood", "cause": Cause.SURCHARGE}, False),
        ({"cause": Cause.BURST}, False),
    ],
)
def test_what_happens_near_by_in_another_domain_is_told_at_both(other: dict, is_told: bool):
    first, second = incident(), incident("I-2", **other)
    said = play(stage_of(), (NOW, [first]), (NOW + MIN, [second]), (NOW + 3 * HOUR, []))
    told = {item.incident for item in said if "At the same time: " in item.markdown}
    assert ("I-1" in told) is is_told
    stage = stage_of()
    play(stage, (NOW, [first, closure(NOW)]))
    late = play(stage, (NOW + MIN, [second]), (NOW + 3 * HOUR, []))
    assert not any("At the same time: " in item.markdown for item in late)


def test_a_case_still_open_at_the_end_has_no_final():
    out = play(stage_of(), (NOW, [incident()]), (NOW + HOUR, [case_evaluation(NOW + HOUR)]))
    assert "final" not in kinds(out)


def test_a_revised_evaluation_makes_another_final():
    stage = stage_of()
    play(stage, *story()[:-1])
    out = play(stage, (T0 + 20 * HOUR, [case_evaluation(T0 + 20 * HOUR, is_hit=False)]))
    assert [(item.kind, item.reason) for item in out] == [
        (BulletinKind.FINAL, Reason.EVALUATION_REVISED)
    ]


def test_a_case_told_too_late_is_called_late_and_not_false() -> None:
    stage = stage_of()
    play(stage, *story()[:-1])
    told = case_evaluation(T0 + 20 * HOUR, is_hit=False, reason="told_late")
    [final] = play(stage, (T0 + 20 * HOUR, [told]))
    assert "Late: B1 counts as missed" in final.markdown
    assert "no true incident was near" not in final.markdown
    [summary] = play(stage, (T0 + 24 * HOUR, [run_evaluation(found=0, missed=1, late=1)]))
    assert "0 of 1 true incidents found, 1 missed, 0 false, 1 told too late" in summary.markdown
    assert "late B1" in summary.markdown


def test_the_summary_has_scores_cases_and_who_was_late():
    summary = play(stage_of(), *story())[-1]
    assert summary.subject == "run"
    assert summary.fields["probability_of_detection"] == "1.00"
    assert summary.fields["lead_time_over_hits"] == "not applicable"
    assert "| I-1 | III yellow | burst of a water main | P4 |" in summary.markdown
    assert "- I-1: arrival on scene 10 min late" in summary.markdown


def test_undefined_scores_are_called_undefined():
    empty = run_evaluation(true=0, found=0, pod=None, csi=None, location_error_m=None, matches={})
    summary = play(stage_of(), (NOW, [empty]))[0]
    assert summary.fields["probability_of_detection"] == "undefined"
    assert all(summary.fields.values())


def test_a_slip_is_news_and_names_the_tier():
    slip = Slip("I-1", "", "dispatch", 3, "orange", "city_centre", NOW, NOW, "limit_passed")
    stage = stage_of()
    play(stage, (NOW, [incident()]))
    follow_up = play(stage, (NOW + HOUR, [slip]))[0]
    assert "orange slip for dispatch to the city centre" in follow_up.fields["changes"]


def test_nothing_claims_to_be_actual():
    assert {item.fields["status"] for item in play(stage_of(), *story())} == {"Exercise"}


def finding(**changes: object) -> ModelFinding:
    fields: dict[str, object] = {
        "id": f"water.burst_ponding/P4/{T0}",
        "model": "water.burst_ponding",
        "version": "1",
        "domain": "water",
        "area": "D01",
        "effect": FindingEffect.RAISE,
        "level": Level.ORANGE,
        "devices": ("WP-1",),
        "elements": ("P4",),
        "cause": "burst",
        "value": 12.0,
        "unit": "min",
        "confidence": 0.8,
        "evidence": (),
        "x_m": 0.0,
        "y_m": 0.0,
        "is_on": True,
        "time_ms": NOW,
        "reason": "drop_and_ponding",
    }
    return ModelFinding(**(fields | changes))


def test_a_flash_names_rule_value_limit_level_and_sources_of_every_alarm():
    stage = ReportStage(town(), LIMITS, rules=default_rules().rules)
    one = alarm(unit="MPa", level=Level.ORANGE)
    flash = play(stage, (NOW, [one, incident()]))[0]
    sources = ", ".join(default_rules().rule("water.pressure_drop").sources)
    line = f"0.1 MPa against 0.05 MPa, level II orange (level 2); sources {sources}"
    assert flash.fields["basis"] == f"water.pressure_drop at WP-1: {line}"
    assert line in flash.markdown


def test_the_worst_numbers_of_an_alarm_stay_when_it_has_cleared():
    stage = stage_of()
    worst, milder = alarm(level=Level.RED, value=0.3), alarm(level=Level.BLUE, value=0.01)
    play(stage, (NOW, [worst, incident()]))
    cleared = alarm(AlarmState.CLEARED, time_ms=NOW + 2 * MIN)
    done = NOW + 3 * HOUR
    final = play(stage, (NOW + MIN, [milder]), (done, [cleared, closure(done)]))
    final = play(stage, (done, [case_evaluation(done)]))[-1]
    assert "0.3 against 0.05, level I red" in final.fields["basis"]


def test_a_case_lists_its_worst_alarms_and_counts_the_others():
    names = [f"WP-{number}" for number in range(12)]
    alarms = [alarm(device=name) for name in names]
    case = incident(alarms=tuple(one.id for one in alarms), devices=tuple(names))
    flash = play(stage_of(), (NOW, [*alarms, case]))[0]
    assert flash.fields["basis"].count("water.pressure_drop at") == 8
    assert flash.fields["basis"].endswith("and 4 alarms more")


@pytest.mark.parametrize("is_first", [True, False])
def test_what_a_warning_model_found_is_in_the_course_of_its_case(is_first: bool):
    stage = stage_of()
    other = finding(id="other", devices=("X",), elements=("Y",))
    told = [other, finding()] if is_first else []
    play(stage, (NOW, [*told, incident()]))
    later = [] if is_first else [finding(time_ms=NOW + MIN)]
    done = NOW + 3 * HOUR
    over = finding(is_on=False, time_ms=NOW + HOUR)
    play(stage, (NOW + MIN, later), (NOW + HOUR, [over]), (done, [closure(done)]))
    final = play(stage, (done, [case_evaluation(done)]))[-1]
    what = "Model water.burst_ponding 1 speaks for level II orange (level 2), 12 min, 80% sure"
    assert final.fields["models"].startswith(what)
    assert what in final.fields["course"]
    assert "Model water.burst_ponding no longer finds it" in final.fields["course"]


def test_the_flash_says_how_long_after_the_issue_it_came_and_whether_that_was_in_time():
    limit_min = LIMITS[Level.ORANGE].report_min
    assert limit_min is not None
    for minutes, verdict in ((0, "in time"), (round(limit_min) + 5, "late")):
        issued = warning(WarningStatus.ISSUED, NOW - minutes * MIN, incident="I-1")
        case = incident(level=Level.ORANGE)
        flash = play(stage_of(), (NOW - minutes * MIN, [issued]), (NOW, [case]))[0]
        said = flash.fields["report_time"]
        assert said.startswith(f"{minutes} min after the warning was issued, limit")
        assert said.endswith(verdict)
    unissued = play(stage_of(), (NOW, [incident()]))[0]
    assert unissued.fields["report_time"].startswith("no warning is out yet")


def test_the_final_lists_every_version_of_the_warning_and_who_let_it_out():
    stage = stage_of()
    waiting = warning(WarningStatus.AWAITING_APPROVAL, NOW, version=2, incident="I-1")
    issued = warning(WarningStatus.ISSUED, NOW + MIN, version=3, incident="I-1", actor="Li")
    updated = warning(WarningStatus.UPDATED, NOW + 2 * MIN, version=4, incident="I-1")
    merged = warning(WarningStatus.CANCELLED, NOW, id="W-2", incident="I-1")
    done = NOW + 3 * HOUR
    play(stage, (NOW, [incident(), merged, waiting]), (NOW + MIN, [issued, updated]))
    final = play(stage, (done, [closure(done), case_evaluation(done)]))[-1]
    assert final.fields["warnings"].count("Version") == 3
    assert "Version 3: issued by Li, level III yellow" in final.fields["warnings"]
    assert "W-2" not in final.fields["course"]


def test_the_summary_shows_the_load_on_the_operators_when_it_was_counted():
    kpi = {"alarms_per_operator_10min": 0.25, "by_level": {"red": 2, "blue": 7}}
    summary = play(stage_of(), (NOW, [run_evaluation(alarms_kpi=kpi)]))[-1].markdown
    assert "| Alarms per operator 10min | 0.25 |" in summary
    assert "| By level: red | 2 |" in summary
    plain = play(stage_of(), (NOW, [run_evaluation()]))[-1].markdown
    assert "Load on the operators" not in plain


def test_city_time_follows_the_offset():
    assert CityTime(480).full(T0) == "2026-07-01 08:00"
    assert CityTime(0).full(T0) == "2026-07-01 00:00"
    assert CityTime(0).short(T0 + 5 * MIN, day_of_ms=T0) == "00:05"
    assert CityTime(0).short(T0 - MIN, day_of_ms=T0) == "2026-06-30 23:59"


def test_a_level_always_travels_with_its_number():
    assert level_text(Level.RED) == "I red (level 1)"


def test_table_cells_cannot_break_the_table():
    lines = table(("a", "b"), [("x|y", "1\n2")]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| x\\|y | 1 2 |"]


def test_sections_without_lines_are_left_out():
    text = document("T", "lead", [("a", "b")], [("Empty", []), ("Full", ["x"])])
    assert "Empty" not in text
    assert text.endswith("## Full\n\n- x\n")
