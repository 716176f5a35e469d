"""The assess stage: grouping, causes, levels, warnings and the life of an incident."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.assess.history import DEPTH, History
from pipeline.assess.layout import Layout
from pipeline.assess.policy import BASIS, AssessPolicy
from pipeline.assess.reasons import Reason
from pipeline.assess.stage import AssessStage
from pipeline.errors import SnapshotError
from pipeline.messages import (
    Alarm,
    AlarmState,
    Cause,
    Closure,
    DeviceHealth,
    HealthKind,
    Incident,
    IncidentStatus,
    Message,
    WarningNotice,
    WarningStatus,
)
from pipeline.ports import Conditions
from sensors.field import Feedback, FeedbackKind
from sensors.levels import Level
from sensors.readings import Quality, ReadingBatch
from tests.unit.assess_town import (
    DEVICES,
    FLOW_NUMBER,
    PUMP_NUMBER,
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

POLICY = AssessPolicy()
ONSET = 30
Script = dict[int, list[Message]]


def play(
    script: Script,
    leak: Callable[[int], NDArray[np.float64]],
    minutes: int = 60,
    policy: AssessPolicy = POLICY,
    model: LinearModel | None = None,
    has_model: bool = True,
) -> list[Message]:
    """Run a stage for some minutes on the values `leak` gives for each minute."""
    used = (model or LinearModel()) if has_model else None
    stage = AssessStage(registry(), street(), used, policy)
    said: list[Message] = []
    for minute in range(minutes + 1):
        batch = [samples(leak(minute), minute), *script.get(minute, [])]
        said += stage.on_batch(batch, at(minute))
        said += stage.on_time(at(minute))
    return said


def leak_from(pipe: str, m3_h: float = 150.0) -> Callable[[int], NDArray[np.float64]]:
    return lambda minute: normal() + (leak_signature(pipe) * m3_h if minute >= ONSET else 0.0)


def undisturbed(_: int) -> NDArray[np.float64]:
    return normal()


def incidents(said: Sequence[Message]) -> list[Incident]:
    return [message for message in said if isinstance(message, Incident)]


def notices(said: Sequence[Message]) -> list[WarningNotice]:
    return [message for message in said if isinstance(message, WarningNotice)]


def burst_script() -> Script:
    first = alarm(2, ONSET)
    raised = alarm(2, ONSET + 5, AlarmState.RAISED, raised=ONSET)
    return {ONSET: [first], ONSET + 5: [raised, draft(ONSET + 5, raised)]}


# --- the life of an incident ---


def test_burst_is_confirmed_at_its_pipe() -> None:
    versions = incidents(play(burst_script(), leak_from("P4")))
    assert [one.status for one in versions[:2]] == ["assessing", "confirmed"]
    confirmed = versions[1]
    assert confirmed.cause is Cause.BURST
    assert confirmed.reason == Reason.LEAK_FITS_RESIDUALS
    assert confirmed.location.candidates[0] == "P4"
    assert confirmed.location.method == "leak_signature"
    assert confirmed.location.x_m == pytest.approx(900.0)
    assert [one.version for one in versions] == list(range(1, len(versions) + 1))


def test_two_clear_devices_decide_before_the_alarm_is_confirmed() -> None:
    versions = incidents(play({ONSET: [alarm(2, ONSET)]}, leak_from("P4"), minutes=ONSET + 3))
    assert versions[-1].status is IncidentStatus.CONFIRMED
    assert versions[-1].time_ms <= at(ONSET + 3)


def test_incident_id_names_area_and_moment() -> None:
    assert incidents(play(burst_script(), leak_from("P4")))[0].id == f"I-A-{at(ONSET)}"


def test_draft_before_decision_becomes_the_warning() -> None:
    one = alarm(2, ONSET, AlarmState.RAISED)
    out = notices(play({ONSET: [one, draft(ONSET, one)]}, leak_from("P4")))
    assert [(notice.version, notice.status) for notice in out[:1]] == [(2, WarningStatus.ISSUED)]
    assert out[0].id == draft(ONSET, one).id
    assert out[0].incident == f"I-A-{at(ONSET)}"


def test_draft_after_decision_is_merged() -> None:
    out = notices(play(burst_script(), leak_from("P4")))
    statuses = [(notice.status, notice.reason) for notice in out]
    assert statuses[0] == (WarningStatus.ISSUED, Reason.LEAK_FITS_RESIDUALS)
    assert (WarningStatus.CANCELLED, Reason.MERGED_INTO_INCIDENT) in statuses
    assert sum(status is WarningStatus.ISSUED for status, _ in statuses) == 1


def test_switch_issues_the_warning_before_the_assessment() -> None:
    one = alarm(2, ONSET, AlarmState.RAISED)
    script: Script = {ONSET: [one, draft(ONSET, one)]}
    early = notices(play(script, leak_from("P4"), policy=AssessPolicy(issue_before_assess=True)))
    late = notices(play(script, leak_from("P4")))
    assert [one.status for one in early[:2]] == [WarningStatus.ISSUED, WarningStatus.UPDATED]
    assert early[0].time_ms <= late[0].time_ms
    assert len({notice.id for notice in early}) == 1


def test_ten_alarms_of_one_burst_make_one_incident() -> None:
    script: Script = {ONSET + n: [alarm(n, ONSET + n)] for n in range(5)}
    script[ONSET + 5] = [alarm(n, ONSET + 5, AlarmState.RAISED, raised=ONSET + n) for n in range(5)]
    versions = incidents(play(script, leak_from("P4")))
    assert len({one.id for one in versions}) == 1
    assert len(versions[-1].alarms) == 5


def test_joined_alarms_make_a_version_at_most_every_five_minutes() -> None:
    script = burst_script()
    for minute in range(ONSET + 6, ONSET + 20):
        script[minute] = [alarm(3, minute, AlarmState.RAISED)]
    times = [one.time_ms for one in incidents(play(script, leak_from("P4")))[2:]]
    assert times
    assert min(np.diff(times), default=POLICY.update_ms) >= POLICY.update_ms


def test_alarm_of_another_domain_opens_its_own_incident() -> None:
    other = alarm(2, ONSET, AlarmState.RAISED, rule="gas.pressure_low")
    gas = replace(other, domain="gas")
    versions = incidents(play({ONSET: [alarm(2, ONSET), gas]}, leak_from("P4")))
    assert len({(one.id, one.domain) for one in versions}) == 2


def test_worse_alarm_raises_the_level_and_updates_the_warning() -> None:
    script = burst_script()
    script[ONSET + 12] = [alarm(2, ONSET + 12, AlarmState.CHANGED, Level.RED, raised=ONSET)]
    said = play(script, leak_from("P4"))
    last = incidents(said)[-1]
    assert (last.level, last.reason, last.time_ms) == (Level.RED, "alarm_worse", at(ONSET + 12))
    assert notices(said)[-1].status is WarningStatus.UPGRADED


def test_level_is_not_lowered_when_alarms_get_better() -> None:
    script = burst_script()
    script[ONSET + 12] = [alarm(2, ONSET + 12, AlarmState.CHANGED, Level.BLUE, raised=ONSET)]
    levels = [one.level for one in incidents(play(script, leak_from("P4")))[1:]]
    assert max(levels) <= Level.YELLOW


def test_closure_closes_and_cancels_the_warning() -> None:
    script = burst_script()
    incident = f"I-A-{at(ONSET)}"
    script[50] = [Closure(incident, True, at(50), "recovered")]
    said = play(script, leak_from("P4"))
    assert incidents(said)[-1].status is IncidentStatus.CLOSED
    assert notices(said)[-1].status is WarningStatus.CANCELLED


def closed_at_50(late: Sequence[Alarm], cleared: bool) -> list[Incident]:
    script = burst_script()
    if cleared:
        script[48] = [alarm(2, 48, AlarmState.CLEARED, raised=ONSET)]
    script[50] = [Closure(f"I-A-{at(ONSET)}", True, at(50), "recovered")]
    for one in late:
        minute = (one.time_ms - at(0)) // 60_000
        script.setdefault(minute, []).append(one)
    return [one for one in incidents(play(script, leak_from("P4"), 70)) if one.time_ms > at(50)]


def test_provisional_alarm_after_closure_opens_nothing() -> None:
    assert not closed_at_50([alarm(2, 55)], cleared=True)


def test_old_alarm_after_closure_opens_nothing() -> None:
    assert not closed_at_50([alarm(3, 55, AlarmState.RAISED, raised=49)], cleared=True)


def test_new_alarm_on_a_device_that_had_not_cleared_opens_nothing() -> None:
    assert not closed_at_50([alarm(2, 55, AlarmState.RAISED, raised=54)], cleared=False)


def test_new_raised_alarm_on_a_cleared_device_opens_an_incident_after_closure() -> None:
    opened = closed_at_50([alarm(2, 55, AlarmState.RAISED, raised=54)], cleared=True)
    assert opened[0].id == f"I-A-{at(55)}"


# --- causes ---


def test_pump_switch_is_dismissed_and_nothing_leaves() -> None:
    def switched(minute: int) -> NDArray[np.float64]:
        return normal(pump=minute < ONSET)

    said = play(burst_script(), switched)
    assert incidents(said)[-1].cause is Cause.PUMP_SWITCH
    assert incidents(said)[-1].reason == Reason.EXPLAINED_BY_OPERATION
    assert not any(one.status is IncidentStatus.CONFIRMED for one in incidents(said))
    assert {one.status for one in notices(said)} == {WarningStatus.CANCELLED}


def test_pump_switch_does_not_hide_a_burst_of_the_same_minute() -> None:
    def both(minute: int) -> NDArray[np.float64]:
        burst = leak_signature("P6") * 400.0 if minute >= ONSET else 0.0
        return normal(pump=minute < ONSET) + burst

    last = incidents(play(burst_script(), both))[-1]
    assert (last.cause, last.location.candidates[0]) == (Cause.BURST, "P6")


def test_standing_pump_with_low_pressure_is_an_outage_at_the_pump() -> None:
    def switched(minute: int) -> NDArray[np.float64]:
        return normal(pump=minute < ONSET)

    script = burst_script()
    script[ONSET + 10] = [
        alarm(2, ONSET + 10, AlarmState.RAISED, rule="water.pressure_head", raised=ONSET + 1)
    ]
    last = incidents(play(script, switched))[-1]
    assert (last.status, last.cause) == (IncidentStatus.CONFIRMED, Cause.PUMP_OUTAGE)
    assert last.location.candidates == ("PU",)


def test_fault_of_one_device_is_dismissed() -> None:
    def biased(minute: int) -> NDArray[np.float64]:
        values = normal()
        values[2] -= 0.12 if minute >= ONSET else 0.0
        return values

    last = incidents(play(burst_script(), biased))[-1]
    assert (last.status, last.cause) == (IncidentStatus.DISMISSED, Cause.DEVICE_FAULT)
    assert last.reason == Reason.NEIGHBOURS_CONTRADICT_DEVICE


def test_withdrawn_alarm_dismisses_at_once() -> None:
    script: Script = {
        ONSET: [alarm(2, ONSET)],
        ONSET + 1: [alarm(2, ONSET + 1, AlarmState.WITHDRAWN, raised=ONSET)],
    }
    last = incidents(play(script, undisturbed))[-1]
    assert (last.reason, last.time_ms) == (Reason.ALARMS_WITHDRAWN, at(ONSET + 1))


def test_doubtful_device_is_kept_out_of_the_evidence() -> None:
    def biased(minute: int) -> NDArray[np.float64]:
        values = normal()
        values[[2, 3]] -= 0.12 if minute >= ONSET else 0.0
        return values

    stuck: list[Message] = [
        DeviceHealth(device_id(n), "A", HealthKind.STUCK, True, at(ONSET), "test") for n in (2, 3)
    ]
    script = burst_script()
    script[ONSET] += stuck
    last = incidents(play(script, biased))[-1]
    assert (last.cause, last.reason) == (Cause.DEVICE_FAULT, Reason.DEVICE_DOUBTFUL)


def test_low_pressure_no_leak_explains_is_confirmed_for_a_patrol() -> None:
    def odd(minute: int) -> NDArray[np.float64]:
        values = normal()
        if minute >= ONSET:
            values[[0, 4]] -= 0.1
            values[2] += 0.1
        return values

    script: Script = {
        ONSET + 1: [
            alarm(n, ONSET + 1, AlarmState.RAISED, rule="water.pressure_head", raised=ONSET)
            for n in (0, 4)
        ]
    }
    last = incidents(play(script, odd))[-1]
    assert (last.status, last.cause) == (IncidentStatus.CONFIRMED, Cause.LOW_SUPPLY)
    assert last.location.method == "largest_drop"


def test_no_pump_report_since_onset_delays_the_decision() -> None:
    def silent_pump(minute: int) -> NDArray[np.float64]:
        values = leak_from("P4")(minute)
        values[PUMP_NUMBER] = np.nan if minute >= ONSET else 1.0
        return values

    told = incidents(play(burst_script(), leak_from("P4")))[1].time_ms
    untold = incidents(play(burst_script(), silent_pump))[1].time_ms
    assert told < untold <= at(ONSET) + POLICY.settle_ms


def test_alarm_that_grows_after_a_dismissal_opens_a_new_incident() -> None:
    def switched_then_burst(minute: int) -> NDArray[np.float64]:
        burst = leak_signature("P4") * 200.0 if minute >= 50 else 0.0
        return normal(pump=minute < ONSET) + burst

    script = burst_script()
    script[50] = [alarm(2, 50, AlarmState.CHANGED, Level.ORANGE, raised=ONSET)]
    last = incidents(play(script, switched_then_burst, 65))[-1]
    assert last.id == f"I-A-{at(50)}"
    assert (last.cause, last.location.candidates[0]) == (Cause.BURST, "P4")


def test_alarms_that_grow_together_after_a_dismissal_open_one_incident() -> None:
    def switched(minute: int) -> NDArray[np.float64]:
        return normal(pump=minute < ONSET)

    script = burst_script()
    script[ONSET + 5].append(alarm(1, ONSET + 5, AlarmState.RAISED, raised=ONSET))
    script[50] = [alarm(n, 50, AlarmState.CHANGED, Level.ORANGE, raised=ONSET) for n in (1, 2)]
    versions = incidents(play(script, switched, 65))
    opened = [one for one in versions if one.version == 1]
    assert [one.opened_ms for one in opened] == [at(ONSET), at(50)]


def test_a_leak_at_a_pipe_an_open_burst_names_is_part_of_that_burst() -> None:
    def growing(minute: int) -> NDArray[np.float64]:
        return leak_from("P4")(minute) + (leak_signature("P5") * 80.0 if minute >= 70 else 0.0)

    script = burst_script()
    script[70] = [alarm(4, 70, AlarmState.RAISED, Level.ORANGE)]
    newest = {one.id: one for one in incidents(play(script, growing, 95))}
    first, second = newest.values()
    assert first.status is IncidentStatus.CONFIRMED
    assert (second.status, second.reason) == ("dismissed", Reason.PART_OF_OPEN_INCIDENT)


def test_without_a_model_the_largest_drop_is_named() -> None:
    confirmed = incidents(play(burst_script(), leak_from("P4"), has_model=False))[1]
    assert confirmed.cause is Cause.BURST
    assert confirmed.location.method == "largest_drop"
    assert confirmed.reason == Reason.LARGEST_DROP_WITHOUT_MODEL
    assert "P4" in confirmed.location.candidates[:2]


# --- searching ---


def test_place_is_searched_at_most_every_five_minutes_and_no_more_after_arrival() -> None:
    model = LinearModel()
    script = burst_script()
    incident = f"I-A-{at(ONSET)}"
    arrived = Feedback("F1", "O1", incident, "T1", FeedbackKind.ARRIVED, at(45))
    script[45] = [arrived]
    play(script, leak_from("P4"), 60, model=model)
    assert len(model.searches) >= 2
    assert min(np.diff(model.searches)) >= POLICY.relocate_ms - 60_000
    assert max(model.searches) <= at(45)


def misled(silent: list[int]) -> Callable[[int], NDArray[np.float64]]:
    """Return a leak at P7 whose devices are silent for 8 minutes while D2 shows too much."""

    def values_at(minute: int) -> NDArray[np.float64]:
        values = leak_from("P7")(minute)
        if ONSET <= minute < ONSET + 8:
            values[silent] = np.nan
            values[2] -= 0.03
        return values

    return values_at


@pytest.mark.parametrize("comes_back", [True, False])
def test_devices_that_come_back_move_it_though_a_team_is_there(comes_back: bool) -> None:
    script = burst_script()
    script[ONSET + 7] = [
        Feedback("F1", "O1", f"I-A-{at(ONSET)}", "T1", FeedbackKind.ARRIVED, at(ONSET + 7))
    ]
    worse = alarm(1, ONSET + 30, AlarmState.RAISED, Level.ORANGE)
    script[ONSET + 30] = [worse]
    silent = np.array([3, 4])

    def values_at(minute: int) -> NDArray[np.float64]:
        values = misled([3, 4])(minute)
        if not comes_back and minute >= ONSET:
            values[silent] = np.nan
        return values

    versions = incidents(play(script, values_at, ONSET + 40))
    placed = [one.location.candidates[0] for one in versions if one.status == "confirmed"]
    assert placed[0] != "P7"
    assert (placed[-1] == "P7") is comes_back
    moved = [one.time_ms for one in versions if one.reason == Reason.RELOCATED]
    assert moved == ([at(ONSET + 30)] if comes_back else [])


class PumpAtP4(LinearModel):
    """The street with a pump that does when it stands what a burst of P4 does."""

    def expect(self, at_ms: int, conditions: Conditions) -> NDArray[np.float64]:
        """Return normal values, lower by the leak's when the pump stands."""
        stands = not conditions.pump_on.get("PU", True)
        return normal() + (leak_signature("P4") * 150.0 if stands else 0.0)


