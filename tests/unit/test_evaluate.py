"""Evaluate: matching one to one, scores, and verdicts that do not depend on order."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.matching import FoundCase, MatchLimits, events, match, match_late
from pipeline.evaluate.pipes import PipeSteps
from pipeline.evaluate.reasons import Reason
from pipeline.evaluate.scores import Contingency, mean
from pipeline.evaluate.stage import EvaluateStage
from pipeline.messages import (
    AlarmState,
    CaseEvaluation,
    IncidentStatus,
    Message,
    Milestone,
    RunEvaluation,
    Slip,
    WarningStatus,
)
from sensors.ground_truth import TrueKind
from sensors.levels import Level
from tests.unit.loop_messages import (
    HOUR,
    MIN,
    PIPES,
    T0,
    alarm,
    closure,
    incident,
    town,
    truth,
    warning,
)

END = T0 + 24 * HOUR
CITY = town()


def run(messages: Sequence[Message], end_ms: int = END) -> RunEvaluation:
    stage = EvaluateStage(CITY)
    stage.on_batch(messages, T0)
    out = stage.finish(end_ms)[-1]
    assert isinstance(out, RunEvaluation)
    return out


def verdict(messages: Sequence[Message]) -> CaseEvaluation:
    out = EvaluateStage(CITY).on_batch([*messages, closure(T0 + 5 * HOUR)], T0 + 5 * HOUR)
    assert len(out) == 1
    assert isinstance(out[0], CaseEvaluation)
    return out[0]


def milestone(clock: str, *, is_in_time: bool, done_ms: int = T0 + HOUR) -> Milestone:
    return Milestone("I-1", "O-I-1-1", clock, T0 + HOUR, done_ms, is_in_time, done_ms, "x")


def slip(clock: str, step: int, order: str = "O-I-1-1") -> Slip:
    return Slip("I-1", order, clock, step, "yellow", "unit", T0, T0, "limit_passed")


def found(name: str = "I-1", **changes: object) -> FoundCase:
    fields = {"domain": "water", "area": "D01", "x_m": 450.0, "y_m": 0.0, "issued_ms": T0}
    return FoundCase(name, **(fields | changes))


def test_a_found_burst_is_a_hit_with_delay_lead_and_location_error():
    true = truth(harm_ms=T0 + 40 * MIN, detectable_ms={"A": T0 + 5 * MIN, "B": T0 + 2 * MIN})
    result = verdict([true, incident(candidates=("P6", "P4"), place=(650.0, 0.0))])
    assert result.is_hit
    assert (result.truth, result.reason) == ("B1", Reason.MATCHED)
    assert result.detection_delay_min == pytest.approx(8.0)
    assert result.lead_time_min == pytest.approx(30.0)
    assert result.location_error_m == pytest.approx(200.0)
    assert result.location_error_pipes == 2


def test_the_run_gives_the_mean_error_in_pipes_over_its_hits():
    first = [truth(), incident(candidates=("P6", "P4"), place=(650.0, 0.0))]
    assert run(first).location_error_pipes == 2.0
    second = [
        truth("B2", element="P8", x_m=850.0, onset_ms=T0 + 3 * HOUR),
        incident("I-2", candidates=("P7",), place=(750.0, 0.0), time_ms=T0 + 4 * HOUR),
    ]
    assert run(first + second).location_error_pipes == 1.5
    assert run([truth()]).location_error_pipes is None


def test_an_unmatched_confirmed_incident_is_false():
    result = run([incident()])
    assert (result.true, result.found, result.missed, result.false) == (0, 0, 0, 1)
    assert (result.pod, result.far_ratio, result.csi) == (None, 1.0, 0.0)


def test_an_incident_that_never_left_the_platform_is_not_false():
    gone = [
        incident(status=IncidentStatus.ASSESSING),
        incident(version=2, status=IncidentStatus.DISMISSED),
    ]
    result = run(gone)
    assert (result.false, result.far_ratio) == (0, None)


def test_decoys_are_never_true():
    decoy = truth(kind=TrueKind.PUMP_SWITCH, is_hazard=False)
    result = run([decoy, incident()])
    assert (result.true, result.missed, result.false) == (0, 0, 1)


def test_an_empty_run_has_no_scores():
    result = run([])
    scores = (result.pod, result.far_ratio, result.csi, result.bias, result.timeliness)
    assert scores == (None,) * 5
    assert result.lead_time_min is None
    assert result.lead_time_all_min is None


def test_a_miss_counts_with_lead_time_zero():
    messages = [
        truth("B1", harm_ms=T0 + 40 * MIN),
        truth("B2", area="D09", x_m=9e4, harm_ms=T0 + 40 * MIN),
        incident(),
    ]
    result = run(messages)
    assert (result.true, result.found, result.missed) == (2, 1, 1)
    assert result.lead_time_min == pytest.approx(30.0)
    assert result.lead_time_all_min == pytest.approx(15.0)
    assert result.matches == {"B1": "I-1"}


def test_lead_time_counts_from_the_first_issue_at_the_true_level():
    true = truth(level=Level.ORANGE, harm_ms=T0 + HOUR)
    low = incident(level=Level.BLUE)
    high = incident(version=2, level=Level.RED, time_ms=T0 + 45 * MIN)
    assert verdict([true, low]).lead_time_min is None
    assert verdict([true, low, high]).lead_time_min == pytest.approx(15.0)
    assert verdict([true, low, high]).detection_delay_min == pytest.approx(9.0)


def test_a_warning_issued_before_the_assessment_counts_as_issued():
    early = warning(WarningStatus.ISSUED, T0 + 3 * MIN, incident="I-1")
    draft = warning(WarningStatus.DRAFT, T0 + 2 * MIN, incident="I-1")
    assert verdict([truth(), draft, early, incident()]).detection_delay_min == pytest.approx(2.0)


def test_the_location_is_judged_as_it_was_when_the_first_team_arrived():
    found_later = incident(version=2, candidates=("P4",), time_ms=T0 + 2 * HOUR)
    messages = [
        truth(),
        incident(candidates=("P7",), place=(750.0, 0.0)),
        milestone("onsite", is_in_time=True, done_ms=T0 + HOUR),
        found_later,
    ]
    assert verdict(messages).location_error_m == pytest.approx(300.0)


@pytest.mark.parametrize(
    ("changes", "is_near"),
    [
        ({}, True),
        ({"domain": "gas"}, False),
        ({"area": "D02", "x_m": 950.0}, True),
        ({"area": "D02", "x_m": 951.0}, False),
        ({"x_m": 5000.0}, True),
        ({"issued_ms": T0 - 6 * HOUR, "is_forecast": True}, True),
        ({"issued_ms": T0 - 6 * HOUR - 1, "is_forecast": True}, False),
        ({"issued_ms": T0 - 5 * MIN}, True),
        ({"issued_ms": T0 - 5 * MIN - 1}, False),
        ({"issued_ms": T0 + 90 * MIN}, True),
        ({"issued_ms": T0 + 90 * MIN + 1}, False),
    ],
)
def test_matching_tolerances(changes: dict[str, object], is_near: bool):
    true = truth(harm_ms=T0 + HOUR)
    assert match([true], [found(**changes)], END) == ({"I-1": "B1"} if is_near else {})


def test_without_harm_any_issue_before_the_end_counts():
    assert match([truth()], [found(issued_ms=END)], END) == {"I-1": "B1"}
    assert match([truth()], [found(issued_ms=END + 1)], END) == {}


LATE = T0 + 90 * MIN + 1


@pytest.mark.parametrize(
    ("harmed", "changes", "is_late"),
    [
        ({}, {"issued_ms": LATE}, True),
        ({}, {"issued_ms": LATE - 1}, False),  # in time
        ({"end_ms": LATE - 1}, {"issued_ms": LATE}, False),  # over by then
        ({"end_ms": LATE}, {"issued_ms": LATE}, True),
        ({}, {"issued_ms": END + 1}, False),
        ({}, {"issued_ms": LATE, "domain": "gas"}, False),
        ({}, {"issued_ms": LATE, "area": "D02", "x_m": 951.0}, False),
        ({"harm_ms": None}, {"issued_ms": LATE}, False),  # without harm nothing is too late
        ({"is_hazard": False}, {"issued_ms": LATE}, False),
    ],
)
def test_what_is_told_long_after_harm_is_late_while_it_lasts(
    harmed: dict[str, Any], changes: dict[str, object], is_late: bool
):
    true = truth(**{"harm_ms": T0 + HOUR, **harmed})
    case = found(**changes)
    matches = match([true], [case], END)
    assert match_late([true], [case], matches, END) == ({"I-1": "B1"} if is_late else {})


def test_a_second_incident_of_what_is_found_or_told_late_already_is_false():
    true = truth(harm_ms=T0 + HOUR)
    cases = [found("I-1", issued_ms=LATE), found("I-2", issued_ms=LATE + 1)]
    assert match_late([true], cases, {}, END) == {"I-1": "B1"}
    assert match_late([true], cases[1:], {"I-0": "B1"}, END) == {}


def test_an_incident_told_too_late_is_neither_hit_nor_false_and_the_event_is_missed():
    true = truth(harm_ms=T0 + HOUR)
    messages = [true, incident(time_ms=LATE)]
    result, whole = verdict(messages), run(messages)
    assert (result.is_hit, result.truth, result.reason) == (False, "B1", Reason.TOLD_LATE)
    assert (whole.found, whole.missed, whole.false, whole.late) == (0, 1, 0, 1)
    assert whole.far_ratio is None


def test_one_truth_takes_one_incident_the_earliest():
    cases = [found("I-2", issued_ms=T0 + 9), found("I-1", issued_ms=T0 + 5)]
    assert match([truth()], cases, END) == {"I-1": "B1"}


def test_timeliness_counts_overdue_clocks_that_were_never_met():
    messages = [
        incident(),
        milestone("ack", is_in_time=True),
        milestone("assess", is_in_time=False),
        slip("onsite", 1),
        slip("contain", 1),
        slip("contain", 2),
        slip("contain", 3),
        slip("verify", 2),
    ]
    assert run(messages).timeliness == pytest.approx(1 / 3)
    result = verdict(messages)
    assert (result.clocks_due, result.clocks_in_time) == (3, 1)


def test_a_milestone_decides_over_the_slip_before_it():
    late = [slip("contain", 2), milestone("contain", is_in_time=False)]
    assert run(late).timeliness == 0.0
    assert run([*reversed(late)]).timeliness == 0.0


def test_alarms_are_counted_when_raised():
    states = [AlarmState.PROVISIONAL, AlarmState.RAISED, AlarmState.CHANGED, AlarmState.CLEARED]
    assert run([alarm(state) for state in states]).alarms == 1


def test_the_end_evaluates_open_cases_and_revises_changed_ones():
    stage = EvaluateStage(CITY)
    stage.on_batch([incident("I-1"), incident("I-2", area="D02"), incident("I-3")], T0)
    closed = stage.on_batch([closure(T0, "I-1"), closure(T0, "I-3")], T0 + HOUR)
    assert [item.is_hit for item in closed] == [False, False]
    stage.on_batch([truth()], T0 + HOUR)
    cases = [item for item in stage.finish(END) if isinstance(item, CaseEvaluation)]
    assert [(item.incident, item.is_hit, item.reason) for item in cases] == [
        ("I-1", True, Reason.REVISED),
        ("I-2", False, Reason.OPEN_AT_END),
    ]


def test_a_closure_that_comes_twice_is_evaluated_once():
    stage = EvaluateStage(CITY)
    stage.on_batch([truth(), incident()], T0)
    assert len(stage.on_batch([closure(T0 + HOUR), closure(T0 + HOUR)], T0 + HOUR)) == 1


def test_an_older_version_of_a_truth_changes_nothing():
    newer = truth(harm_ms=T0 + HOUR, end_ms=T0 + 2 * HOUR)
    assert run([newer, truth(), incident()]) == run([truth(), newer, incident()])


@pytest.mark.parametrize(
    ("first", "second", "steps"),
    [("P4", "P4", 0), ("P4", "P5", 1), ("P3", "P5", 2), ("P0", "P8", 8), ("P8", "PU1", 1)],
)
def test_pipe_steps_count_shared_nodes(first: str, second: str, steps: int):
    pipes = PipeSteps(CITY)
    assert pipes.between(first, second) == steps
    assert pipes.between(second, first) == steps


def test_pipe_steps_to_something_that_is_no_pipe_are_unknown():
    assert PipeSteps(CITY).between("P4", "N1") is None


def test_two_pumps_of_one_house_that_stand_together_are_one_event():
    first = truth("P1", kind=TrueKind.PUMP_TRIP, end_ms=T0 + HOUR)
    second = truth(
        "P2",
        kind=TrueKind.PUMP_TRIP,
        onset_ms=T0 + 5 * MIN,
        level=Level.RED,
        harm_ms=T0 + HOUR,
        detectable_ms={"WP-2": T0 + 6 * MIN},
    )
    event = events([second, first])["P1"]
    assert (event.level, event.harm_ms, event.end_ms) == (Level.RED, T0 + HOUR, None)
    assert event.detectable_ms == {"WP-1": T0 + MIN, "WP-2": T0 + 6 * MIN}


@pytest.mark.parametrize(
    "changes",
    [
        {"x_m": 480.0},
        {"onset_ms": T0 + 2 * HOUR},
        {"kind": TrueKind.BURST},
        {"is_hazard": False},
    ],
)
def test_what_is_elsewhere_later_or_of_another_kind_is_an_event_of_its_own(changes: dict):
    first = truth("P1", kind=TrueKind.PUMP_TRIP, end_ms=T0 + HOUR)
    other = truth("P2", **({"kind": TrueKind.PUMP_TRIP, "onset_ms": T0 + MIN} | changes))
    wanted = {"P1"} | ({"P2"} if other.is_hazard else set())
    assert set(events([first, other])) == wanted
    assert events([first, other])["P1"] == first


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_scores_agree_with_their_definitions(hits: int, misses: int, false: int):
    scores = Contingency(hits, misses, false)
    if hits:
        assert 1 / scores.csi == pytest.approx(1 / scores.pod + 1 / (1 - scores.far_ratio) - 1)
        assert scores.bias == pytest.approx(scores.pod / (1 - scores.far_ratio))
    assert (scores.pod is None) == (hits + misses == 0)
    assert (scores.far_ratio is None) == (hits + false == 0)


def test_a_mean_leaves_out_what_is_unknown():
    assert mean([1.0, None, 3.0]) == 2.0
    assert mean([None]) is None


@st.composite
def runs(draw: st.DrawFn) -> list[Message]:
    """Draw truths, decoys, incidents in versions, warnings and clocks of a run."""
    messages: list[Message] = []
    minutes = st.integers(0, 20 * 60)
    areas = st.sampled_from(["D01", "D02", "D03"])
    xs = st.sampled_from([0.0, 300.0, 700.0, 1500.0])
    for number in range(draw(st.integers(0, 5))):
        onset_ms = T0 + draw(minutes) * MIN
        harm_min = draw(st.one_of(st.none(), st.integers(0, 120)))
        base = {
            "area": draw(areas),
            "x_m": draw(xs),
            "onset_ms": onset_ms,
            "is_hazard": draw(st.booleans()),
            "detectable_ms": {"A": onset_ms + MIN},
        }
        messages.append(truth(f"B{number}", **base))
        if harm_min is not None:
            harm_ms = onset_ms + harm_min * MIN
            messages.append(truth(f"B{number}", **base, harm_ms=harm_ms))
    statuses = st.sampled_from([IncidentStatus.CONFIRMED, IncidentStatus.DISMISSED])
    for number in range(draw(st.integers(0, 5))):
        time_ms = T0 + draw(minutes) * MIN
        place = (draw(xs), 0.0)
        area, status = draw(areas), draw(statuses)
        messages += [
            incident(
                f"I-{number}",
                version,
                area=area,
                status=status,
                place=place,
                candidates=(draw(st.sampled_from(PIPES)),),
                time_ms=time_ms + version * MIN,
                level=draw(st.sampled_from(list(Level))),
            )
            for version in range(1, draw(st.integers(1, 3)) + 1)
        ]
    return messages


@given(runs(), st.randoms(use_true_random=False))
def test_arrival_order_changes_nothing(messages: list[Message], shuffle: random.Random):
    shuffled = list(messages)
    shuffle.shuffle(shuffled)
    assert run(shuffled) == run(messages)


@given(runs())
def test_run_scores_recomputed_from_the_messages(messages: list[Message]):
    result = run(messages)
    newest = {item.id: item for item in messages if hasattr(item, "onset_ms")}
    hazards = set(events(newest.values()))
    assert hazards <= {name for name, item in newest.items() if item.is_hazard}
    issued = {
        item.id for item in messages if getattr(item, "status", None) == IncidentStatus.CONFIRMED
    }
    hits = len(result.matches)
    assert set(result.matches) <= hazards
    assert set(result.matches.values()) <= issued
    assert len(set(result.matches.values())) == hits
    assert (result.true, result.found) == (len(hazards), hits)
    assert result.missed == len(hazards) - hits
    claims = len(issued) - result.late
    assert 0 <= result.late <= result.missed
    assert result.false == claims - hits
    assert result.pod == (hits / len(hazards) if hazards else None)
    assert result.far_ratio == ((claims - hits) / claims if claims else None)
    either = len(hazards) + claims - hits
    assert result.csi == (hits / either if either else None)


@given(runs())
def test_no_unmatched_pair_is_left_that_could_match(messages: list[Message]):
    result = run(messages)
    truths = {item.id: item for item in messages if hasattr(item, "onset_ms")}
    cases: dict[str, FoundCase] = {}
    for item in messages:
        if getattr(item, "status", None) == IncidentStatus.CONFIRMED:
            place = {"x_m": item.location.x_m, "y_m": item.location.y_m}
            first_ms = cases[item.id].issued_ms if item.id in cases else item.time_ms
            cases[item.id] = found(item.id, area=item.area, issued_ms=first_ms, **place)
    free = [item for name, item in truths.items() if name not in result.matches]
    idle = [case for name, case in cases.items() if name not in result.matches.values()]
    assert match(free, idle, END, MatchLimits()) == {}
