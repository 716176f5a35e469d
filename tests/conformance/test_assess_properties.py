"""The assess stage does not care about batching or restarts, whatever the alarms are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.assess.policy import AssessPolicy
from pipeline.assess.stage import AssessStage
from pipeline.messages import (
    Alarm,
    AlarmState,
    Closure,
    DeviceHealth,
    HealthKind,
    Incident,
    IncidentStatus,
    Message,
)
from sensors.field import Feedback, FeedbackKind
from sensors.levels import Level
from tests.conformance.stage_properties import play, same_after_restart, same_in_any_batching
from tests.unit.assess_town import (
    LinearModel,
    alarm,
    at,
    device_id,
    draft,
    leak_signature,
    normal,
    registry,
    samples,
    street,
)

ONSET = 15
NEXT = {
    IncidentStatus.ASSESSING: {"assessing", "confirmed", "dismissed", "closed"},
    IncidentStatus.CONFIRMED: {"confirmed", "closed"},
    IncidentStatus.DISMISSED: set(),
    IncidentStatus.CLOSED: set(),
}


def make_stage() -> AssessStage:
    return AssessStage(registry(), street(), LinearModel(), AssessPolicy())


def make_early_stage() -> AssessStage:
    policy = AssessPolicy(issue_before_assess=True)
    return AssessStage(registry(), street(), None, policy)


def burst_day() -> list[tuple[int, list[Message]]]:
    """Return a script with a burst, late alarms, a doubtful device, a crew and a closure."""
    incident = f"I-A-{at(ONSET)}"
    first, raised = alarm(2, ONSET), alarm(2, ONSET + 5, AlarmState.RAISED, raised=ONSET)
    late = alarm(4, ONSET + 12, AlarmState.RAISED, raised=ONSET + 2)
    doubt = DeviceHealth(device_id(0), "A", HealthKind.STUCK, True, at(18), "test")
    extra: dict[int, list[Message]] = {
        ONSET: [first, alarm(3, ONSET)],
        18: [doubt],
        20: [raised, draft(20, raised)],
        27: [late, draft(27, late, area="B")],
        30: [Feedback("F1", "O1", incident, "T1", FeedbackKind.ARRIVED, at(30))],
        35: [alarm(2, 35, AlarmState.CLEARED, raised=ONSET)],
        36: [Closure(incident, True, at(36), "recovered")],
        40: [alarm(2, 40, AlarmState.RAISED, raised=39)],
    }
    script = []
    for minute in range(48):
        leak = leak_signature("P4") * 150.0 if ONSET <= minute < 33 else np.zeros(7)
        script.append((at(minute), [samples(normal() + leak, minute), *extra.get(minute, [])]))
    return script


def test_batching_changes_nothing() -> None:
    same_in_any_batching(make_stage, burst_day())
    same_in_any_batching(make_early_stage, burst_day())


def test_restarts_change_nothing() -> None:
    same_after_restart(make_stage, burst_day())
    same_after_restart(make_early_stage, burst_day())


def test_timer_names_the_next_decision() -> None:
    stage = make_stage()
    assert stage.next_due() is None
    quiet = [samples(normal(), ONSET), alarm(2, ONSET)]
    play(stage, [(at(ONSET), quiet)])
    assert stage.next_due() == at(ONSET) + AssessPolicy().decide_after_ms


alarms = st.builds(
    alarm,
    number=st.integers(0, 4),
    minute=st.integers(0, 40),
    state=st.sampled_from(AlarmState),
    level=st.sampled_from(Level),
    rule=st.sampled_from(["water.pressure_drop", "water.pressure_head"]),
    raised=st.integers(0, 40),
)


@settings(max_examples=25)
@given(st.lists(alarms, max_size=25), st.sampled_from(["P1", "P4", "P8"]))
def test_any_alarms_give_consistent_versions(storm: list[Alarm], pipe: str) -> None:
    script: list[tuple[int, list[Message]]] = []
    for minute in range(45):
        leak = leak_signature(pipe) * 150.0 if minute >= ONSET else np.zeros(7)
        mine = [one for one in storm if one.time_ms == at(minute)]
        script.append((at(minute), [samples(normal() + leak, minute), *mine]))
    stage = make_stage()
    said = play(stage, script)
    for (now_ms, _), tick in zip(script, said, strict=True):
        assert all(one.time_ms == now_ms for one in tick if isinstance(one, Incident))
    newest: dict[str, Incident] = {}
    for one in (one for tick in said for one in tick if isinstance(one, Incident)):
        before = newest.get(one.id)
        assert one.version == (before.version + 1 if before else 1)
        assert before is None or one.status.value in NEXT[before.status]
        assert before is None or set(before.alarms) <= set(one.alarms)
        if before is not None and before.status is IncidentStatus.CONFIRMED:
            assert one.level <= before.level
        newest[one.id] = one
    again = make_stage()
    again.restore(stage.snapshot())
    assert again.snapshot() == stage.snapshot()