@pytest.mark.parametrize("is_heard", [True, False])
def test_what_a_pump_nobody_hears_of_does_as_well_is_no_burst(is_heard: bool) -> None:
    def values_at(minute: int) -> NDArray[np.float64]:
        values = leak_from("P4")(minute)
        if not is_heard and minute:
            values[PUMP_NUMBER] = np.nan
        return values

    versions = incidents(play(burst_script(), values_at, ONSET + 40, model=PumpAtP4()))
    confirmed = [one.location.candidates[0] for one in versions if one.status == "confirmed"]
    if is_heard:
        assert confirmed[0] == "P4"
    else:
        assert not confirmed
        assert versions[-1].reason == Reason.OPERATION_MAY_EXPLAIN


def test_new_evidence_moves_the_incident() -> None:
    versions = incidents(play(burst_script(), misled([3, 4])))
    moved = [one for one in versions if one.reason == Reason.RELOCATED]
    assert versions[1].status is IncidentStatus.CONFIRMED
    assert versions[1].location.candidates[0] != "P7"
    assert moved[-1].location.candidates[0] == "P7"


def test_weak_evidence_waits_for_more_samples() -> None:
    script = burst_script()
    confirmed = incidents(play(script, misled([3, 4, FLOW_NUMBER])))[1]
    assert confirmed.status is IncidentStatus.CONFIRMED
    assert confirmed.time_ms >= at(ONSET + 8)
    bold = replace(POLICY, least_confidence=0.0)
    hasty = incidents(play(script, misled([3, 4, FLOW_NUMBER]), policy=bold))[1]
    assert hasty.time_ms < at(ONSET + 8)
    assert hasty.confidence < POLICY.least_confidence


