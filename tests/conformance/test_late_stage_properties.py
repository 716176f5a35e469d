"""The stage properties for dispatch, supervise, evaluate and report: batching and restarts."""

from collections.abc import Callable

import pytest

from pipeline.dispatch.plans import default_plans
from pipeline.dispatch.stage import DispatchStage
from pipeline.evaluate.stage import EvaluateStage
from pipeline.loop import LOOP
from pipeline.messages import AlarmState, Cause, IncidentStatus, Message, WarningStatus
from pipeline.report.stage import ReportStage
from pipeline.rules import default_rules
from pipeline.stage import Stage
from pipeline.supervise.stage import SuperviseStage
from sensors.field import FeedbackKind
from sensors.levels import Level
from tests.conformance.stage_properties import (
    Script,
    same_after_restart,
    same_in_any_batching,
)
from tests.unit.loop_messages import (
    MIN,
    T0,
    alarm,
    closure,
    dispatch,
    feedback,
    incident,
    order,
    town,
    truth,
    warning,
)

RULES = default_rules()
CITY = town()
STAGES: dict[str, Callable[[], Stage]] = {
    "dispatch": lambda: DispatchStage(CITY, default_plans(), RULES.response),
    "supervise": lambda: SuperviseStage(RULES.response, RULES.escalation),
    "evaluate": lambda: EvaluateStage(CITY),
    "report": lambda: ReportStage(CITY, RULES.response),
}


def _story() -> list[tuple[int, list[Message]]]:
    """Two incidents at once: one upgraded, moved, searched twice; one open to the end."""
    first, second = order(), order("O-I-1-2", team="T2", issued_ms=T0 + 50 * MIN)
    other = order("O-I-2-1", incident="I-2", team="T2")
    steps: list[tuple[int, list[Message]]] = [
        (0, [truth(), alarm(), alarm(device="WP-2"), warning()]),
        (4, [incident(status=IncidentStatus.ASSESSING, time_ms=T0 + 4 * MIN)]),
        (
            10,
            [
                incident(version=2),
                incident("I-2", cause=Cause.UNKNOWN, area="D02", devices=("WP-2",), alarms=()),
                warning(WarningStatus.ISSUED, T0 + 10 * MIN, incident="I-1"),
                dispatch(first),
                first,
                dispatch(other),
                other,
            ],
        ),
        (12, [feedback(FeedbackKind.ACCEPTED, T0 + 12 * MIN)]),
        (
            14,
            [
                incident(version=3, candidates=("P1", "P2"), level=Level.ORANGE),
                feedback(FeedbackKind.ARRIVED, T0 + 14 * MIN, "O-I-2-1", incident="I-2"),
            ],
        ),
        (45, [feedback(FeedbackKind.NOT_FOUND, T0 + 45 * MIN), dispatch(None)]),
        (46, [feedback(FeedbackKind.REFUSED, T0 + 46 * MIN, "O-I-2-1", incident="I-2")]),
        (50, [dispatch(second), second]),
        (90, [feedback(FeedbackKind.ARRIVED, T0 + 90 * MIN, "O-I-1-2")]),
        (95, [feedback(FeedbackKind.FOUND, T0 + 95 * MIN, "O-I-1-2", element="P2")]),
        (110, [feedback(FeedbackKind.ISOLATED, T0 + 110 * MIN, "O-I-1-2", element="P2")]),
        (130, [alarm(AlarmState.CLEARED, time_ms=T0 + 130 * MIN)]),
        (
            200,
            [
                feedback(FeedbackKind.RESTORED, T0 + 200 * MIN, "O-I-1-2", element="P2"),
                feedback(FeedbackKind.DONE, T0 + 200 * MIN, "O-I-1-2"),
                truth(harm_ms=T0 + 8 * MIN, end_ms=T0 + 110 * MIN),
            ],
        ),
        (210, [closure(T0 + 210 * MIN), incident(version=4, status=IncidentStatus.CLOSED)]),
        (400, []),
    ]
    return [(T0 + minute * MIN, messages) for minute, messages in steps]


def script_for(name: str) -> Script:
    """Return the story with what the stage takes; idle ticks between make timers run."""
    takes = next(step.takes for step in LOOP if step.name == name)
    told = {now: [item for item in items if isinstance(item, takes)] for now, items in _story()}
    ticks = {T0 + minute * MIN for minute in range(0, 9 * 60, 7)} | set(told)
    return [(now_ms, told.get(now_ms, [])) for now_ms in sorted(ticks)]


@pytest.mark.parametrize("name", sorted(STAGES))
def test_batching_changes_nothing(name: str):
    same_in_any_batching(STAGES[name], script_for(name))


@pytest.mark.parametrize("name", sorted(STAGES))
@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_restart_changes_nothing(name: str, every: int):
    same_after_restart(STAGES[name], script_for(name), every)


@pytest.mark.parametrize("name", sorted(STAGES))
def test_the_name_is_the_one_in_the_loop(name: str):
    assert STAGES[name]().name == name


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_timer_is_never_left_behind(name: str):
    stage = STAGES[name]()
    for now_ms, messages in script_for(name):
        stage.on_batch(messages, now_ms)
        stage.on_time(now_ms)
        due_ms = stage.next_due()
        assert due_ms is None or due_ms > now_ms


@pytest.mark.parametrize("name", ["supervise", "report"])
def test_what_time_alone_brings_was_announced_by_next_due(name: str):
    stage, announced = STAGES[name](), 0
    for now_ms, messages in script_for(name):
        due_ms = stage.next_due()
        stage.on_batch(messages, now_ms)
        said = stage.on_time(now_ms)
        if said and not messages:
            assert due_ms is not None
            assert due_ms <= now_ms
            announced += 1
    assert announced > 0
