"""The loop as data: seven stages, and ground truth for `evaluate` alone."""

from typing import get_args

import pytest

from pipeline.loop import LOOP, STAGES, Step
from pipeline.messages import CitizenTold, Message, RulesChanged
from sensors.field import WorkOrder
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame


def types_of(step: Step) -> tuple[type, ...]:
    return get_args(step.takes) or (step.takes,)


def test_there_are_seven_stages_in_order() -> None:
    assert STAGES == ("monitor", "warn", "assess", "dispatch", "supervise", "evaluate", "report")


def test_only_evaluate_takes_ground_truth() -> None:
    assert [step.name for step in LOOP if TrueIncident in types_of(step)] == ["evaluate"]


def test_only_monitor_takes_frames() -> None:
    assert [step.name for step in LOOP if Frame in types_of(step)] == ["monitor"]


def test_no_stage_takes_a_type_that_holds_ground_truth_in_general() -> None:
    for step in LOOP:
        assert not set(types_of(step)) & {object, tuple, Message}


@pytest.mark.parametrize("kind", get_args(Message))
def test_every_message_is_taken_by_a_stage_or_leaves_the_platform(kind: type) -> None:
    takers = [step.name for step in LOOP if kind in types_of(step)]
    assert takers or kind in (WorkOrder, CitizenTold, RulesChanged), f"nobody takes {kind.__name__}"


def test_early_stages_are_keyed_by_area_and_late_ones_by_incident() -> None:
    assert [step.key for step in LOOP] == ["area"] * 2 + ["incident"] * 5