# --- history, layout, consequence, snapshots ---


def test_households_are_those_served_at_dry_devices_and_at_the_pipe() -> None:
    def dry(minute: int) -> NDArray[np.float64]:
        values = leak_from("P8", 700.0)(minute)
        return np.maximum(values, 0.0)

    confirmed = incidents(play(burst_script(), dry))[1]
    served_at_last_device = 2.5 * 262 / 2.62
    at_pipe = 2 * 262 / 2.62
    assert at_pipe <= confirmed.households <= served_at_last_device + at_pipe


def test_every_limit_has_a_basis() -> None:
    names = {field.name for field in fields(AssessPolicy)}
    assert set(BASIS) == names
    known = ("quoted:", "example:", "proposed", "switch:", "name in")
    assert [text for text in BASIS.values() if not text.startswith(known)] == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 200)), max_size=150), st.integers(1, 5))
def test_history_keeps_the_newest_samples_of_each_device(
    rows: list[tuple[int, int]], chunks: int
) -> None:
    history = History.of(4)
    for part in np.array_split(np.array(rows, dtype=np.int64).reshape(-1, 2), chunks):
        batch = ReadingBatch.of(part[:, 0], part[:, 1] * 1000, part[:, 1].astype(float))
        history.add(batch.take(np.argsort(batch.device, kind="stable")))
    for device in range(4):
        own = [second for number, second in rows if number == device][-DEPTH:]
        times, values = history.recent(np.array([device]), 3, 0)
        expected = sorted(own, reverse=True)[:3]
        assert [time // 1000 for time in times[0].tolist() if time] == expected
        assert [value for value in values[0].tolist() if np.isfinite(value)] == expected
        assert history.newest_ms()[device] == max(own, default=0) * 1000


@pytest.mark.parametrize("flag", [Quality.RANGE, Quality.SPIKE, Quality.STUCK, Quality.SKEW])
def test_doubtful_samples_are_not_remembered(flag: Quality) -> None:
    history = History.of(1)
    history.add(ReadingBatch.of([0], [1000], [0.4], [int(flag)]))
    assert history.newest_ms()[0] == 0
    history.add(ReadingBatch.of([0], [2000], [0.4], [int(Quality.LATE)]))
    assert history.newest_ms()[0] == 2000


def test_nodes_are_served_by_the_nearest_device_along_the_pipes() -> None:
    layout = Layout.of(registry(), street(), POLICY)
    assert layout.server[[0, 2, 4, 6, 8, 9]].tolist() == [0, 1, 2, 3, 4, 4]


def test_devices_are_near_in_touching_areas_or_within_the_distance_by_pipe() -> None:
    layout = Layout.of(registry(), street(), POLICY)
    assert layout.neighbours == {"A": frozenset({"B"}), "B": frozenset({"A"})}
    assert layout.are_near(0, 4, 0.0)
    apart = replace(layout, neighbours={})
    assert apart.are_near(0, 1, 0.0)
    assert apart.are_near(1, 3, 800.0)
    assert not apart.are_near(1, 3, 799.0)


def test_unknown_device_changes_nothing() -> None:
    stray = alarm(99, ONSET)
    assert not play({ONSET: [stray]}, undisturbed)


def test_snapshot_of_another_stage_is_refused() -> None:
    stage = AssessStage(registry(), street(), None)
    with pytest.raises(SnapshotError):
        stage.restore(b"\x80")


def test_device_count_matches_the_street() -> None:
    assert len(registry()) == DEVICES
