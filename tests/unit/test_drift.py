"""Leaks that grow for hours: the drift of residuals, and the ledger that finds their place."""

import numpy as np
import pytest

from pipeline.assess.cases import AssessState
from pipeline.assess.evidence import FRESH_MS
from pipeline.assess.history import History
from pipeline.assess.layout import Layout
from pipeline.assess.ledger import BLOCK_MS, LAG_MS, Ledger
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.reasons import Reason
from pipeline.assess.stage import AssessStage
from pipeline.messages import AlarmState, Cause, Incident, IncidentStatus
from pipeline.warn.functions.drifts import Drift
from sensors.readings import Floats
from tests.unit import assess_town
from tests.unit.assess_town import FLOW_NUMBER, MINUTE_MS, PUMP_NUMBER, START_MS, LinearModel, at

STEP_MS = 300_000
FIGURES = {
    "mean_s": 1800.0,
    "learning_s": 172_800.0,
    "warm_up": 6.0,
    "floor_sigmas": 2.0,
    "model_share": 0.03,
    "reach_s": 600.0,
}
RULE = "water.dma_drift"


def drifts(shown: Floats, expected: Floats) -> Floats:
    """Signals of a meter that shows and is expected to show so every five minutes."""
    drift = Drift(np.array([0.5]), np.array([300.0]), FIGURES)
    row, no_spike = np.array([0]), np.zeros(1, np.bool_)
    signals = []
    for number, (value, answer) in enumerate(zip(shown, expected, strict=True)):
        now_ms = np.array([number * STEP_MS])
        drift.take(number * STEP_MS, np.array([answer]))
        signals.append(drift.apply(row, now_ms, np.array([value]), no_spike)[0])
    found = np.array(signals)
    return found[np.isfinite(found)]


def noise(samples: int) -> Floats:
    return np.random.Generator(np.random.Philox(3)).normal(0.0, 0.5, samples)


def test_drift_is_still_while_the_meter_follows_the_model() -> None:
    day = 50.0 + 30.0 * np.sin(np.arange(288) / 288 * 2 * np.pi)
    assert drifts(day + 2.0 + noise(288), day).max() < 2.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_drift_sees_a_leak_that_grows_by_two_cubic_metres_an_hour(sign: float) -> None:
    leak = sign * np.clip(np.arange(288) - 96, 0, None) / 12 * 2.0
    signals = drifts(20.0 + leak + noise(288), np.full(288, 20.0))
    assert signals[:8].max() < 2.0
    assert signals[20] > 4.0  # 5 h after it began


def test_pump_that_switches_between_two_answers_is_no_drift() -> None:
    answers = np.where(np.arange(288) % 24 < 12, 160.0, 0.0)
    late = np.where((np.arange(288) - 1) % 24 < 12, 160.0, 0.0)  # seen one sample later
    assert drifts(late + noise(288), answers).max() < 2.0


def test_late_samples_are_held_against_the_answer_of_their_own_time() -> None:
    drift = Drift(np.array([0.5]), np.array([300.0]), FIGURES)
    row, signals = np.array([0]), []
    answers = 100.0 + 80.0 * np.sin(np.arange(288) / 40.0)
    for number, answer in enumerate(answers.tolist()):
        drift.take(number * STEP_MS, np.array([answer]))
        if number % 12 == 11:  # an hour at once
            for one in range(number - 11, number + 1):
                time_ms, value = np.array([one * STEP_MS]), np.array([answers[one]])
                signals.append(drift.apply(row, time_ms, value, np.zeros(1, np.bool_))[0])
    assert np.nanmax(signals) < 0.1


def play(leak_m3_h: float, *, is_meter_alone: bool = False, rule: str = RULE) -> list[Incident]:
    """Ten hours of the street; the leak at P3 grows from the fifth hour on, the alarm at hour 8."""
    stage = AssessStage(assess_town.registry(), assess_town.street(), assess_town.LinearModel())
    said: list[Incident] = []
    signature = assess_town.leak_signature("P3")
    for minute in range(0, 600, 5):
        grown = leak_m3_h * min(max(minute - 300, 0) / 180.0, 1.0)
        change = signature * grown
        if is_meter_alone:
            change = np.where(np.arange(len(change)) == FLOW_NUMBER, change, 0.0)
        messages: list[object] = [assess_town.samples(assess_town.normal() + change, minute)]
        if minute == 480:
            alarm = assess_town.alarm(FLOW_NUMBER, minute, AlarmState.RAISED, rule=rule)
            messages.append(alarm)
        stage.on_batch(messages, at(minute))  # type: ignore[arg-type]
        said += [one for one in stage.on_time(at(minute)) if isinstance(one, Incident)]
    return said


@pytest.mark.parametrize("rule", [RULE, "water.dma_night_ratio"])
def test_leak_that_grew_for_hours_is_confirmed_at_its_pipe(rule: str) -> None:
    last = play(60.0, rule=rule)[-1]
    assert (last.status, last.cause) == (IncidentStatus.CONFIRMED, Cause.BURST)
    assert last.reason != Reason.ALARM_OPENED
    assert last.location.candidates[0] in {"P2", "P3", "P4"}


def test_meter_that_drifts_alone_is_no_leak() -> None:
    assert all(
        one.status is not IncidentStatus.CONFIRMED for one in play(60.0, is_meter_alone=True)
    )


def test_ledger_says_nothing_before_it_knows_the_usual() -> None:
    policy = AssessPolicy()
    layout = Layout.of(assess_town.registry(), assess_town.street(), policy)
    state = AssessState(History.of(len(layout.ids)), np.zeros(len(layout.ids), np.int64))
    now_ms = START_MS
    while now_ms < START_MS + LAG_MS + 3 * BLOCK_MS:
        minute = (now_ms - START_MS) / MINUTE_MS
        state.history.add(assess_town.samples(assess_town.normal(), minute).batch)
        state.ledger.note(state.history, layout, assess_town.LinearModel(), now_ms)
        now_ms += STEP_MS
    none = np.zeros(len(layout.ids), np.bool_)
    assert state.ledger.ended_ms
    assert state.ledger.evidence(state.history, layout, now_ms, now_ms, none, policy) is None


def test_nothing_is_booked_while_nobody_tells_how_the_network_is_run() -> None:
    layout = Layout.of(assess_town.registry(), assess_town.street(), AssessPolicy())
    history, ledger, model = History.of(len(layout.ids), layout.pumps), Ledger(), LinearModel()
    silent = range(300, 480)
    for minute in range(0, 900, 5):
        values = assess_town.normal(pump=minute not in silent)  # it stands, and nobody says so
        if minute in silent:
            values[PUMP_NUMBER] = np.nan
        history.add(assess_town.samples(values, minute).batch)
        ledger.note(history, layout, model, at(minute))
    ended_min = (np.array(ledger.ended_ms) - START_MS) / MINUTE_MS
    blocks = np.stack(ledger.blocks)
    within = (ended_min > 330 + FRESH_MS / MINUTE_MS) & (ended_min <= 480)
    assert within.any()
    assert np.isnan(blocks[within]).all()
    assert np.nanmax(np.abs(blocks[ended_min <= 300])) < 1e-6
    assert np.nanmax(np.abs(blocks[ended_min > 510])) < 1e-6
